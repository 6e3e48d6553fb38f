"""Taking projects away: what else happens at that moment, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.exceptions import FilesRemain, NotFound
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
