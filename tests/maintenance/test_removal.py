"""Taking projects away: what else happens at that moment, and what is told of it."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import Conflict, FilesRemain, NotFound, StorageFull

from ..memory.snapshot_support import mounted
from .life import Life


@pytest.fixture
def life() -> Iterator[Life]:
    made = Life()
    yield made
    made.close()


def test_a_project_that_is_back_at_once_keeps_what_is_in_ram(life: Life) -> None:
    """Another server may restore it as soon as it is in the trash, before its RAM is freed."""
    project_id = life.create()
    life.run(life.cognition.memories.put(project_id, "/memories/hot/a", b"new"))
    assert life.run(life.cognition.hot.forget(project_id)) is False
    assert (life.cognition.ram.hot(project_id) / "a").read_bytes() == b"new"
    life.run(life.store.trash.put(project_id))
    assert life.run(life.cognition.hot.forget(project_id)) is True
    assert not life.cognition.ram.hot(project_id).exists()


def test_a_removal_that_leaves_files_is_told_all_the_same(life: Life) -> None:
    """A directory on which another file system is mounted can't be removed, even by root."""
    project_id = life.create()
    life.run(life.cognition.hot.ensure(project_id))
    with mounted("size=1m", at=life.store.paths(project_id).repo / "busy"):
        with pytest.raises(FilesRemain) as caught:
            life.run(life.cognition.removal.delete(project_id))
        (deleted,) = life.events("project", "deleted", project_id)
        assert deleted.data["reason"] == "client"
        assert project_id not in life.run(life.cognition.hot.in_ram())
        assert caught.value.place.exists()
        life.check()
        assert caught.value.place.exists()
    life.check()  # tried again
    assert life.place(project_id) == "gone"


def test_who_asks_for_memory_makes_no_project(life: Life) -> None:
    project_id = life.create()
    life.run(life.cognition.removal.trash(project_id))
    with pytest.raises(NotFound):
        life.cognition.hot.of(project_id)
    assert life.place(project_id) == "trash"
    life.run(life.cognition.removal.restore(project_id))


def test_a_trash_that_was_removed_by_hand_is_made_again(life: Life) -> None:
    kept, project_id = life.create(), life.create()
    life.store.directory.trash.rmdir()
    life.run(life.cognition.removal.trash(project_id))
    assert life.place(project_id) == "trash"
    shutil.rmtree(life.store.directory.trash)
    life.store.directory.deleting.rmdir()
    life.run(life.cognition.reconcile.run())
    assert not life.check().failed and life.place(kept) == "root"
    life.run(life.cognition.removal.delete(kept))
    assert life.place(kept) == "gone"


def test_on_a_full_disk_it_is_said_what_needs_no_room() -> None:
    with mounted("size=4m") as disk:
        life = Life(disk / "root")
        try:
            project_id, trashed = life.create(), life.create()
            life.run(life.cognition.removal.trash(trashed))
            fill_up(disk)
            with pytest.raises(StorageFull, match="permanent=true"):
                life.run(life.cognition.removal.trash(project_id))
            with pytest.raises(StorageFull, match="stays in the trash"):
                life.run(life.cognition.removal.restore(trashed))
            assert (life.place(project_id), life.place(trashed)) == ("root", "trash")
            life.run(life.cognition.removal.delete(project_id))
            assert life.place(project_id) == "gone"
        finally:
            life.close()


def fill_up(disk: Path) -> None:
    """Leave not a byte of it."""
    with (disk / "filler").open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC
                size //= 2


def test_a_copy_among_the_projects_keeps_nothing_in_the_trash(life: Life) -> None:
    project_id = life.create()
    life.run(life.cognition.removal.trash(project_id))
    trashed, copy = (top / project_id for top in (life.store.directory.trash, life.base / "root"))
    shutil.copytree(trashed, copy)
    life.run(life.cognition.memories.put(project_id, "/memories/hot/a", b"of the copy"))
    life.pass_by(days=7)
    would, done = life.check(dry=True).document, life.check().document
    assert would == done and [case["project_id"] for case in done["deleted"]] == [project_id]
    assert copy.exists() and not trashed.exists()
    assert (life.cognition.ram.hot(project_id) / "a").read_bytes() == b"of the copy"


def test_some_that_delete_at_once(life: Life) -> None:
    """The others may be quicker at any moment: just before a lock in its folder is opened, too."""

    async def delete(project_id: str) -> None:
        await life.cognition.hot.ensure(project_id)
        trash = life.cognition.removal.trash
        found = await asyncio.gather(*(trash(project_id) for _ in range(4)), return_exceptions=True)
        assert found.count(True) == 1, found
        for late in found:
            assert late is True or isinstance(late, (NotFound, Conflict)), late

    for _ in range(30):
        life.run(delete(life.create()))
