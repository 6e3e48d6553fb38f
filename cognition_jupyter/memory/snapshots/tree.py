"""A place in a directory tree that somebody else changes meanwhile, held by descriptors.

Never through a link, whatever is renamed under us; any depth with a few descriptors.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK
_REGULAR = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT)
# What stays as it is however often one looks. Anything else, as a lack of rights or a file server
# that does not answer, may be over in a moment.
_FOR_GOOD = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.EINVAL,  # also what open_regular says
    errno.ENXIO,  # a socket
    errno.ENAMETOOLONG,
    errno.EILSEQ,
)
ROTTEN = (errno.EIO, errno.EBADMSG, errno.EUCLEAN)  # says a disk of bytes it can't read any more
PATH_MAX = 4095  # bytes without the closing NUL, limits.h: no program can open a longer one by name
_KEPT_OPEN = 32  # directories of a chain, besides its top


class Tree:
    """A place in a directory tree, reached from its top by descriptors: `fd` is the directory.

    Directories far above the place are closed. On the way back such a one is reached through `..`
    and must be the directory it was, for somebody may have moved it: then `fd` raises.
    """

    def __init__(self, top: Path | str, dir_fd: int | None = None) -> None:
        fd, status, lent = _open_owned(str(top), _DIRECTORY, dir_fd, 0o500)
        self._names = [""]
        self._fds = [fd]
        self._ids = [(status.st_dev, status.st_ino)]
        self._lent = [lent]
        self._path: str | None = ""

    def __enter__(self) -> Tree:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.back_to(0)
        _give_back(self._fds[0], self._lent[0])

    @property
    def fd(self) -> int:
        """The directory at the place. OSError when it was moved away under us."""
        if self._fds[-1] < 0:
            raise OSError(errno.ESTALE, "its directory was moved meanwhile")
        return self._fds[-1]

    @property
    def device(self) -> int:
        """Device of the top."""
        return self._ids[0][0]

    @property
    def depth(self) -> int:
        """0 at the top."""
        return len(self._names) - 1

    @property
    def path(self) -> str:
        """The place relative to the top; '' at the top."""
        return "/".join(self._names[1:])

    def go(self, path: str) -> int:
        """Move to the directory `path`, relative to the top, and return it. Raises OSError."""
        if path == self._path:
            return self.fd
        parts = path.split("/") if path else []
        common = 0
        for ours, part in zip(self._names[1:], parts, strict=False):
            if ours != part:
                break
            common += 1
        self.back_to(common)
        for part in parts[common:]:
            self.enter(part)
        self._path = path
        return self.fd

    def enter(self, name: str) -> os.stat_result:
        """Move into the directory `name` and return its status. Raises OSError; never a link."""
        self._path = None
        if name in ("", ".", ".."):  # would lead out, or nowhere
            raise OSError(errno.EINVAL, "it is not the name of a directory")
        fd, status, lent = _open_owned(name, _DIRECTORY, self.fd, 0o500)
        self._names.append(name)
        self._fds.append(fd)
        self._ids.append((status.st_dev, status.st_ino))
        self._lent.append(lent)
        far = len(self._fds) - 1 - _KEPT_OPEN
        if far > 0 and self._fds[far] >= 0:
            os.close(self._fds[far])
            self._fds[far] = -1
        return status

    def back_to(self, depth: int) -> None:
        """Move up to `depth`."""
        while self.depth > depth:
            self._leave()

    def _leave(self) -> None:
        self._path = None
        self._names.pop()
        self._ids.pop()
        fd, lent = self._fds.pop(), self._lent.pop()
        try:
            if self._fds[-1] < 0:
                self._fds[-1] = self._reopened(fd)
        finally:
            _give_back(fd, lent)

    def _reopened(self, below: int) -> int:
        """The directory at the place again, from the one `below` it or from the top; -1 if gone."""
        if below >= 0:
            try:
                fd = os.open("..", _DIRECTORY, dir_fd=below)
            except OSError:
                pass  # its mode may forbid it
            else:
                if _identity(fd) == self._ids[-1]:
                    return fd
                os.close(fd)
        fd = os.dup(self._fds[0])
        for name, identity in zip(self._names[1:], self._ids[1:], strict=True):
            try:
                inner = os.open(name, _DIRECTORY, dir_fd=fd)
            except OSError:
                inner = -1
            os.close(fd)
            if inner < 0 or _identity(inner) != identity:
                if inner >= 0:
                    os.close(inner)
                return -1
            fd = inner
        return fd


def _give_back(fd: int, lent: int) -> None:
    """Close a directory and give back its mode."""
    if fd >= 0:
        if lent >= 0:
            with suppress(OSError):
                os.fchmod(fd, lent)
        os.close(fd)


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _open_owned(
    name: str, flags: int, dir_fd: int | None, needed: int
) -> tuple[int, os.stat_result, int]:
    """Open `name`, also where its owner (who we are, too) took the rights to it away.

    Returns the descriptor, the status as it was, and the mode to give back at the end or -1.
    """
    try:
        fd = os.open(name, flags, dir_fd=dir_fd)
        status = os.fstat(fd)
        mode = stat.S_IMODE(status.st_mode)
        # A directory that may be listed but not entered. (Not so for root, who may do anything.)
        if stat.S_ISDIR(status.st_mode) and needed & ~mode and status.st_uid == os.geteuid() != 0:
            os.fchmod(fd, mode | needed)
            return fd, status, mode
        return fd, status, -1
    except PermissionError:
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=dir_fd)
    try:
        status = os.fstat(handle)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise OSError(errno.EINVAL, "it is not a regular file")
        mode = stat.S_IMODE(status.st_mode)
        same = f"/proc/self/fd/{handle}"  # by name, chmod would follow a link put there meanwhile
        os.chmod(same, mode | needed)
        try:
            return os.open(same, flags & ~os.O_NOFOLLOW), status, mode
        except BaseException:
            os.chmod(same, mode)
            raise
    finally:
        os.close(handle)


def open_regular(name: str, dir_fd: int) -> int:
    """A regular file, to be read. OSError, also for a link, a FIFO, a device."""
    fd, _, lent = _open_owned(name, _REGULAR, dir_fd, 0o400)
    try:
        if lent >= 0:
            os.fchmod(fd, lent)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
    except BaseException:
        os.close(fd)
        raise
    return fd


def why(error: OSError) -> str:
    """What an error says about a file, as part of a sentence.

    One that says something about us instead is raised again: no file may pass for unreadable
    because we ran out of descriptors, memory or disk.
    """
    if error.errno in _OURS:
        raise error
    return error.strerror or str(error)


def damage(error: OSError, more: tuple[int, ...] = ()) -> str:
    """What an error says about something on our own disk, as part of a sentence.

    It is raised again unless it is for good (or one of `more`): nothing may pass for damaged, and
    be given up, because of something that is over in a moment.
    """
    if error.errno not in _FOR_GOOD and error.errno not in more:
        raise error
    return error.strerror or str(error)
