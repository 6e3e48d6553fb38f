"""The trash: where deleted projects wait before they are really gone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import BrokenProject, Conflict, FilesRemain, NotFound
from ..models import Metadata, TrashReason, due_at
from .files import has_temporary_files, in_thread, in_tree_thread, remove_temporary_files
from .index import Entry
from .metadata import METADATA_FILE, read_metadata, write_metadata
from .naming import check_project_id, is_project_id
from .tree import remove_tree

if TYPE_CHECKING:
    from .store import ProjectStore


class Trash:
    """Takes projects out of a store, and gives them back. Every step is one rename."""

    def __init__(self, store: ProjectStore) -> None:
        self._store = store
        self._root = store.directory

    # -- reading ---------------------------------------------------------------------------

    @in_thread
    def get(self, project_id: str) -> Metadata:
        """The metadata of a project in the trash. Raises NotFound, BrokenProject."""
        return self._read(project_id)

    def _read(self, project_id: str) -> Metadata:
        try:
            return read_metadata(self._root.trash, project_id)
        except NotFound:
            raise NotFound(f"There is no project {project_id} in the trash.") from None

    @in_thread
    def select(
        self,
        prefix: str | None = None,
        tags: Iterable[str] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[Entry], int]:
        """Projects in the trash that match, the last deleted first, and how many match in all.

        One that can't be read is listed last, with the reason.
        """
        wanted = set(tags)
        found = [
            entry
            for entry in self._entries()
            if entry.project_id.rpartition("-")[0].startswith(prefix or "")
            and (not wanted or (entry.metadata and wanted & set(entry.metadata.tags)))
        ]
        return found[offset : None if limit is None else offset + limit], len(found)

    def _entries(self) -> list[Entry]:
        found = []
        for name in os.listdir(self._root.trash):
            try:
                found.append(Entry(name, self._read(name), None) if is_project_id(name) else None)
            except NotFound:
                continue
            except BrokenProject as error:
                found.append(Entry(name, None, error.message))
        return sorted(filter(None, found), key=_newest_first)

    @in_thread
    def due(self) -> list[str]:
        """Projects that have been in the trash for as long as they are kept, the oldest first."""
        return [
            e.project_id for e in self._entries()[::-1] if e.metadata and self.is_due(e.metadata)
        ]

    def is_due(self, metadata: Metadata) -> bool:
        """Whether it has been in the trash for as long as it is kept there."""
        return self.deletion_at(metadata) <= self._store.now()

    def deletion_at(self, metadata: Metadata) -> datetime:
        """When it goes for good."""
        return due_at(_since(metadata), self._store.trash_retention_days, None)

    def recover(self) -> None:
        """Remove what writers left that were killed in the middle of a restore. Waits."""
        for name in filter(is_project_id, os.listdir(self._root.trash)):
            file = self._root.trash / name / METADATA_FILE
            try:
                if not has_temporary_files(file):
                    continue
                with self._root.project_lock(name):
                    remove_temporary_files(file)
            except (FileNotFoundError, NotADirectoryError):
                continue

    # -- changing --------------------------------------------------------------------------

    @in_thread
    def put(
        self,
        project_id: str,
        reason: TrashReason = "client",
        wanted: Callable[[Metadata], bool] = lambda metadata: True,
    ) -> Metadata | None:
        """Move a project to the trash; None if it is not `wanted` there by its metadata now.

        Raises NotFound, BrokenProject, Conflict (`active_sessions`, `in_trash`).
        """
        target = self._root.trash / check_project_id(project_id)
        with self._root.lock():
            target.parent.mkdir(mode=0o700, exist_ok=True)  # somebody may have emptied it so
            if os.path.lexists(target):
                raise Conflict(f"{project_id} is in the trash already.", "in_trash")
            return self._put(project_id, target, reason, wanted)

    def _put(
        self,
        project_id: str,
        target: Path,
        reason: TrashReason,
        wanted: Callable[[Metadata], bool],
    ) -> Metadata | None:
        with self._store.locked(project_id):
            metadata = self._store.catalog.read(project_id)
            if not wanted(metadata):
                return None
            _check_idle(metadata)
            # A kill before the rename leaves it where it was; there the mark means nothing.
            metadata.trashed_at, metadata.trashed_reason = self._store.now(), reason
            self._store.catalog.write(metadata)
            self._move_out(project_id, target)
        return metadata

    @in_thread
    def note_size(self, project_id: str, size: int) -> None:
        """Record what a project in the trash takes on disk, in bytes. Raises as `get`."""
        with self._root.project_lock(project_id):
            metadata = self._read(project_id)
            metadata.trashed_bytes = size
            write_metadata(self._root.trash / project_id, metadata)

    @in_thread
    def restore(self, project_id: str) -> Metadata:
        """Bring a project back, which counts as an access.

        Raises NotFound, BrokenProject, Conflict (`project_exists`, `project_limit`).
        """
        source = self._root.trash / check_project_id(project_id)
        with self._root.lock(), self._root.project_lock(project_id):
            if os.path.lexists(self._root.path / project_id):
                raise Conflict(f"{project_id} is among the projects already.", "project_exists")
            metadata = self._read(project_id)
            self._store.check_limit()
            # A kill before the rename leaves it in the trash, as if deleted just now.
            metadata.trashed_at = metadata.trashed_reason = metadata.trashed_bytes = None
            metadata.last_accessed = self._store.now()
            write_metadata(source, metadata)
            self._store.catalog.move(project_id, source, self._root.path / project_id)
            self._store.catalog.record(metadata)
        return metadata

    def delete_now(self, project_id: str) -> None:
        """Remove a project for good, from the root or else from the trash; in this thread.

        Raises NotFound, BrokenProject, Conflict (`active_sessions`). Once it has begun the project
        does not come back: what a crash or an error (FilesRemain) keeps goes at the next start.
        """
        check_project_id(project_id)
        with self._root.lock():
            if os.path.lexists(self._root.path / project_id):
                doomed = self._take_from_root(project_id)
            else:
                doomed = self._take_from_trash(project_id, lambda metadata: True)
        self._remove(project_id, doomed)

    delete = in_tree_thread(delete_now)

    @in_tree_thread
    def expire(self, project_id: str) -> None:
        """Remove a project for good that has been in the trash for as long as it is kept there.

        A copy of it that somebody has put into the root is another matter. Raises NotFound when it
        is not there or not due (any more), BrokenProject, FilesRemain.
        """
        with self._root.lock():
            doomed = self._take_from_trash(project_id, self.is_due)
        self._remove(project_id, doomed)

    def _take_from_root(self, project_id: str) -> Path:
        with self._store.locked(project_id):
            _check_idle(self._store.catalog.read(project_id))
            doomed = self._doomed(project_id)
            self._move_out(project_id, doomed)
        return doomed

    def _take_from_trash(self, project_id: str, wanted: Callable[[Metadata], bool]) -> Path:
        with self._root.project_lock(project_id):
            try:
                metadata = self._read(project_id)
            except NotFound:
                raise NotFound(f"There is no project {project_id}.") from None
            if not wanted(metadata):
                raise NotFound(f"{project_id} is not due to be removed.")
            doomed = self._doomed(project_id)
            os.rename(self._root.trash / project_id, doomed)
        return doomed

    def _doomed(self, project_id: str) -> Path:
        return self._root.deleting / f"{project_id}.{secrets.token_hex(4)}"

    def _move_out(self, project_id: str, target: Path) -> None:
        self._store.catalog.move(project_id, self._root.path / project_id, target)
        self._store.catalog.index.remove(project_id)

    @staticmethod
    def _remove(project_id: str, doomed: Path) -> None:
        try:
            remove_tree(doomed)
        except OSError as error:
            raise FilesRemain(
                f"{project_id} is deleted, but files of it remain in {doomed} "
                f"({error.strerror}); their removal is tried again.",
                doomed,
            ) from None


def _since(metadata: Metadata) -> datetime:
    """When it came into the trash; where a kill took the mark, at its restoring."""
    return metadata.trashed_at or metadata.last_accessed


def _newest_first(entry: Entry) -> tuple[float, str]:
    time = _since(entry.metadata).timestamp() if entry.metadata else -1.0
    return -time, entry.project_id


def _check_idle(metadata: Metadata) -> None:
    if metadata.live_sessions:
        raise Conflict(
            f"{metadata.project_id} has live sessions; end them first or use force=true.",
            "active_sessions",
        )
