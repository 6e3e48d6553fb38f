"""Getting a whole tree onto the disk, and saying clearly when the disk is full."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ...exceptions import StorageFull
from .scan import Budget, Limits, walk
from .tree import Tree, open_regular

FULL = (errno.ENOSPC, errno.EDQUOT)
_UNSUPPORTED = (errno.ENOSYS, errno.EPERM)  # an old kernel, a sandbox that filters system calls
_NO_LIMITS = Limits(*[1 << 62] * 3)
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def storage_full(what: str) -> Iterator[None]:
    """Turn "no space left" into StorageFull; `what` says what was not done."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        reason = "quota is used up" if error.errno == errno.EDQUOT else "file system is full"
        raise StorageFull(f"{what}: the {reason}. What was there before is unharmed.") from error


def sync_tree(tree: Tree, libc: object = _LIBC) -> None:
    """Get everything below the top of `tree` onto the disk.

    One call for its whole file system, syncfs(2), where there is one: a call a file costs as much
    as all the rest of a snapshot. Raises OSError when something could not be written.
    """
    tree.back_to(0)
    if _syncfs(libc, tree.fd):
        return
    for item in walk(tree, Budget(_NO_LIMITS)):
        if item.status is None:
            raise OSError(errno.EIO, f"{item.path} could not be synced: {item.why}")
        if stat.S_ISDIR(item.status.st_mode):
            os.fsync(tree.fd)
            continue
        fd = open_regular(item.name, tree.fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    tree.back_to(0)
    os.fsync(tree.fd)


def _syncfs(libc: object, fd: int) -> bool:
    """Sync the file system that `fd` is on; false where that can't be done. Raises OSError."""
    call = getattr(libc, "syncfs", None)
    if call is None:
        return False
    if call(fd) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number))
