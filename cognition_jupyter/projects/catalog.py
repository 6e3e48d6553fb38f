"""The catalog: the index kept in step with the metadata files, whoever wrote them."""

from __future__ import annotations

import os
from pathlib import Path

from ..exceptions import BrokenProject, NotFound
from ..models import Metadata
from .files import fsync_directory, remove_temporary_files, unlock
from .index import Index
from .metadata import METADATA_FILE, read_metadata, signature, write_metadata
from .naming import is_project_id
from .root import Root


class Catalog:
    """All writes of metadata go through here. Its methods wait for the disk."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self.index = Index(root.private / "index.sqlite3", root.index_lock, self.sweep)

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
        self.index.record(metadata.project_id, found, metadata)

    def move(self, project_id: str, source: Path, target: Path) -> None:
        """Bring a project into the root or take it out, durably.

        The caller holds the root's lock and the project's, and then tells the index.
        """
        before = self._state()
        self.index.mark_dirty(project_id)
        os.rename(source, target)
        after = self._state()
        for directory in {target.parent, self._root.path}:
            fsync_directory(directory)
        # A change just before that was not ours: keep the old fact, so that a sweep follows.
        if self.index.fact("root_state") == before:
            self.index.set_fact("root_state", after)

    def catch_up(self) -> None:
        """See what other processes wrote, and directories that came or went by hand."""
        if self.index.in_memory or self.index.fact("root_state") != self._state():
            self.sweep()  # nobody marks anything dirty in our memory
        for project_id in self.index.dirty():
            self._reread(project_id)

    def sweep(self) -> None:
        """Compare every project with the index; finds what was edited by hand, too."""
        state = self._state()
        known = self.index.signatures()
        present, changed = set(), []
        with os.scandir(self._root.path) as entries:
            for entry in entries:
                if not is_project_id(entry.name):
                    continue
                present.add(entry.name)
                recorded = known.get(entry.name)
                if (
                    recorded is None
                    or not entry.is_dir(follow_symlinks=False)
                    or recorded != signature(entry.path)
                ):
                    changed.append(entry.name)
        for project_id in (*changed, *(known.keys() - present)):
            self._reread(project_id)
        self.index.set_fact("root_state", state)

    def _state(self) -> str:
        """Changes when a directory comes or goes.

        The number of links counts the directories, for those within one tick of the clock.
        """
        status = os.stat(self._root.path)
        return f"{status.st_mtime_ns}:{status.st_nlink}"

    def _reread(self, project_id: str) -> None:
        """Bring the index up to the file, unless a writer is at it: that one will record it."""
        held = self._root.try_project_lock(project_id)
        if held is None:
            self.index.mark_dirty(project_id)  # should that writer die, we come back
            return
        try:
            path = self._root.path / project_id
            found = signature(path)
            metadata = self.read(project_id)
            remove_temporary_files(path / METADATA_FILE)
            self.index.record(project_id, found, metadata)
        except NotFound:
            self.index.remove(project_id)
        except BrokenProject as error:
            self.index.record_broken(project_id, error.message)
        finally:
            unlock(*held)
