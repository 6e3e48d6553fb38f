"""Reading a tree that somebody else changes meanwhile: walking it, copying its files.

Any depth, any names, any kinds of entries; nothing here recurses, waits on what it opens, trusts a
size or reads without a bound.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from ..directory import is_temporary
from .manifest import quoted
from .tree import PATH_MAX, Tree, why

T = TypeVar("T")

_PIECE = 1 << 18
_TURN, _MOMENT = 0.002, 5e-5  # seconds
_HOLE = 4096
_TICK = 0.004  # seconds; the kernel's clock for files goes by 1 to 10 ms
_AHEAD = 20_000_000  # nanoseconds; a time beyond them is no tick, the clock was set back
_ABANDONED = 60  # seconds after which a file that a write has not finished never will be
_CLOCK_REALTIME_COARSE = 5  # which is this one: linux/time.h


def copy(source: int, target: int | None, size: int) -> tuple[int, str]:
    """Copy at most `size` bytes, whatever the file says meanwhile; None: only read them.

    Returns how many it were and their SHA-256. Pages of zeros become holes in `target`.
    """
    digest = hashlib.sha256()
    done, hole = 0, False
    while done < size and (piece := os.read(source, min(_PIECE, size - done))):
        digest.update(piece)
        done += len(piece)
        if target is None:
            continue
        hole = len(piece) >= _HOLE and not piece[0] and piece.count(0) == len(piece)
        if hole:
            os.lseek(target, len(piece), os.SEEK_CUR)
        else:
            write_all(target, piece)
    if hole and target is not None:
        os.ftruncate(target, done)
    return done, digest.hexdigest()


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`."""
    written = os.write(fd, data)
    while written < len(data):
        data = data[written:]
        written = os.write(fd, data)


def settled(fd: int) -> tuple[os.stat_result, bool]:
    """The file's status, and whether any later write is sure to change its `st_ctime_ns`.

    Two writes within a tick of the kernel's clock leave the same time: wait for the next one.
    """
    for _ in range(4):
        status = os.fstat(fd)
        ahead = status.st_ctime_ns - time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)
        if ahead < 0:
            return status, True
        if ahead > _AHEAD:
            break
        time.sleep(_TICK)
    return status, False


def in_turns(items: Iterable[T]) -> Iterator[T]:
    """`items`, with a moment for other threads every 2 ms.

    Each read lets go of the interpreter's lock for microseconds, and by that starts anew the 5 ms
    after which it would be taken from us: beside 100,000 files an event loop waited 50 ms.
    """
    begun = time.perf_counter()
    for number, item in enumerate(items):
        yield item
        if not number & 31 and time.perf_counter() - begun > _TURN:
            time.sleep(_MOMENT)
            begun = time.perf_counter()


# -- the walk --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """What is taken of a tree at most; what does not fit is left out and named."""

    files: int = 250_000  # entries of any kind
    bytes: int = 1 << 30  # of all files together, as their sizes say
    names: int = 32 << 20  # characters of all paths and links together, as the manifest has them


class Budget:
    """What is left of `limits` during a walk."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.entries = limits.files
        self.names = limits.names
        self.bytes = limits.bytes

    def entry(self, path: str) -> str:
        """Take one entry; why it can't be, or ''."""
        self.entries -= 1
        self.names -= len(quoted(path))
        if self.entries < 0:
            return f"there are more than {self.limits.files} entries: the rest is left out"
        if self.names < 0:
            return f"paths are longer than {self.limits.names} together: the rest is left out"
        return ""

    def link(self, target: str) -> str:
        """Take what a symbolic link says; why it can't be, or ''."""
        size = len(quoted(target))
        if size > self.names:
            return f"paths are longer than {self.limits.names} together"
        self.names -= size
        return ""

    def file(self, size: int) -> str:
        """Take the bytes of a file; why they can't be, or ''."""
        if size > self.bytes:
            return f"{size} bytes do not fit: at most {self.limits.bytes} are kept"
        self.bytes -= size
        return ""


class Item(NamedTuple):
    """What a walk met: with its status, or None and why it is left out."""

    path: str
    name: str
    status: os.stat_result | None
    why: str = ""


_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}


def walk(tree: Tree, budget: Budget) -> Iterator[Item]:
    """All entries below the top of `tree`; a directory before what is in it.

    While a file or link is yielded, `tree` is in its directory and must not be moved.
    """
    device = tree.device
    pending = [(0, "")]
    while pending:
        depth, name = pending.pop()
        tree.back_to(depth)
        path = f"{tree.path}/{name}" if depth else name
        try:
            if name:
                yield Item(path, name, tree.enter(name))
            prefix = f"{path}/" if path else ""
            below = []
            with os.scandir(tree.fd) as entries:
                for entry in entries:
                    inner = prefix + entry.name
                    if end := budget.entry(inner):
                        yield from _cut_off(path, end, pending)
                        return
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if is_temporary(entry.name) and _is_abandoned(status):
                        continue
                    reason = _refused(inner, status, device, budget)
                    if reason:
                        yield Item(inner, entry.name, None, reason)
                    elif stat.S_ISDIR(status.st_mode):
                        below.append((tree.depth, entry.name))
                    else:
                        yield Item(inner, entry.name, status)
            pending += below
        except OSError as error:
            if error.errno != errno.ENOENT:
                yield Item(path, name, None, why(error))


def _is_abandoned(status: os.stat_result) -> bool:
    """Whether a file with a temporary name was left by a write that was killed."""
    old = status.st_mtime < time.time() - _ABANDONED
    return old and stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _cut_off(path: str, end: str, pending: list[tuple[int, str]]) -> Iterator[Item]:
    """Name where a walk ends in the middle of `path`, and the directories it does not come to."""
    yield Item(path, "", None, end)
    above = path.split("/")
    for depth, name in pending:
        left_out = "/".join([*above[:depth], name])
        yield Item(left_out, name, None, "the walk ended before this directory")


def _refused(path: str, status: os.stat_result, device: int, budget: Budget) -> str:
    """Why an entry can't be taken; ''."""
    if len(path) * 4 > PATH_MAX and len(os.fsencode(path)) > PATH_MAX:
        return f"its path is longer than {PATH_MAX} bytes"
    kind = stat.S_IFMT(status.st_mode)
    # Of directories only: the files of one overlay may be on several devices.
    if kind == stat.S_IFDIR and status.st_dev != device:
        return "it is on another file system"
    if kind == stat.S_IFREG:
        return budget.file(status.st_size)
    if kind in (stat.S_IFDIR, stat.S_IFLNK):
        return ""
    return f"it is {_KINDS.get(kind, 'a device')}"
