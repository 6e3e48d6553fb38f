"""Taking projects away: what else happens at that moment, and what is told of it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.exceptions import FilesRemain, NotFound, StorageFull
from cognition_jupyter.projects import trash

from .life import Life


@pytest.fixture
def life() -> Iterator[Life]:
    made = Life()
    yield made
    made.close()


def test_a_project_that_is_back_at_once_keeps_what_is_in_ram(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server may restore it as soon as it is in the trash."""
    project_id = life.create()
    put = life.store.trash.put

    async def put_and_restore(*args: Any) -> Any:
        moved = await put(*args)
        await life.cognition.removal.restore(project_id)
        await life.cognition.memories.put(project_id, "/memories/hot/a", b"new")
        return moved

    monkeypatch.setattr(life.store.trash, "put", put_and_restore)
    life.run(life.cognition.removal.trash(project_id))
    assert life.place(project_id) == "root"
    assert (life.cognition.ram.hot(project_id) / "a").read_bytes() == b"new"


def test_a_removal_that_leaves_files_is_told_all_the_same(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id = life.create()
    life.run(life.cognition.hot.ensure(project_id))

    def refuse(path: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(trash, "remove_tree", refuse)
    monkeypatch.setattr("cognition_jupyter.maintenance.remains.remove_tree", refuse)
    with pytest.raises(FilesRemain):
        life.run(life.cognition.removal.delete(project_id))
    (deleted,) = life.events("project", "deleted", project_id)
    assert deleted.data["reason"] == "client"
    assert project_id not in life.run(life.cognition.hot.in_ram())


def test_who_asks_for_memory_makes_no_project(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look whether it is there and the next step it may have gone to the trash."""
    project_id = life.create()
    life.run(life.cognition.removal.trash(project_id))
    monkeypatch.setattr(Path, "is_dir", lambda path: True)
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


def test_on_a_full_disk_it_is_said_what_needs_no_room(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_id, trashed = life.create(), life.create()
    life.run(life.cognition.removal.trash(trashed))

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cognition_jupyter.projects.metadata.write_durably", full)
    with pytest.raises(StorageFull, match="permanent=true"):
        life.run(life.cognition.removal.trash(project_id))
    with pytest.raises(StorageFull, match="stays in the trash"):
        life.run(life.cognition.removal.restore(trashed))
    assert (life.place(project_id), life.place(trashed)) == ("root", "trash")
    life.run(life.cognition.removal.delete(project_id))
    assert life.place(project_id) == "gone"


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


def test_two_that_delete_at_once(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one may be quicker just before the lock in the project's folder is opened."""
    project_id = life.create()
    life.run(life.cognition.hot.ensure(project_id))

    async def too_late(project_id: str) -> bool:
        await life.store.trash.put(project_id)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(life.cognition.hot, "release", too_late)
    with pytest.raises(NotFound):
        life.run(life.cognition.removal.trash(project_id))
