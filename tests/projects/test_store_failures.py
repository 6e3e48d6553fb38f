"""What fails or is cancelled halfway leaves everything as it was."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import (
    BrokenProject,
    CognitionError,
    Conflict,
    NotFound,
)
from cognition_jupyter.models import (
    CreateProject,
    Metadata,
    SessionRecord,
    utcnow,
)
from cognition_jupyter.projects.stage import ProjectPaths
from cognition_jupyter.projects.store import ProjectStore

from .store_support import (
    METADATA,
    create,
    get,
    ids,
    leftovers,
    on_disk,
    opened,
    run,
    session,
    snapshot,
)


def end_all(metadata: Metadata) -> None:
    for record in metadata.live_sessions:
        record.ended_at = utcnow()


def test_a_failed_population_leaves_nothing(tmp_path: Path) -> None:
    async def populate(paths: ProjectPaths, metadata: Metadata) -> None:
        (paths.repo / "half").write_text("half")
        raise CognitionError("It failed.")

    with opened(tmp_path) as store:
        before = snapshot(tmp_path)
        for _ in range(3):
            with pytest.raises(CognitionError, match="It failed"):
                run(store.create(CreateProject(user_prefix="demo"), populate))
        assert snapshot(tmp_path) == before
        assert leftovers(tmp_path) == [] and ids(store) == []


def test_a_change_that_raises_or_spoils_the_metadata_changes_nothing(tmp_path: Path) -> None:
    def fail(metadata: Metadata) -> None:
        metadata.description = "changed"
        raise Conflict("No.")

    def spoil(name: str, value: object) -> None:
        before = snapshot(tmp_path)
        with pytest.raises(ValueError):
            run(store.change(project_id, lambda metadata: setattr(metadata, name, value)))
        assert snapshot(tmp_path) == before, name

    with opened(tmp_path) as store:
        project_id = create(store, description="before")
        before = snapshot(tmp_path)
        with pytest.raises(Conflict, match="No"):
            run(store.change(project_id, fail))
        assert snapshot(tmp_path) == before
        spoil("pinned", "yes")
        spoil("cleanup_after_days", 0)
        spoil("description", "\ud800")
        spoil("description", "x" * (9 << 20))
        spoil("version", 2)
        spoil("tags", [1])
        spoil("extended_until", "tomorrow")
        assert get(store, project_id).description == "before"
        assert ids(store) == [project_id]


def test_a_project_on_its_way_in_makes_nobody_wait(tmp_path: Path) -> None:
    """Its lock is held as long as the clone takes."""

    async def check() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def populate(paths: ProjectPaths, metadata: Metadata) -> None:
            begun.set()
            await go_on.wait()

        creating = asyncio.ensure_future(store.create(CreateProject(user_prefix="slow"), populate))
        await begun.wait()
        (stage,) = (tmp_path / ".cognition" / "incoming").iterdir()
        start = time.monotonic()
        for attempt in (
            store.get(stage.name),
            store.change(stage.name, lambda metadata: None),
            store.trash.put(stage.name),
            store.open_session(stage.name, session("s"), 0, 0),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert (await store.select())[1] == 0
        store.recover()  # as the periodic one does: the maker is alive
        assert time.monotonic() - start < 60
        go_on.set()
        made = await creating
        assert made.project_id == stage.name
        assert (await store.select())[1] == 1

    with opened(tmp_path) as store:
        asyncio.run(check())


# -- cancellation --------------------------------------------------------------------------


async def _cancel(store: ProjectStore, delay: float, twice: bool) -> Metadata | None:
    async def populate(paths: ProjectPaths, metadata: Metadata) -> None:
        (paths.repo / "file").write_text("text")
        await asyncio.sleep(0.0005)

    task = asyncio.ensure_future(store.create(CreateProject(user_prefix="demo"), populate))
    await asyncio.sleep(delay)
    task.cancel()
    if twice:
        await asyncio.sleep(delay / 7)
        task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return None


def test_a_cancelled_creation_leaves_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)

    async def check() -> tuple[int, set[str]]:
        start = time.perf_counter()
        warm = [await store.create(CreateProject(user_prefix="warm")) for _ in range(5)]
        usual = (time.perf_counter() - start) / 5
        kept = {made.project_id for made in warm}
        cancelled = 0
        for _ in range(60):
            start = time.perf_counter()
            made = await _cancel(store, chance.random() * usual * 1.2, chance.random() < 0.5)
            if made is None:
                cancelled += 1
            else:
                kept.add(made.project_id)
                usual = min(usual, time.perf_counter() - start)  # the machine was busy before
        return cancelled, kept

    with opened(tmp_path) as store:
        descriptors = len(os.listdir("/proc/self/fd"))
        cancelled, kept = asyncio.run(check())
        assert cancelled >= 20
        assert on_disk(tmp_path) == kept == set(ids(store))
        assert leftovers(tmp_path) == []
        assert len(os.listdir("/proc/self/fd")) < descriptors + 10


def test_a_cancelled_change_is_whole(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(metadata: Metadata) -> None:
        begun.set()
        assert go_on.wait(60)
        metadata.description = "changed"

    async def check() -> None:
        task = asyncio.ensure_future(store.change(project_id, slow))
        assert await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        await asyncio.sleep(0.005)
        task.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        # Whoever tidies up now finds the step ended.
        assert (await store.get(project_id)).description == "changed"
        assert leftovers(tmp_path) == []

    with opened(tmp_path) as store:
        project_id = create(store)
        asyncio.run(check())


def test_a_broken_project_is_not_changed(tmp_path: Path) -> None:
    record: SessionRecord = session("s")
    with opened(tmp_path) as store:
        project_id = create(store)
        (tmp_path / project_id / METADATA).write_text("{")
        before = snapshot(tmp_path)
        for attempt in (
            store.change(project_id, end_all),
            store.trash.put(project_id),
            store.trash.delete(project_id),
            store.open_session(project_id, record, 0, 0),
        ):
            with pytest.raises(BrokenProject):
                run(attempt)
        assert snapshot(tmp_path) == before
