"""Comparing hot memory with the newest generation, without copying anything."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import NamedTuple

from .generations import Generation
from .manifest import (
    FILE,
    Damaged,
    directory_start,
    file_start,
    is_skipped,
    link_line,
    parse,
    quoted,
)
from .manifest_file import Lines
from .scan import Budget, Item, Limits, copy, in_turns, walk
from .tree import Tree, open_regular, why

# A store through a memory mapping need not change the times of a file on tmpfs, so times are
# believed only below the size that is worth mapping; a thorough snapshot believes none.
BELIEVED = 4096
NAMED = 1000


class Skipped(NamedTuple):
    """What was left out of a snapshot, and why."""

    path: str
    why: str


@dataclass
class LeftOut:
    """What a walk left out: the first by name, the others counted."""

    named: list[Skipped] = field(default_factory=list)
    unnamed: int = 0

    def add(self, path: str, reason: str) -> bool:
        """Note it; whether it is named."""
        if len(self.named) < NAMED:
            self.named.append(Skipped(path, reason))
            return True
        self.unnamed += 1
        return False


class Known:
    """The lines of the newest generation by their quoted path."""

    def __init__(self, generation: Generation | None, incarnation: str, thorough: bool) -> None:
        self.lines = Lines()
        self.damaged = False
        self._trusted = False
        if generation is None:
            return
        self._trusted = generation.header.incarnation == incarnation and not thorough
        try:
            some_skipped = generation.totals.skipped > 0
            for line in generation.reader.lines():
                if not (some_skipped and is_skipped(line)):
                    self.lines.add(line)
        except Damaged:
            self.lines = Lines()  # not written by us: nothing in it can be shared,
            self.damaged = True  # and an empty directory is something else

    def unchanged_by_times(self, line: str, key: str, status: os.stat_result) -> bool:
        """Whether size, times and inode of a small file are the same and can be believed."""
        size = status.st_size
        if not self._trusted or size >= BELIEVED:
            return False
        return line.startswith(file_start(key, status, size, status.st_ctime_ns))

    def clear(self) -> None:
        """Let go of the lines bit by bit."""
        for _ in self.lines.drain():
            pass


def differs(source: Tree, known: Known, limits: Limits, left_out: LeftOut) -> bool:
    """Whether `source` holds anything else than `known`; stops at the first difference."""
    if known.damaged:
        return True
    matched = 0
    budget = Budget(limits)
    for item in in_turns(walk(source, budget)):
        if item.status is None:
            left_out.add(item.path, item.why)
            continue
        key = quoted(item.path)
        line = known.lines.get(key)
        try:
            if stat.S_ISLNK(item.status.st_mode):
                target = os.readlink(item.name, dir_fd=source.fd)
                if no := budget.link(target):
                    left_out.add(item.path, no)
                    continue
                same = line == link_line(key, item.status, target)
            else:
                same = _same(source, item, item.status, key, line, known)
        except FileNotFoundError:
            continue
        except OSError as error:
            left_out.add(item.path, why(error))
            continue
        except Damaged:
            return True
        if not same:
            return True
        matched += 1
    return matched != len(known.lines)


def _same(
    source: Tree, item: Item, status: os.stat_result, key: str, line: str | None, known: Known
) -> bool:
    """Whether what is there is what the line says. Raises OSError when it can't be read."""
    if stat.S_ISDIR(status.st_mode):
        return line is not None and line.startswith(directory_start(key, status))
    if line is not None and known.unchanged_by_times(line, key, status):
        return True
    fd = open_regular(item.name, source.fd)
    try:
        if line is None:
            return False
        entry = parse(line)
        there = (FILE, stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_size)
        if there != (entry.type, entry.mode, entry.mtime_ns, entry.size):
            return False
        return copy(fd, None, entry.size)[1] == entry.sha256
    finally:
        os.close(fd)
