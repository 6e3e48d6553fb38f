"""Copying hot memory into a new generation, while containers go on changing it."""

from __future__ import annotations

import errno
import os
import stat
import time

from .compare import NAMED, Known, LeftOut
from .durable import FULL
from .manifest import (
    FILE,
    Damaged,
    Totals,
    directory_line,
    file_end,
    file_start,
    link_line,
    parse,
    quoted,
    skipped_line,
)
from .manifest_file import Writer
from .scan import Budget, Item, Limits, copy, in_turns, settled, walk
from .tree import Tree, open_regular, why

_ATTEMPTS = 4  # at a file that is written while it is read
_PAUSE = 0.002  # seconds between them
_NAME_REFUSED = (errno.EILSEQ, errno.EINVAL, errno.ENAMETOOLONG, errno.ENOENT)


class Build:
    """Copies `source` into `target`, the `files/` of a new generation.

    `previous` holds the copies of the lines in `known`, or is None when none may be shared.
    """

    def __init__(
        self, source: Tree, target: Tree, writer: Writer, known: Known, previous: Tree | None
    ) -> None:
        self._source = source
        self._target = target
        self._writer = writer
        self._known = known
        self._previous = previous
        self._budget = Budget(Limits())
        self.left_out = LeftOut()
        self.unstable: list[str] = []
        self.totals = Totals()

    def run(self, limits: Limits) -> None:
        """Copy everything and write its lines. Raises OSError when the disk fails."""
        self._budget = Budget(limits)
        for item in in_turns(walk(self._source, self._budget)):
            if item.status is None:
                self._leave_out(item.path, item.why)
            elif stat.S_ISDIR(item.status.st_mode):
                self._directory(item, item.status)
            elif stat.S_ISLNK(item.status.st_mode):
                self._link(item, item.status)
            else:
                self._file(item, item.status)
        self.totals.unnamed = self.left_out.unnamed

    def _leave_out(self, path: str, reason: str) -> None:
        if self.left_out.add(path, reason):
            self._writer.line(skipped_line(path, reason))
            self.totals.skipped += 1

    def _directory(self, item: Item, status: os.stat_result) -> None:
        try:
            parent = self._target.go(item.path.rpartition("/")[0])
            os.mkdir(item.name, 0o700, dir_fd=parent)
        except OSError as error:
            self._refused(item, error)
            return
        self._writer.line(directory_line(quoted(item.path), status))
        self.totals.directories += 1

    def _link(self, item: Item, status: os.stat_result) -> None:
        try:
            target = os.readlink(item.name, dir_fd=self._source.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            self._leave_out(item.path, why(error))
            return
        if no := self._budget.link(target):
            self._leave_out(item.path, no)
            return
        self._writer.line(link_line(quoted(item.path), status, target))
        self.totals.links += 1

    def _file(self, item: Item, status: os.stat_result) -> None:
        key = quoted(item.path)
        line = self._known.lines.get(key) if self._previous is not None else None
        if (
            line is not None
            and self._known.unchanged_by_times(line, key, status)
            and self._shared(item, status.st_size)
        ):
            self._add(line, status.st_size)
            return
        try:
            fd = open_regular(item.name, self._source.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            self._leave_out(item.path, why(error))
            return
        try:
            if line is None or not self._unchanged(fd, item, key, line):
                self._copy(fd, item, key, status.st_size)
        finally:
            os.close(fd)

    def _add(self, line: str, size: int) -> None:
        self._writer.line(line)
        self.totals.files += 1
        self.totals.bytes += size

    def _unchanged(self, fd: int, item: Item, key: str, line: str) -> bool:
        """Share the copy of the generation before if the content is still the same."""
        try:
            entry = parse(line)
        except Damaged:
            return False
        status, certain = settled(fd)
        if (entry.type, entry.size) != (FILE, status.st_size):
            return False
        digest = copy(fd, None, entry.size)[1]
        if digest != entry.sha256 or not _equal(status, os.fstat(fd)):
            return False
        if not self._shared(item, entry.size):
            return False
        start = file_start(key, status, entry.size, status.st_ctime_ns if certain else 0)
        self._add(start + file_end(digest), entry.size)
        return True

    def _shared(self, item: Item, size: int) -> bool:
        """Make the file a hard link to the copy in the generation before, if that can be done."""
        if self._previous is None:
            return False
        parent = item.path.rpartition("/")[0]
        try:
            source = self._previous.go(parent)
            copied = os.stat(item.name, dir_fd=source, follow_symlinks=False)
            if not stat.S_ISREG(copied.st_mode) or copied.st_size != size:
                return False
            os.link(
                item.name,
                item.name,
                src_dir_fd=source,
                dst_dir_fd=self._target.go(parent),
                follow_symlinks=False,
            )
        except OSError as error:
            if error.errno in FULL:
                raise
            return False  # too many links, or a file system that has none: it is copied
        return True

    def _copy(self, fd: int, item: Item, key: str, taken: int) -> None:
        """Copy a file until it is read without a change; `taken` is its part of the budget."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            parent = self._target.go(item.path.rpartition("/")[0])
            out = os.open(item.name, flags, 0o400, dir_fd=parent)
        except OSError as error:
            self._refused(item, error)
            return
        try:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    time.sleep(_PAUSE)
                    os.lseek(out, 0, os.SEEK_SET)
                    os.ftruncate(out, 0)
                os.lseek(fd, 0, os.SEEK_SET)
                status, certain = settled(fd)
                if status.st_size > taken and (no := self._budget.file(status.st_size - taken)):
                    os.unlink(item.name, dir_fd=parent)
                    self._leave_out(item.path, no)
                    return
                taken = max(taken, status.st_size)
                size, digest = copy(fd, out, status.st_size)
                stable = size == status.st_size and _equal(status, os.fstat(fd))
                if stable:
                    break
        finally:
            os.close(out)
        if not stable and len(self.unstable) < NAMED:
            self.unstable.append(item.path)
        start = file_start(key, status, size, status.st_ctime_ns if certain and stable else 0)
        self._add(start + file_end(digest, unstable=not stable), size)

    def _refused(self, item: Item, error: OSError) -> None:
        """The disk does not take the name: left out. Anything else ends the snapshot."""
        if error.errno not in _NAME_REFUSED:
            raise error
        self._leave_out(item.path, f"the disk does not take its name: {why(error)}")


def _equal(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )
