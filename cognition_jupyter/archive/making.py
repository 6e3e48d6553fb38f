"""Making one file or link with what an archive says of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..memory.paths import shown
from ..memory.snapshots.scan import write_all
from .layout import Entry, Readable, refused

_PIECE = 1 << 18
_HOLE = 4096
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def make_link(entry: Entry, last: str, folder: int) -> None:
    """Make the link that `entry` says, as `last` in `folder`."""
    target = os.fsdecode(entry.target.encode("utf-8", "surrogateescape"))
    if not target or "\0" in target:
        raise refused(f"{shown(entry.name)} is a link to nowhere")
    os.symlink(target, last, dir_fd=folder)
    times = (entry.mtime_ns, entry.mtime_ns)
    os.utime(last, ns=times, dir_fd=folder, follow_symlinks=False)


@contextmanager
def new_file(last: str, folder: int) -> Iterator[int]:
    """A new file, to be written to."""
    fd = os.open(last, _NEW, 0o600, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)


def pour(content: Readable, fd: int, entry: Entry) -> str:
    """Write a file of `entry.size` bytes; returns their SHA-256. Pages of zeros become holes."""
    digest = hashlib.sha256()
    left, hole = entry.size, False
    while left and (piece := content.read(min(_PIECE, left))):
        digest.update(piece)
        left -= len(piece)
        hole = len(piece) >= _HOLE and not piece[0] and piece.count(0) == len(piece)
        if hole:
            os.lseek(fd, len(piece), os.SEEK_CUR)
        else:
            write_all(fd, piece)
    if left:
        raise refused(f"{shown(entry.name)} is cut short")
    if hole:
        os.ftruncate(fd, entry.size)
    return digest.hexdigest()
