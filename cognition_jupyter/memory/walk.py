"""A walk through a hostile tree: any depth, any number of entries, changed on the way."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

from .directory import Directory, Parts, open_folder_in
from .paths import MAX_PATH_BYTES
from .shapes import Reason, Usage
from .snapshots.tree import why

S = TypeVar("S")
# An entry: the open directory it is in, that directory's path from the top with a closing slash
# ('' for the top, None for one that is too long to be a path), the entry, its directory's state.
Step = tuple[int, str | None, os.DirEntry[str], S]
# For a directory with its path, given its parent's state: its own state, None to pass it by.
Enter = Callable[[S, str | None], S | None]

# Directories kept open on the way down; on the way up the others are reached through `..`.
_KEPT_OPEN = 32
# It is gone, or something else was put there.
_PASSED_BY = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.EISDIR,
    errno.ENXIO,
    errno.ENODEV,
)


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

    def failed(self, error: OSError) -> None:
        """Something could not be looked at. Raises what says something about us, not about it."""
        if error.errno not in _PASSED_BY:
            why(error)
            self.unreadable = True


class _Level(Generic[S]):
    """A directory on the way from the top to where we are. Its size does not grow with depth."""

    __slots__ = ("_identity", "fd", "path", "pending")

    def __init__(self, fd: int, path: str | None) -> None:
        self.fd: int | None = fd
        self.path = path
        self.pending: list[tuple[str, S]] = []
        self._identity = _identity(fd)

    def inner(self, name: str) -> str | None:
        """The path of what is in it; None when no program can open it by that."""
        if self.path is None:
            return None
        path = f"{self.path}/{name}" if self.path else name
        if len(path) * 4 > MAX_PATH_BYTES and len(os.fsencode(path)) > MAX_PATH_BYTES:
            return None
        return path

    def reach(self, below: int | None) -> None:
        """Be open again, from the directory `below` if that was not moved away meanwhile."""
        if self.fd is not None or below is None:
            return
        try:
            fd = open_folder_in(below, "..")
        except OSError as error:
            why(error)
            return
        if _identity(fd) == self._identity:
            self.fd = fd
        else:
            os.close(fd)

    def open(self, tree: Directory, parts: Parts) -> int:
        """The directory; where there was no way back, whatever has its path now."""
        if self.fd is None:
            if self.path is None:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            self.fd = tree.open(parts + tuple(self.path.split("/") if self.path else ()))
        return self.fd

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def walk(
    tree: Directory,
    parts: Parts,
    state: S,
    enter: Enter[S],
    budget: Budget,
    directories: bool = False,
) -> Generator[Step[S], None, None]:
    """Everything below the directory `parts` of `tree`; `directories` themselves only if asked.

    What vanishes or is swapped on the way is passed by; what may not be read is noted in the
    budget. Raises OSError for `parts` itself, and Spent. To be closed.
    """
    levels = [_Level[S](tree.open(parts), "")]
    try:
        yield from _list(levels[0], state, enter, budget, directories)
        while levels:
            level = levels[-1]
            if not level.pending:
                if len(levels) > 1:
                    levels[-2].reach(level.fd)
                level.close()
                levels.pop()
                continue
            name, state = level.pending.pop()
            budget.check_time()
            try:
                fd = open_folder_in(level.open(tree, parts), name)
            except OSError as error:
                budget.failed(error)
                continue
            if len(levels) >= _KEPT_OPEN:
                levels[-_KEPT_OPEN].close()
            levels.append(_Level(fd, level.inner(name)))
            yield from _list(levels[-1], state, enter, budget, directories)
    finally:
        for level in levels:
            level.close()


def _list(
    level: _Level[S], state: S, enter: Enter[S], budget: Budget, directories: bool
) -> Generator[Step[S], None, None]:
    assert level.fd is not None
    prefix = f"{level.path}/" if level.path else level.path
    try:
        with os.scandir(level.fd) as entries:
            for entry in entries:
                budget.visit()
                is_directory = entry.is_dir(follow_symlinks=False)
                if directories or not is_directory:
                    yield level.fd, prefix, entry, state
                if is_directory and (inner := enter(state, level.inner(entry.name))) is not None:
                    level.pending.append((entry.name, inner))
    except OSError as error:
        budget.failed(error)


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


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
            except OSError as error:
                budget.failed(error)
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
