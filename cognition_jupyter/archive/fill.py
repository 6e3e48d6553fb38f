"""Filling the parts of a project on its way in, entry by entry; whatever the names, only there."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import ExitStack
from typing import Protocol

from ..exceptions import InvalidInput
from ..memory.paths import shown
from ..memory.snapshots.durable import sync_tree
from ..memory.snapshots.tree import Tree
from ..projects.stage import ProjectPaths
from .hot import HotPart
from .layout import (
    DEPS,
    DIRECTORY,
    FILE,
    HOT,
    LINK,
    LOGS,
    PERSISTENT,
    REPO,
    Entry,
    Readable,
    is_journal,
    refused,
    split,
)
from .making import make_link, new_file, pour

_REFUSED = {
    errno.EEXIST: "is in it twice",
    errno.ENOTDIR: "passes through what is no directory",
    errno.ELOOP: "passes through a link",
    errno.ENOENT: "comes before its directory, or has no name",
    errno.ENAMETOOLONG: "has a name that is too long for the disk",
    errno.EILSEQ: "has a name that the disk does not take",
    errno.EINVAL: "has a name or a time that the disk does not take",
    errno.EFBIG: "is too large for the disk",
    errno.EOVERFLOW: "has a time that the disk does not take",
}


class Part(Protocol):
    """Where the entries of one part go. Paths are relative to it."""

    def directory(self, path: str, entry: Entry) -> None:
        """Make a directory."""

    def link(self, path: str, entry: Entry) -> None:
        """Make a symbolic link; it is never looked where it leads."""

    def file(self, path: str, entry: Entry, content: Readable) -> str:
        """Make a file; returns its SHA-256."""

    def finish(self) -> None:
        """Nothing more will come for this part."""


class Filling:
    """Puts entries into the parts of the new, empty project at `paths`. Waits for the disk."""

    def __init__(self, paths: ProjectPaths, root_uuid: str) -> None:
        self._paths = paths
        self._root_uuid = root_uuid
        self._stack = ExitStack()
        self._part: Part | None = None
        self._name = ""
        self._seen: set[str] = set()

    def __enter__(self) -> Filling:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, entry: Entry, content: Readable | None) -> str:
        """Put an entry where it belongs; returns the SHA-256 of a file, or ''.

        Raises InvalidInput for one that has no place, OSError.
        """
        part, path = split(entry.name)
        if not path:
            self._begin(part, entry)
            return ""
        if part != self._name or self._part is None:
            raise refused(f"{shown(entry.name)} comes before its directory, or after another part")
        try:
            if entry.type == DIRECTORY:
                self._part.directory(path, entry)
            elif entry.type == LINK:
                self._part.link(path, entry)
            else:
                assert entry.type == FILE and content is not None
                return self._part.file(path, entry, content)
        except OSError as error:
            raise _explained(entry.name, error) from None
        return ""

    def _begin(self, part: str, entry: Entry) -> None:
        if entry.type != DIRECTORY:
            raise refused(f"{part} is no directory")
        if part in self._seen:
            raise refused(f"{part} is in it twice")
        self._end_part()
        self._seen.add(part)
        self._name = part
        tops = {
            PERSISTENT: self._paths.persistent,
            REPO: self._paths.repo,
            DEPS: self._paths.deps,
            LOGS: self._paths.logs,
        }
        if part == HOT:
            hot = HotPart(self._paths.snapshots, self._root_uuid, entry.mtime_ns)
            self._part = self._stack.enter_context(hot)
        else:
            tree = self._stack.enter_context(Tree(tops[part]))
            scratch = tempfile.TemporaryFile(dir=self._paths.project / "tmp")  # noqa: SIM115
            self._stack.enter_context(scratch)
            self._part = (LogsPart if part == LOGS else PlainPart)(tree, scratch, entry)

    def _end_part(self) -> None:
        if self._part is not None:
            self._part.finish()
        self._stack.close()
        self._part = None

    def finish(self) -> None:
        """All is there: get it onto the disk. Raises OSError, InvalidInput."""
        self._end_part()
        with Tree(self._paths.project) as tree:
            sync_tree(tree)


def _explained(name: str, error: OSError) -> InvalidInput | OSError:
    why = _REFUSED.get(error.errno or 0)
    return error if why is None else refused(f"{shown(name)} {why}")


class _Scratch(Protocol):
    def write(self, data: bytes, /) -> int: ...
    def seek(self, at: int, /) -> int: ...
    def read(self, size: int, /) -> bytes: ...
    def readline(self) -> bytes: ...


class PlainPart:
    """A part whose files stand there as they are.

    Modes and times of directories come at the end, from `scratch`: filling changes the time, and a
    mode may forbid to go in.
    """

    def __init__(self, tree: Tree, scratch: _Scratch, top: Entry) -> None:
        self._top = top
        self._tree = tree
        self._scratch = scratch

    def directory(self, path: str, entry: Entry) -> None:
        """Make a directory."""
        parent, _, last = path.rpartition("/")
        os.mkdir(last, 0o700, dir_fd=self._tree.go(parent))
        raw = os.fsencode(path)
        head = f"{entry.mode & 0o777} {entry.mtime_ns} {len(raw)}\n".encode()
        self._scratch.write(head + raw)

    def link(self, path: str, entry: Entry) -> None:
        """Make a symbolic link."""
        parent, _, last = path.rpartition("/")
        make_link(entry, last, self._tree.go(parent))

    def file(self, path: str, entry: Entry, content: Readable) -> str:
        """Make a file."""
        parent, _, last = path.rpartition("/")
        with new_file(last, self._tree.go(parent)) as fd:
            digest = pour(content, fd, entry)
            os.fchmod(fd, entry.mode & 0o777)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        return digest

    def finish(self) -> None:
        """Give the directories their modes and times."""
        self._scratch.seek(0)
        while head := self._scratch.readline():
            mode, mtime_ns, size = map(int, head.split())
            path = os.fsdecode(self._scratch.read(size))
            fd = self._tree.go(path)
            os.utime(fd, ns=(mtime_ns, mtime_ns))
            os.fchmod(fd, mode)
        # The mode of the part itself is ours, whatever became of it in the other project.
        os.utime(self._tree.go(""), ns=(self._top.mtime_ns, self._top.mtime_ns))


class LogsPart(PlainPart):
    """Journals of the sessions that were: nothing else is there, and nobody looks for it."""

    def directory(self, path: str, entry: Entry) -> None:
        """Refuse."""
        raise refused(f"{shown(entry.name)} is no journal")

    link = directory

    def file(self, path: str, entry: Entry, content: Readable) -> str:
        """Make a file."""
        if not is_journal(path):
            raise refused(f"{shown(entry.name)} is no journal")
        return super().file(path, entry, content)
