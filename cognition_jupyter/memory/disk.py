"""How much a tree takes on disk. The tree is hostile, and the answer has a price that is known."""

from __future__ import annotations

import math
import os
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .directory import Directory
from .walk import Budget, Spent, walk

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
    budget, counted = Budget(most_entries, seconds), _Counted()
    try:
        top = os.stat(path, follow_symlinks=False)
        budget.visit()
        counted.add(top)
        if stat.S_ISDIR(top.st_mode):
            _count(Directory(path), top.st_dev, budget, counted)
    except FileNotFoundError:
        pass
    except (Spent, OSError):
        return DiskUsage(counted.bytes, counted.entries, False)
    return DiskUsage(counted.bytes, counted.entries, budget.reason is None)


def _count(tree: Directory, device: int, budget: Budget, counted: _Counted) -> None:
    with closing(walk(tree, (), True, lambda state, _: state, budget, directories=True)) as steps:
        for _, _, entry, _ in steps:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                budget.failed(error)
                counted.entries += 1
                continue
            if status.st_dev == device:
                counted.add(status)


class _Counted:
    """What has been counted so far."""

    def __init__(self) -> None:
        self.bytes = 0
        self.entries = 0
        self._linked: set[tuple[int, int]] = set()

    def add(self, status: os.stat_result) -> None:
        self.entries += 1
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            if identity in self._linked:
                return
            self._linked.add(identity)
        self.bytes += status.st_blocks * _BLOCK
