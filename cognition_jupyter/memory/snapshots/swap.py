"""Exchanging the content of a directory that may be mounted in running containers."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from .generations import Problem
from .marker import COMPLETE, RESTORING, HotMemory, write_marker
from .tree import Tree, why

_PASSES = 10  # over a directory in which a container goes on making entries
_IN_THE_WAY = (errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR)


def replace_content(hot: HotMemory, generation: int | None) -> list[Problem]:
    """Put what is in `hot.new` in the place of what is in `hot.ram`, whose inode stays.

    Returns entries that could not be put there, because something took their place again and
    again. The caller holds the lock. Raises OSError.
    """
    lost = []
    write_marker(hot, generation, RESTORING)
    hot.old.mkdir(mode=0o700)
    with Tree(hot.ram) as live, Tree(hot.new) as new, Tree(hot.old) as old:
        out = _Out(live.fd, old.fd)
        for _ in range(_PASSES):
            names = os.listdir(live.fd)
            for name in names:
                out.move(name)
            if not names:
                break
        for name in os.listdir(new.fd):
            if problem := _move_in(name, new.fd, live.fd, out):
                lost.append(Problem(name, problem))
    write_marker(hot, generation, COMPLETE)
    with suppress(OSError):  # the next snapshot removes what is left of them
        hot.remove_leftovers()
    return lost


class _Out:
    """Moves entries out of the live directory, under new names: some may come twice."""

    def __init__(self, live: int, old: int) -> None:
        self._live = live
        self._old = old
        self._count = 0

    def move(self, name: str) -> None:
        self._count += 1
        with suppress(FileNotFoundError):
            _move(name, self._live, str(self._count), self._old)


def _move_in(name: str, new: int, live: int, out: _Out) -> str:
    """Move one entry into place; why that can't be done, or ''."""
    for _ in range(_PASSES):
        try:
            _move(name, new, name, live)
            return ""
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            problem = why(error)
        out.move(name)
    return f"a running session puts something else there: {problem}"


def _move(name: str, source: int, new_name: str, target: int) -> None:
    try:
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
        return
    except PermissionError:  # a directory that its owner may not write may not be moved either
        handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=source)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        same = f"/proc/self/fd/{handle}"  # by name, chmod would follow a link
        os.chmod(same, mode | 0o700)
        try:
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
        finally:
            os.chmod(same, mode)
    finally:
        os.close(handle)
