"""A walk through a hostile tree: any depth, any number of entries, changed on the way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from .directory import Directory, Parts, open_folder_in
from .shapes import Reason, Usage

S = TypeVar("S")
# The open directory it is in, the components below the top, the entry, its directory's state.
Step = tuple[int, Parts, os.DirEntry[str], S]

# Directories kept open on the way down; deeper trees reopen them on the way up.
_KEPT_OPEN = 32
_TIME_STEP = 256  # entries between two looks at the clock


class Spent(Exception):
    """The budget is spent: `Budget.reason` says of what."""


class Budget:
    """What a search may cost in all. Methods raise Spent."""

    def __init__(self, visited: int, seconds: float, scanned_bytes: int = 0) -> None:
        self._visited = visited
        self._bytes = scanned_bytes
        self._deadline = time.monotonic() + seconds
        self.spent: Reason | None = None
        self.unreadable = False

    @property
    def reason(self) -> Reason | None:
        """Why a result is not the whole; what no narrower question would mend goes first."""
        return "unreadable" if self.unreadable else self.spent

    def stop(self, reason: Reason) -> Spent:
        """The exception to raise."""
        self.spent = reason
        return Spent()

    def visit(self) -> None:
        """One more entry was looked at."""
        self._visited -= 1
        if self._visited < 0:
            raise self.stop("limit")
        if self._visited % _TIME_STEP == 0:
            self.check_time()

    def scan(self, count: int) -> None:
        """So many bytes were read."""
        self._bytes -= count
        if self._bytes < 0:
            raise self.stop("limit")
        self.check_time()

    def check_time(self) -> None:
        """Look at the clock."""
        if time.monotonic() > self._deadline:
            raise self.stop("time")


@dataclass
class _Level(Generic[S]):
    """A directory on the way from the top to where we are."""

    parts: Parts
    fd: int | None
    pending: list[tuple[str, S]]

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def walk(
    tree: Directory,
    parts: Parts,
    state: S,
    enter: Callable[[S, Parts], S | None],
    budget: Budget,
) -> Generator[Step[S], None, None]:
    """Everything below the directory `parts` of `tree` that is no directory itself.

    `enter` answers for a directory, given its parent's state and its components, with
    its own state, None to pass it by. What vanishes or is swapped on the way is passed by; what may
    not be read is noted in the budget. Raises OSError for `parts` itself, and Spent. To be closed.
    """
    levels = [_Level[S]((), tree.open(parts), [])]
    try:
        yield from _list(levels[0], state, enter, budget)
        while levels:
            level = levels[-1]
            if not level.pending:
                level.close()
                levels.pop()
                continue
            name, state = level.pending.pop()
            deeper = (*level.parts, name)
            try:
                if level.fd is None:
                    level.fd = tree.open(parts + level.parts)
                fd = open_folder_in(level.fd, name)
            except PermissionError:
                budget.unreadable = True
                continue
            except OSError:
                continue
            if len(levels) >= _KEPT_OPEN:
                levels[-_KEPT_OPEN].close()
            levels.append(_Level(deeper, fd, []))
            yield from _list(levels[-1], state, enter, budget)
    finally:
        for level in levels:
            level.close()


def _list(
    level: _Level[S], state: S, enter: Callable[[S, Parts], S | None], budget: Budget
) -> Generator[Step[S], None, None]:
    assert level.fd is not None
    try:
        with os.scandir(level.fd) as entries:
            for entry in entries:
                budget.visit()
                parts = (*level.parts, entry.name)
                if not entry.is_dir(follow_symlinks=False):
                    yield level.fd, parts, entry, state
                elif (inner := enter(state, parts)) is not None:
                    level.pending.append((entry.name, inner))
    except FileNotFoundError:
        pass
    except OSError:
        budget.unreadable = True


def count(tree: Directory, budget: Budget) -> Usage:
    """Regular files below `tree` and their bytes; a file with several names counts once."""
    files = total = 0
    linked: set[tuple[int, int]] = set()
    try:
        for _, _, entry, _ in walk(tree, (), True, lambda state, _: state, budget):
            if not entry.is_file(follow_symlinks=False):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if status.st_nlink > 1:
                if (status.st_dev, status.st_ino) in linked:
                    continue
                linked.add((status.st_dev, status.st_ino))
            files += 1
            total += status.st_size
    except Spent:
        return Usage(files, total, budget.spent)
    return Usage(files, total, budget.reason)
