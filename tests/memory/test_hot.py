"""Hot memory leaves the RAM only when nobody can be hurt by it."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.exceptions import NotFound
from cognition_jupyter.kernels.records import close_record
from cognition_jupyter.memory.shapes import PreconditionFailed
from cognition_jupyter.memory.snapshots.marker import RESTORING, write_marker
from cognition_jupyter.models import CreateProject, SessionRecord, utcnow


@pytest.fixture
def two() -> Iterator[tuple[Cognition, Cognition]]:
    """Two processes' worth of everything, on one root."""
    base = Path(tempfile.mkdtemp(prefix="cgn-hot", dir="/dev/shm"))
    config = Config()
    config.ProjectStore.root = str(base / "root")
    config.RamDirectories.hot_root = str(base / "ram")
    made = [Cognition(base, config=config) for _ in range(2)]
    for one in made:
        one.open()
    yield made[0], made[1]
    for one in made:
        asyncio.run(one.close())
    shutil.rmtree(base)


def record(of: Cognition) -> SessionRecord:
    session_id = str(uuid.uuid4())
    return SessionRecord(
        session_id=session_id,
        kernel_id=session_id,
        owner=of.owner.owner_id,
        runtime="docker",
        isolated=True,
        network_mode="OFF",
        started_at=utcnow(),
    )


async def project(of: Cognition) -> str:
    return (await of.store.create(CreateProject(user_prefix="hot"))).project_id


async def in_session(of: Cognition, project_id: str, name: str) -> None:
    """A session that counts in a file, step by step as the launcher goes."""
    session = record(of)
    await of.store.open_session(project_id, session, 0, 0)
    await of.hot.ensure(project_id)
    file = of.ram.hot(project_id) / name
    before = int(file.read_text()) if file.exists() else 0
    await asyncio.sleep(secrets.randbelow(20) / 1000)
    file.write_text(str(before + 1))
    await of.hot.save(project_id, "session")
    await of.store.change(
        project_id, lambda metadata: close_record(metadata, session.session_id, "client", utcnow())
    )


async def over_rest(of: Cognition, project_id: str, name: str) -> None:
    """A writer without a session that counts in a file, with If-Match."""
    memory = await of.memories.of(project_id)
    path = f"/memories/hot/{name}"
    while True:
        try:
            content = await memory.read(path)
            data, etag = b"%d" % (int(content.data) + 1), content.etag
        except NotFound:
            data, etag = b"1", None
        try:
            await of.memories.put(project_id, path, data, None, etag, etag is None)
            return
        except PreconditionFailed:
            continue  # a reader does not wait for a release: what it saw may be nothing


def test_releases_beside_sessions_and_writers(two: tuple[Cognition, Cognition]) -> None:
    one, other = two
    released = 0

    async def release_all_the_time(project_id: str) -> None:
        nonlocal released
        for of in itertools.cycle(two):
            if await of.hot.release(project_id):
                released += 1
            await asyncio.sleep(0.001)

    async def body() -> str:
        project_id = await project(one)
        releasing = asyncio.ensure_future(release_all_the_time(project_id))
        for _ in range(20):
            await asyncio.gather(
                in_session(one, project_id, "a"),
                in_session(other, project_id, "b"),
                over_rest(one, project_id, "c"),
                over_rest(other, project_id, "d"),
            )
            for name in "cd":
                await over_rest(one, project_id, name)
                await asyncio.sleep(secrets.randbelow(20) / 1000)
        releasing.cancel()
        with suppress(asyncio.CancelledError):
            await releasing
        await one.hot.ensure(project_id)
        return project_id

    ram = one.ram.hot(asyncio.run(body()))
    found = {path.name: path.read_text() for path in ram.iterdir()}
    assert found == {"a": "20", "b": "20", "c": "40", "d": "40"}
    assert released >= 10


def test_not_while_a_session_has_a_record(two: tuple[Cognition, Cognition]) -> None:
    one, other = two

    async def body() -> None:
        project_id = await project(one)
        await other.store.open_session(project_id, record(other), 0, 0)
        await other.hot.ensure(project_id)
        (other.ram.hot(project_id) / "a").write_text("1")
        assert not await one.hot.release(project_id)
        assert (other.ram.hot(project_id) / "a").read_text() == "1"
        assert await other.hot.snapshot(project_id, "request")  # and it is still whole

    asyncio.run(body())


def test_what_was_never_whole_is_not_kept(two: tuple[Cognition, Cognition]) -> None:
    one, _ = two

    async def body() -> None:
        project_id = await project(one)
        await one.memories.put(project_id, "/memories/hot/a", b"1")
        await one.hot.snapshot(project_id, "request")
        one.ram.marker(project_id).unlink()
        (one.ram.hot(project_id) / "half").write_text("of a restore")
        assert await one.hot.release(project_id)
        await one.hot.ensure(project_id)
        assert [path.name for path in one.ram.hot(project_id).iterdir()] == ["a"]

    asyncio.run(body())


def test_a_release_tells_of_its_snapshot_also_when_the_ram_stays(
    two: tuple[Cognition, Cognition], caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = two

    async def body() -> None:
        told: list[tuple[object, ...]] = []
        one.hot.emit = lambda action, data: told.append(
            (action, data["reason"], data["generation"], data["skipped"])
        )
        project_id = await project(one)
        await one.memories.put(project_id, "/memories/hot/a", b"1")
        pipe = one.ram.hot(project_id) / "pipe"
        os.mkfifo(pipe)
        assert not await one.hot.release(project_id)
        assert told == [("snapshot", "release", 1, 1)]
        assert f"Memory of {project_id}: pipe is left out: it is a FIFO" in caplog.text
        assert not await one.hot.release(project_id)  # nothing new: nothing is told
        pipe.unlink()
        await one.memories.put(project_id, "/memories/hot/a", b"2")
        assert await one.hot.release(project_id)
        assert told[1:] == [("snapshot", "release", 2, 0)]

    asyncio.run(body())


async def look_round(one: Cognition) -> None:
    """Snapshots as by the clock, and reconcile, with its grace."""
    await one.snapshots.run()
    for _ in range(2):
        with suppress(OSError):  # the root's disk may be away
            await one.reconcile.run()


def test_reconcile_forgets_projects_that_are_gone(two: tuple[Cognition, Cognition]) -> None:
    one, other = two

    async def body() -> None:
        project_id, stays = await project(one), await project(one)
        for each in (project_id, stays):
            await one.hot.ensure(each)
        await other.store.trash.put(project_id)
        await look_round(one)
        assert await one.hot.in_ram() == [stays]
        assert not one.ram.marker(project_id).exists()

    asyncio.run(body())


def test_the_ram_outlives_the_absence_of_the_root_s_disk(two: tuple[Cognition, Cognition]) -> None:
    one, other = two
    root = one.store.directory.path

    async def body() -> None:
        project_id = await project(one)
        await one.hot.ensure(project_id)
        note = one.ram.hot(project_id) / "note"
        note.write_text("in no snapshot yet")
        away = root.with_name("away")
        root.rename(away)
        await look_round(one)
        root.mkdir()  # the mount point without its disk, then another disk
        await look_round(one)
        (root / ".cognition").mkdir()
        (root / ".cognition" / "root.json").write_text(f'{{"uuid": "{"0" * 32}", "version": 1}}')
        await look_round(one)
        shutil.rmtree(root)
        away.rename(root)
        assert note.read_text() == "in no snapshot yet"
        await look_round(one)
        await other.store.trash.put(project_id)
        await look_round(one)
        assert await one.hot.in_ram() == []

    asyncio.run(body())


def test_restores_beside_releases(two: tuple[Cognition, Cognition]) -> None:
    """What another process releases between a look and the restore is no refusal."""
    one, other = two

    async def body() -> None:
        project_id = await project(one)
        for text in (b"1", b"2"):
            await one.memories.put(project_id, "/memories/hot/a", text)
            await one.hot.snapshot(project_id, "request")
        for _ in range(60):
            releasing = asyncio.ensure_future(other.hot.release(project_id))
            await asyncio.sleep(secrets.randbelow(30) / 1000)
            restored, before = await one.hot.restore(project_id, 1)
            assert restored.generation == 1 and before.generation is not None
            await releasing
        await one.hot.ensure(project_id)
        assert (one.ram.hot(project_id) / "a").read_text() == "1"

    asyncio.run(body())


def test_an_interrupted_restore_is_finished_before_a_release(
    two: tuple[Cognition, Cognition],
) -> None:
    one, _ = two

    async def body() -> None:
        told: list[dict[str, object]] = []
        one.hot.emit = lambda action, data: told.append({"action": action, **data})
        project_id = await project(one)
        await one.memories.put(project_id, "/memories/hot/a", b"1")
        await one.hot.snapshot(project_id, "request")
        write_marker(one.hot.of(project_id), 1, RESTORING)
        (one.ram.hot(project_id) / "a").write_text("unsaved")
        assert await one.hot.release(project_id)
        files = one.store.paths(project_id).snapshots.glob("*/files/a")
        assert "unsaved" in [path.read_text() for path in files]
        await one.hot.ensure(project_id)
        assert (one.ram.hot(project_id) / "a").read_text() == "1"
        write_marker(one.hot.of(project_id), 1, RESTORING)
        await one.hot.ensure(project_id)
        assert "is kept as snapshot" in str(told[-1]["message"])

    asyncio.run(body())
