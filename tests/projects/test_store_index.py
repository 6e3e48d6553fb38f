"""The index may be lost, damaged or old at any time; and other processes are seen at once."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cognition_jupyter.models import CreateProject, Metadata

from .store_support import (
    Worker,
    create,
    edit,
    get,
    ids,
    leftovers,
    on_disk,
    opened,
    run,
    select,
    session,
)

FILES = ("index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm")


def index(root: Path) -> Path:
    return root / ".cognition" / FILES[0]


def remove_all(root: Path) -> None:
    for name in FILES:
        (root / ".cognition" / name).unlink(missing_ok=True)


def remove_main(root: Path) -> None:
    index(root).unlink()


def truncate(root: Path) -> None:
    os.truncate(index(root), 0)


def overwrite(root: Path) -> None:
    """In place: the file stays the same one."""
    with index(root).open("r+b") as file:
        file.write(os.urandom(64 << 10))


def overwrite_pages(root: Path) -> None:
    """All but the header."""
    with index(root).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (max(index(root).stat().st_size, 64 << 10) - 4096))


def replace_by_garbage(root: Path) -> None:
    (root / "garbage").write_bytes(os.urandom(64 << 10))
    (root / "garbage").rename(index(root))


def replace_by_old_copy(root: Path) -> None:
    (root / "copy").rename(index(root))


def other_version(root: Path) -> None:
    with sqlite3.connect(index(root)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("DROP TABLE facts")
    connection.close()


def drop_tables(root: Path) -> None:
    with sqlite3.connect(index(root)) as connection:
        connection.execute("DROP TABLE projects")
    connection.close()


DAMAGES: list[Callable[[Path], None]] = [
    remove_all,
    remove_main,
    truncate,
    overwrite,
    overwrite_pages,
    replace_by_garbage,
    replace_by_old_copy,
    drop_tables,
]


def checkpoint(root: Path) -> None:
    """Get everything into the main file, so that damaging it damages something."""
    connection = sqlite3.connect(index(root))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


@pytest.mark.parametrize("damage", [*DAMAGES, other_version], ids=lambda damage: damage.__name__)
def test_a_damaged_index_is_rebuilt_at_start(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    with opened(tmp_path) as store:
        made = {create(store, f"p{number}", tags=["x"]) for number in range(12)}
        shutil.copy(index(tmp_path), tmp_path / "copy")
        gone = made.pop()
        run(store.trash.put(gone))
    damage(tmp_path)
    with opened(tmp_path) as store:
        assert set(ids(store)) == made == set(ids(store, tags=["x"]))
        made.add(create(store))
        assert set(ids(store)) == made
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("first", ["list", "change", "create", "delete", "open_session", "sweep"])
def test_a_damaged_index_is_rebuilt_while_it_is_used(
    tmp_path: Path, damage: Callable[[Path], None], first: str
) -> None:
    with opened(tmp_path) as store:
        made = {create(store, f"p{number}") for number in range(12)}
        target = create(store, "target")
        made.add(target)
        checkpoint(tmp_path)
        shutil.copy(index(tmp_path), tmp_path / "copy")
        made.add(create(store))
        damage(tmp_path)
        if first == "change":
            run(store.change(target, lambda metadata: setattr(metadata, "pinned", True)))
        elif first == "create":
            made.add(create(store, "new"))
        elif first == "delete":
            run(store.trash.put(target))
            made.remove(target)
        elif first == "open_session":
            run(store.open_session(target, session("s"), 1, 1))
        elif first == "sweep":
            store.recover()
        assert set(ids(store)) == made == on_disk(tmp_path) - {"copy", "garbage"}
        assert (ids(store, status="pinned") == [target]) is (first == "change")
        assert (ids(store, status="active") == [target]) is (first == "open_session")
        for entry in select(store):
            assert entry.metadata == get(store, entry.project_id).without_old_sessions()
    with opened(tmp_path) as store:
        assert set(ids(store)) == made


def test_two_processes_survive_the_loss_of_the_index(tmp_path: Path) -> None:
    with opened(tmp_path) as store, Worker(tmp_path) as worker:
        made = {create(store), worker.call("create", prefix="other")}
        for damage in (remove_all, overwrite, remove_main, replace_by_garbage):
            damage(tmp_path)
            made.add(worker.call("create", prefix="other"))
            assert set(ids(store)) == made
            made.add(create(store))
            assert {name for name, _ in worker.call("ids")} == made


# -- other processes -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Worker]]:
    root = tmp_path_factory.mktemp("shared")
    with Worker(root) as worker:
        worker.call("ready")
        yield root, worker


def test_what_another_process_does_is_seen_at_once(shared: tuple[Path, Worker]) -> None:
    root, worker = shared
    with opened(root) as store:
        for number in range(20):
            project_id = worker.call("create", prefix="other")
            assert project_id in ids(store)
            worker.call("describe", project_id=project_id, description=f"number {number}")
            found = {e.project_id: e.metadata for e in select(store)}[project_id]
            assert found is not None and found.description == f"number {number}"
            assert get(store, project_id).description == f"number {number}"
            mine = create(store, "mine")
            assert {name for name, _ in worker.call("ids")} == set(ids(store))
            worker.call("delete", project_id=mine, permanent=bool(number % 2))
            assert mine not in ids(store)


def test_directories_that_come_and_go_by_hand_are_seen_at_once(
    shared: tuple[Path, Worker], tmp_path: Path
) -> None:
    """Also within one tick of the clock that stamps directories, right after our own changes."""
    root, worker = shared
    with opened(root) as store:
        for number in range(20):
            moved, other = create(store, "moved"), create(store, "other")
            os.rename(root / moved, tmp_path / moved)
            assert moved not in ids(store)
            assert moved not in [name for name, _ in worker.call("ids")]
            run(store.trash.put(other))
            os.rename(tmp_path / moved, root / moved)
            assert moved in ids(store)
            copy = f"copy-{number:08x}"
            shutil.copytree(root / moved, root / copy)
            assert dict(worker.call("ids"))[copy] is not None  # broken: it says another id
            assert copy in ids(store, status="broken")
            shutil.rmtree(root / copy)
            assert copy not in ids(store)


@pytest.mark.parametrize("in_ram", [False, True])
def test_hands_quicker_than_the_clock_are_seen(
    tmp_path: Path, short_path: Path, in_ram: bool
) -> None:
    """A directory is stamped with the tick of a clock; on some file systems it is a slow one."""
    base = short_path if in_ram else tmp_path
    with opened(base / "root") as store:
        moved = create(store)
        for _ in range(100):
            os.rename(base / "root" / moved, base / moved)
            assert ids(store) == []
            os.rename(base / moved, base / "root" / moved)
            assert ids(store) == [moved]


def test_what_came_while_its_lock_was_held_is_seen_after(tmp_path: Path) -> None:
    """Whoever holds the lock is trusted to record the project, but may die instead."""
    with opened(tmp_path / "root") as store:
        moved = create(store)
        os.rename(tmp_path / "root" / moved, tmp_path / moved)
        assert ids(store) == []
        with store.directory.project_lock(moved):
            os.rename(tmp_path / moved, tmp_path / "root" / moved)
            assert ids(store) == []
        assert ids(store) == [moved]


def test_an_edit_by_hand_is_seen_by_get_at_once_and_by_list_after_a_sweep(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
        edit(tmp_path, project_id, description="by hand")
        assert get(store, project_id).description == "by hand"
        run(store.sweep())
        (entry,) = select(store)
        assert entry.metadata is not None and entry.metadata.description == "by hand"
        # A change keeps the edit, and fields that this release does not know.
        edit(tmp_path, project_id, tags=["hand"], future={"a": [1]})
        run(store.change(project_id, lambda metadata: setattr(metadata, "pinned", True)))
        metadata = get(store, project_id)
        assert metadata.tags == ["hand"] and metadata.pinned
        assert metadata.model_dump()["future"] == {"a": [1]}


def test_nobody_sees_a_project_that_is_not_there_yet(tmp_path: Path) -> None:
    """Lists that run beside creations and deletions never show a broken or a missing one."""

    async def check() -> None:
        done = False

        async def churn() -> None:
            nonlocal done
            for number in range(30):
                made = await store.create(CreateProject(user_prefix=f"p{number}"))
                await store.change(made.project_id, _pin)
                if number % 2:
                    await store.trash.put(made.project_id)
            done = True

        async def look() -> None:
            while not done:
                entries, total = await store.select()
                assert total == len(entries)
                for entry in entries:
                    assert entry.broken is None, entry.broken
                other = await asyncio.to_thread(worker.call, "ids")
                assert all(broken is None for _, broken in other), other

        await asyncio.gather(churn(), look())

    with opened(tmp_path) as store, Worker(tmp_path) as worker:
        asyncio.run(check())


def _pin(metadata: Metadata) -> None:
    metadata.pinned = True


def test_a_list_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    with opened(tmp_path) as store, Worker(tmp_path) as worker:
        stage = worker.call("stage", prefix="slow")
        project_id = create(store)
        with store.directory.project_lock(project_id):  # a writer at work
            store.catalog.index.mark_dirty(project_id)
            start = time.monotonic()
            assert ids(store) == [project_id]
            run(store.sweep())
            assert time.monotonic() - start < 30
        assert stage not in ids(store)
