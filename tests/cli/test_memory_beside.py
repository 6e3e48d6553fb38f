"""`jupyter cognition memory …` beside a process that serves the same root."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cognition_jupyter.core import Cognition
from cognition_jupyter.models import SessionRecord, utcnow
from cognition_jupyter.projects.files import in_thread, locked

from .conftest import HOT, Place

SESSION = "11111111-2222-3333-4444-555555555555"


@asynccontextmanager
async def session(cognition: Cognition, project_id: str) -> AsyncIterator[None]:
    """A live session as the launcher records it, with a file in its private memory."""
    owner = cognition.owner.owner_id
    record = SessionRecord(
        session_id=SESSION,
        kernel_id=SESSION,
        owner=owner,
        runtime="process",
        isolated=False,
        network_mode="OFF",
        started_at=utcnow(),
    )
    await cognition.store.open_session(project_id, record, 0, 0)
    directories = cognition.ram.make_session(owner, SESSION)
    (directories.tmp / "scratch").write_text("private")
    yield


def test_beside_a_server_with_a_live_session(place: Place) -> None:
    project_id = place.project({"a": "1"}, {"a": "2"})

    async def work(cognition: Cognition) -> None:
        says = in_thread(place.says)
        async with session(cognition, project_id):
            private = await says("ls", project_id, "/tmp", "--session", SESSION)
            assert [line.split()[-1] for line in private] == ["home/", "scratch"]
            path = ("/tmp/scratch", "--session", SESSION)
            assert await in_thread(place.run)("cat", project_id, *path) == (b"private", "")

            memory = await cognition.memories.of(project_id)
            await memory.write(f"{HOT}/a", "3")
            assert await says("restore", project_id, "1") == [
                f"Snapshot 1 of {project_id} is restored: 1 files, 1 bytes.",
                f"To undo it: jupyter cognition memory restore {project_id} 3",
            ]
            assert (await memory.read(f"{HOT}/a")).data == b"1", "the session sees it at once"
            assert project_id in await cognition.hot.in_ram()
            assert cognition.store.directory.owner_is_alive(cognition.owner.owner_id)

    place.within(work)


def test_only_who_changes_the_same_waits_for_a_lock(place: Place) -> None:
    project_id = place.project({"a": "1"}, {"a": "2"}, release=False)
    writers = place.root / project_id / ".memory.lock"
    for lock in (place.hot(project_id).lock, writers):
        with locked(lock):
            assert place.says("history", project_id)
            assert place.says("diff", project_id, "2")
            assert place.run("cat", project_id, f"{HOT}/a", "--snapshot", "1")[0] == b"1"
            assert place.says("ls", project_id, HOT)
            process = place.start("restore", project_id, "1")
            time.sleep(1.5)
            assert process.poll() is None
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
        assert out.startswith(b"Snapshot 1 of ")
