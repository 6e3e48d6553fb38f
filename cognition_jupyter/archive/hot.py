"""Hot memory on its way in: it becomes the first generation of the new project."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

from ..memory.paths import shown
from ..memory.snapshots.generations import FILES, directory_name
from ..memory.snapshots.manifest import (
    Damaged,
    Header,
    Totals,
    directory_line,
    file_end,
    file_start,
    link_line,
    quoted,
)
from ..memory.snapshots.manifest_file import NAME, Writer, read_back
from ..memory.snapshots.scan import Budget, Limits
from ..memory.snapshots.tree import Tree
from ..projects.files import fsync_directory
from .layout import Entry, Readable, refused
from .making import make_link, new_file, pour

FIRST = 1
REASON = "import"


class HotPart:
    """Builds generation 1 below `disk`; see memory/snapshots/manifest.py for the format."""

    def __init__(self, disk: Path, root_uuid: str, taken_ns: int) -> None:
        self._disk = disk
        try:
            taken_at = datetime.fromtimestamp(taken_ns / 10**9, timezone.utc)
        except (ValueError, OverflowError, OSError):
            raise refused("its hot memory has no time that can be read") from None
        self._header = Header(FIRST, taken_at, root_uuid, REASON, secrets.token_hex(16), 0)
        self._stack = ExitStack()
        self._budget = Budget(Limits())  # what a snapshot keeps at most
        self._totals = Totals()
        self._links: set[str] = set()

    def __enter__(self) -> HotPart:
        place = self._disk / directory_name(FIRST)
        place.mkdir(mode=0o700)
        (place / FILES).mkdir(mode=0o700)
        try:
            self._tree = self._stack.enter_context(Tree(place / FILES))
            self._fd = os.open(place / NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o400)
            self._stack.callback(os.close, self._fd)
            self._writer = Writer(self._fd, self._header)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _take(self, path: str, entry: Entry) -> None:
        why = self._budget.entry(path) or self._budget.file(entry.size)
        if not why and entry.target:
            why = self._budget.link(entry.target)
        if why:
            raise refused(f"{shown(entry.name)} does not fit into hot memory: {why}")
        if path in self._links:
            raise refused(f"{shown(entry.name)} is in it twice")

    def directory(self, path: str, entry: Entry) -> None:
        """Make a directory. How it is to be stands in the manifest only."""
        self._take(path, entry)
        parent, _, last = path.rpartition("/")
        os.mkdir(last, 0o700, dir_fd=self._tree.go(parent))
        fd = self._tree.go(path)
        os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        self._writer.line(directory_line(quoted(path), _with_mode(os.fstat(fd), entry.mode)))
        self._totals.directories += 1

    def link(self, path: str, entry: Entry) -> None:
        """A link stands in the manifest only; it is made for a moment, to see that it can be."""
        self._take(path, entry)
        parent, _, last = path.rpartition("/")
        folder = self._tree.go(parent)
        make_link(entry, last, folder)
        status = os.stat(last, dir_fd=folder, follow_symlinks=False)
        target = os.readlink(last, dir_fd=folder)
        os.unlink(last, dir_fd=folder)
        self._links.add(path)
        self._writer.line(link_line(quoted(path), status, target))
        self._totals.links += 1

    def file(self, path: str, entry: Entry, content: Readable) -> str:
        """Make a file."""
        self._take(path, entry)
        parent, _, last = path.rpartition("/")
        with new_file(last, self._tree.go(parent)) as fd:
            digest = pour(content, fd, entry)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
            status = _with_mode(os.fstat(fd), entry.mode)
            os.fchmod(fd, 0o400)
        self._writer.line(file_start(quoted(path), status, entry.size, 0) + file_end(digest))
        self._totals.files += 1
        self._totals.bytes += entry.size
        return digest

    def finish(self) -> None:
        """Write the end of the manifest, and read it back as a restore would."""
        try:
            self._writer.finish(self._totals)
            os.fsync(self._fd)
            read_back(self._fd, self._totals)
        except Damaged as error:
            raise refused(f"its hot memory can't be kept: {error}") from None
        fsync_directory(self._disk)


def _with_mode(status: os.stat_result, mode: int) -> os.stat_result:
    """The status as if the mode were that."""
    changed = stat.S_IFMT(status.st_mode) | mode & 0o777
    _, *rest = status[:10]
    return os.stat_result((changed, *rest), {"st_mtime_ns": status.st_mtime_ns})
