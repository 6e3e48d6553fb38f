"""Which files belong together, and how to hold one so that nobody can swap it for another.

Between a look at a path and its use, code in a container can replace any directory of its project
by a link. A descriptor stays what it is: here everything is opened first, and where the descriptor
leads, which the kernel tells in /proc/self/fd, is looked at before it is used.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..exceptions import Forbidden
from ..projects.mount_table import is_below
from ..projects.naming import is_project_id
from ..projects.root import find_marked_root

REPO = "repo"


class LeadsOut(Forbidden):
    """A link or `..` leads out of the project, or the place is none for files."""

    code = "leads_out"


class Territory:
    """The server's directory, divided: each project's workspace, and all that is in no project."""

    def __init__(self, directory: str) -> None:
        self.directory = os.path.realpath(directory)
        self._given = os.path.abspath(directory)
        self._roots: tuple[str, ...] = ()

    def name(self, path: str) -> str:
        """`path` for a sentence: below the server's directory, not the whole of it."""
        return os.path.relpath(path, self._given) if is_below(path, self._given) else "The path"

    def part(self, path: str) -> str | None:
        """What `path`, taken literally, belongs to: a workspace, or None for no project.

        The root of projects and a project's own directory are each a part of their own. Raises
        LeadsOut for what is no place for files: the rest of a root, and outside of the directory.
        """
        if not is_below(path, self.directory):
            raise LeadsOut("It leads out of the server's directory.")
        root = self._root(path)
        if root is None:
            return None
        first, *rest = path[len(root) :].strip("/").split("/", 2)
        if first.startswith(".") or (is_project_id(first) and rest[:1] not in ([], [REPO])):
            raise LeadsOut("Of projects, only the workspaces are shown.")
        parts = [root, first, REPO] if is_project_id(first) and rest else [root, first]
        return "/".join(parts)

    def _root(self, path: str) -> str | None:
        """The outermost root of projects at or above `path`; one that was found stays."""
        for root in self._roots:
            if is_below(path, root):
                return root
        found = find_marked_root(Path(path))
        if found is None:
            return None
        self._roots = (*self._roots, str(found))
        return str(found)

    def of(self, path: str) -> str | None:
        """The part that `path` says it belongs to. Raises LeadsOut."""
        for directory in (self._given, self.directory):
            if is_below(path, directory):
                rest = os.path.normpath(path)[len(directory) :]
                return self.part(self.directory + rest)
        raise LeadsOut("It leads out of the server's directory.")

    def check(self, path: str) -> str:
        """Where `path` leads, links followed, if that is where it says. Raises LeadsOut."""
        real = os.path.realpath(path)
        self._compare(path, real)
        return real

    def _compare(self, path: str, real: str) -> None:
        try:
            same = self.of(path) == self.part(real)
        except LeadsOut as error:
            raise LeadsOut(f"{self.name(path)}: {error.message}") from None
        if not same:
            raise LeadsOut(f"{self.name(path)} leads out of its project.")

    def check_entry(self, path: str) -> None:
        """Raise LeadsOut for a workspace and what is above it: those are moved as projects."""
        if self.of(path) != self.of(os.path.dirname(path)):
            raise LeadsOut(f"{self.name(path)}: projects are made, moved and deleted as projects.")

    def _hold(self, path: str, flags: int) -> int:
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._compare(path, os.readlink(f"/proc/self/fd/{fd}"))
        except BaseException:
            os.close(fd)
            raise
        return fd

    @contextmanager
    def folder(self, path: str) -> Iterator[int]:
        """A descriptor of the directory `path`."""
        fd = self._hold(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def entry(self, path: str) -> Iterator[tuple[int, str]]:
        """A descriptor of the directory that `path` is in, and its name there.

        To make, move or remove it. What goes by this name may be a link: don't follow it.
        """
        self.check_entry(path)
        parent, name = os.path.split(path)
        with self.folder(parent) as folder:
            yield folder, name

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of the existing file `path`. Raises LeadsOut, OSError."""
        # First only a handle: to open a device, say, can have effects.
        fd = self._hold(path, os.O_PATH)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise LeadsOut(f"{self.name(path)} is no regular file.")
            return os.open(f"/proc/self/fd/{fd}", flags | os.O_CLOEXEC)
        finally:
            os.close(fd)
