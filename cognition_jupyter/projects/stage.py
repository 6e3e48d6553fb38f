"""A project on its way in: made beside the others, and renamed into the root when it is whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .files import fsync_directory, unlock
from .naming import new_project_id
from .root import Root
from .tree import give_tree, remove_tree


@dataclass(frozen=True)
class ProjectPaths:
    """Where the parts of one project are. Only the last three fields are ever mounted."""

    project: Path
    repo: Path
    persistent: Path
    deps: Path

    @classmethod
    def under(cls, project: Path) -> ProjectPaths:
        """The parts of the project in directory `project`."""
        return cls(project, project / "repo", project / ".memories/persistent", project / ".deps")

    @property
    def snapshots(self) -> Path:
        """Where the generations of hot memory are."""
        return self.project / ".memories/hot"

    @property
    def logs(self) -> Path:
        """Where the journals of its sessions are."""
        return self.project / ".logs"

    @property
    def agent(self) -> Path:
        """Where an agent keeps its conversations."""
        return self.project / ".agent"

    @property
    def mounted(self) -> tuple[Path, Path, Path]:
        """The parts that belong to the user that sessions run as."""
        return self.repo, self.persistent, self.deps


class Stage:
    """A directory in `incoming/` and the project's lock, which says that its maker is alive.

    All methods but the constructor wait for the disk.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._held: tuple[Path, int] | None = None
        self.project_id = ""

    @property
    def paths(self) -> ProjectPaths:
        """Where its parts are now."""
        return ProjectPaths.under(self._root.incoming / self.project_id)

    def begin(self, prefix: str) -> None:
        """Choose a free id, lock it and make the directories."""
        places = (self._root.path, self._root.trash, self._root.incoming)
        while self._held is None:
            project_id = new_project_id(prefix)
            self._held = self._root.try_project_lock(project_id)
            if any(os.path.lexists(place / project_id) for place in places):
                self.release()
        self.project_id = project_id
        project = self.paths.project
        for directory in (project, project / ".memories", *self.paths.mounted):
            directory.mkdir(mode=0o700)
        for name in (".memories/hot", ".logs", ".agent", "tmp"):
            (project / name).mkdir(mode=0o700)

    def is_gone(self) -> bool:
        """Whether it was renamed into the root."""
        return bool(self.project_id) and not os.path.lexists(self.paths.project)

    def finish(self, user: tuple[int, int]) -> None:
        """Give the mounted parts to the user that sessions run as."""
        if os.geteuid() == 0:
            for directory in self.paths.mounted:
                give_tree(directory, *user)
        fsync_directory(self.paths.project / ".memories")

    def discard(self) -> None:
        """Remove what has not appeared, and let go of the id."""
        try:
            if self.project_id:
                remove_tree(self.paths.project)
        finally:
            self.release()

    def release(self) -> None:
        """Let others at the project."""
        if self._held is not None:
            unlock(*self._held)
            self._held = None
