"""The catalog: the index kept in step with the metadata files, whoever wrote them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..exceptions import BrokenProject, NotFound
from ..models import Metadata
from .files import fsync_directory, unlock
from .index import Index
from .metadata import read_metadata, remove_temporary_files, signature, write_metadata
from .naming import is_project_id
from .root import Root


class Catalog:
    """All writes of metadata go through here. Its methods wait for the disk."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self.index = Index(root.private / "index.sqlite3")

    def read(self, project_id: str) -> Metadata:
        """The project's metadata as it is on disk now. Raises NotFound, BrokenProject."""
        return read_metadata(self._root.path, project_id)

    def write(self, metadata: Metadata) -> None:
        """Write the metadata; the caller holds the project's lock."""
        project_id = metadata.project_id
        self.index.mark_dirty(project_id)
        write_metadata(self._root.path / project_id, metadata)
        self.record(metadata)

    def record(self, metadata: Metadata) -> None:
        """Take what was just written, or has just appeared, into the index."""
        found = signature(self._root.path / metadata.project_id)
        self.index.record(metadata.project_id, found or "", metadata)

    @contextmanager
    def moving(self, project_id: str) -> Iterator[None]:
        """Around the rename that brings a project into the root or takes it out.

        The caller holds the root's lock.
        """
        before = self._mtime()
        self.index.mark_dirty(project_id)
        yield
        fsync_directory(self._root.path)
        # A change just before that was not ours: keep the old fact, so that a sweep follows.
        if self.index.fact("root_mtime") == before:
            self.index.set_fact("root_mtime", self._mtime())

    def catch_up(self) -> None:
        """See what other processes wrote, and directories that came or went by hand."""
        if self.index.fact("root_mtime") != self._mtime():
            self.sweep()
        for project_id in self.index.dirty():
            self._reread(project_id)

    def sweep(self) -> None:
        """Compare every project with the index; finds what was edited by hand, too."""
        mtime = self._mtime()
        known = self.index.signatures()
        with os.scandir(self._root.path) as entries:
            present = {entry.name for entry in entries if is_project_id(entry.name)}
        for project_id in present:
            found = signature(self._root.path / project_id)
            if known.get(project_id) != found or found == "unreadable":
                self._reread(project_id)
        for project_id in known.keys() - present:
            self._reread(project_id)
        self.index.set_fact("root_mtime", mtime)

    def remove_temporary_files(self) -> None:
        """Remove what killed writers left; their projects are still marked dirty."""
        for project_id in self.index.dirty():
            held = self._root.try_project_lock(project_id)
            if held is not None:
                remove_temporary_files(self._root.path / project_id)
                unlock(*held)

    def _mtime(self) -> str:
        return str(os.stat(self._root.path).st_mtime_ns)

    def _reread(self, project_id: str) -> None:
        """Bring the index up to the file, unless a writer is at it: that one will record it."""
        held = self._root.try_project_lock(project_id)
        if held is None:
            return
        try:
            found = signature(self._root.path / project_id)
            if found is None:
                self.index.remove(project_id)
                return
            try:
                self.index.record(project_id, found, self.read(project_id))
            except NotFound:
                self.index.remove(project_id)
            except BrokenProject as error:
                self.index.record_broken(project_id, found, error.message)
        finally:
            unlock(*held)


def trashed(root: Root) -> list[Metadata]:
    """Metadata of the projects in the trash, newest access first; unreadable ones are left out."""
    found = []
    for path in Path(root.trash).iterdir():
        if is_project_id(path.name):
            try:
                found.append(read_metadata(root.trash, path.name))
            except (NotFound, BrokenProject):
                continue
    return sorted(found, key=lambda metadata: metadata.last_accessed, reverse=True)
