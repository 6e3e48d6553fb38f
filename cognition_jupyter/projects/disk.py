"""How much a tree takes on disk. The tree is hostile, and the answer has a price that is known."""

from __future__ import annotations

import math
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 512  # bytes; what `st_blocks` counts in, whatever the file system


@dataclass(frozen=True)
class DiskUsage:
    """What a tree takes: blocks rather than lengths, a file with several names once.

    `entries` were looked at. `complete` is false when there is more than that: the budget was
    spent, something may not be read, or was moved while we were in it.
    """

    bytes: int = 0
    entries: int = 0
    complete: bool = True


def disk_usage(path: Path, most_entries: int, seconds: float = math.inf) -> DiskUsage:
    """What `path` and all below it take on its file system; nothing, where it is missing.

    Follows no link, opens nothing but directories, and looks at no more than `most_entries` entries
    and for about `seconds`. Whatever the tree does, it raises nothing. Waits for the disk.
    """
    walk = _Walk(most_entries, time.monotonic() + seconds)
    try:
        walk.top(path)
    except _Spent:
        walk.complete = False
    return DiskUsage(walk.bytes, walk.entries, walk.complete)


class _Spent(Exception):
    """The budget is spent, or there is no way on."""


class _Walk:
    """Goes down by names and up by `..`, so that one descriptor does for any depth."""

    def __init__(self, most_entries: int, deadline: float) -> None:
        self.bytes = 0
        self.entries = 0
        self.complete = True
        self._most = most_entries
        self._deadline = deadline
        self._linked: set[tuple[int, int]] = set()
        self._folder = -1  # where we are
        self._device = 0

    def top(self, path: Path) -> None:
        try:
            status = os.stat(path, follow_symlinks=False)
            self._visit()
            self._count(status)
            if not stat.S_ISDIR(status.st_mode):
                return
            self._folder = os.open(path, _FOLDER)
        except OSError as error:
            self._failed(error)
            return
        try:
            self._device = status.st_dev
            self._below()
        finally:
            os.close(self._folder)

    def _below(self) -> None:
        # Of each directory from the top to where we are: which it is, and what is still to enter.
        levels = [(_identity(self._folder), self._list())]
        while levels:
            identity, pending = levels[-1]
            if not pending:
                levels.pop()
                if levels:
                    self._move(self._up(levels[-1][0]))
                continue
            try:
                inner = self._enter(pending.pop(), identity)
            except OSError as error:
                self._failed(error)
                continue
            self._move(inner)
            levels.append((_identity(inner), self._list()))

    def _list(self) -> list[str]:
        """Count what is here; the directories among it that are on the same file system."""
        inner = []
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    self._visit()
                    try:
                        status = os.stat(entry.name, dir_fd=self._folder, follow_symlinks=False)
                    except OSError as error:
                        self._failed(error)
                        continue
                    if status.st_dev != self._device:
                        continue
                    self._count(status)
                    if stat.S_ISDIR(status.st_mode):
                        inner.append(entry.name)
        except OSError as error:
            self._failed(error)
        return inner

    def _enter(self, name: str, here: tuple[int, int]) -> int:
        """The directory `name`, if there is a way back out of it. Raises OSError."""
        inner = os.open(name, _FOLDER, dir_fd=self._folder)
        try:
            # One that may be listed and not be passed through would keep us.
            above = os.stat("..", dir_fd=inner)
            if (above.st_dev, above.st_ino) != here:
                raise OSError("moved meanwhile")
        except OSError:
            os.close(inner)
            raise
        return inner

    def _up(self, expected: tuple[int, int]) -> int:
        """The directory above, if we were not moved away from it meanwhile. Raises _Spent."""
        try:
            above = os.open("..", _FOLDER, dir_fd=self._folder)
        except OSError:
            raise _Spent from None
        if _identity(above) != expected:
            os.close(above)
            raise _Spent
        return above

    def _move(self, folder: int) -> None:
        os.close(self._folder)
        self._folder = folder

    def _visit(self) -> None:
        if self.entries >= self._most or time.monotonic() > self._deadline:
            raise _Spent
        self.entries += 1

    def _count(self, status: os.stat_result) -> None:
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            if identity in self._linked:
                return
            self._linked.add(identity)
        self.bytes += status.st_blocks * _BLOCK

    def _failed(self, error: OSError) -> None:
        # What has just gone takes nothing.
        if not isinstance(error, FileNotFoundError):
            self.complete = False


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
