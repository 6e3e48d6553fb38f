"""One directory tree whose content is hostile, reached by descriptors only.

Code in a container changes the tree while the server works in it. So no component below the top is
ever resolved as a path: each is opened in the directory before it, and never if it is a symbolic
link; nothing blocks on a FIFO or a device; no size is believed. The path of the top itself lies
where no container writes.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..projects.tree import remove_tree

Parts = tuple[str, ...]

_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC
# O_PATH: to pass through a directory takes no right to list it.
_PASS = os.O_PATH | os.O_DIRECTORY | _SAFE
_LIST = os.O_RDONLY | os.O_DIRECTORY | _SAFE
# O_NONBLOCK: for FIFOs, devices and files on which a program in the container holds a lease.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | _SAFE
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE

_CHUNK = 1 << 16
_TEMPORARY = (".cognition-", ".tmp")


def is_temporary(name: str) -> bool:
    """Whether this is a file that a write has not finished, or never will after a `kill -9`."""
    return name.startswith(_TEMPORARY[0]) and name.endswith(_TEMPORARY[1])


class Directory:
    """The tree below one directory. Everything raises OSError; its `errno` says what is wrong.

    ELOOP: a symbolic link. ENOTDIR: a parent is no directory, or a link. EISDIR: a directory where
    a file was wanted. ENXIO: a FIFO, a device, a socket. EFBIG: more bytes than the limit. EAGAIN:
    a program holds a lease.
    """

    def __init__(
        self,
        top: Path,
        below: Parts = (),
        owner: tuple[int, int] | None = None,
        durable: bool = False,
    ) -> None:
        """The directory `below` (itself hostile, made by the first write) in `top`.

        What is written belongs to `owner` (uid, gid) when we are root. `durable`: it is on disk
        when the call returns.
        """
        self._top = str(top)
        self._below = below
        self._owner = owner if os.geteuid() == 0 else None
        self._durable = durable

    # -- reading ---------------------------------------------------------------------------

    def read(self, parts: Parts, limit: int) -> bytes:
        """The bytes of a regular file of at most `limit` bytes."""
        fd = self.open(parts, _READ)
        try:
            return read_all(fd, os.fstat(fd), limit)
        finally:
            os.close(fd)

    def open_file(self, parts: Parts) -> int:
        """A descriptor to read from. Its kind is still to be checked."""
        return self.open(parts, _READ)

    @contextmanager
    def folder(self, parts: Parts) -> Iterator[int]:
        """A directory, open for being listed."""
        fd = self.open(parts, _LIST)
        try:
            yield fd
        finally:
            os.close(fd)

    def status(self, parts: Parts) -> os.stat_result | None:
        """What stands there, a link itself included; None for nothing."""
        try:
            folder = self.open(parts[:-1], _PASS)
        except FileNotFoundError:
            return None
        try:
            return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        finally:
            os.close(folder)

    def open(self, parts: Parts, flags: int = _LIST) -> int:
        """A descriptor, by default of a directory to be listed; no component may be a link."""
        parts = self._below + parts
        if not parts:
            return os.open(self._top, flags)
        # The top's path is safe, so the kernel may resolve it on the way to the first name.
        first = f"{self._top}/{parts[0]}"
        if len(parts) == 1:
            return os.open(first, flags)
        folder = os.open(first, _PASS)
        try:
            for part in parts[1:-1]:
                folder = _into(folder, part)
            return os.open(parts[-1], flags, dir_fd=folder)
        finally:
            os.close(folder)

    # -- changing --------------------------------------------------------------------------

    def write(
        self, parts: Parts, data: bytes, mode: int | None = None, create_only: bool = False
    ) -> None:
        """Put a file of these bytes there as a whole; missing parents are made.

        A reader sees the old bytes or the new. `mode`: permission bits, by default 0644 less the
        umask. EEXIST with `create_only` and something there.
        """
        folder = self._made(parts[:-1])
        try:
            self._publish(folder, parts[-1], data, mode, create_only)
            if self._durable:
                _sync(folder)
        finally:
            os.close(folder)

    def delete(self, parts: Parts) -> None:
        """Remove a file, a link itself, or a directory with all that is in it."""
        folder = self.open(parts[:-1], _PASS)
        try:
            try:
                os.unlink(parts[-1], dir_fd=folder)
            except IsADirectoryError:
                # Through our own descriptor: what leads to the name can't be swapped.
                remove_tree(Path(f"/proc/self/fd/{folder}/{parts[-1]}"))
            if self._durable:
                _sync(folder)
        finally:
            os.close(folder)

    def _made(self, parts: Parts) -> int:
        """The directory as a descriptor; what is missing of `below` and `parts` is made."""
        folder = os.open(self._top, _PASS)
        try:
            for part in self._below + parts:
                try:
                    folder = _into(folder, part)
                except FileNotFoundError:
                    self._make(folder, part)
                    folder = _into(folder, part)
        except BaseException:
            os.close(folder)
            raise
        return folder

    def _make(self, folder: int, name: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=folder)
            if self._owner:
                self._give(folder, name, *self._owner)
            if self._durable:
                _sync(folder)

    def _give(self, folder: int, name: str, uid: int, gid: int) -> None:
        """Make `uid` the owner of a directory that we just made.

        By now something else may bear the name. Only an empty directory that is ours is given.
        """
        fd = os.open(name, _LIST, dir_fd=folder)
        try:
            if os.fstat(fd).st_uid == os.geteuid() and not os.listdir(fd):
                os.fchown(fd, uid, gid)
        finally:
            os.close(fd)

    def _publish(
        self, folder: int, name: str, data: bytes, mode: int | None, create_only: bool
    ) -> None:
        temporary = secrets.token_hex(8).join(_TEMPORARY)
        fd = os.open(temporary, _CREATE, 0o644, dir_fd=folder)
        try:
            try:
                if self._owner:
                    os.fchown(fd, *self._owner)
                if mode is not None:
                    os.fchmod(fd, mode & 0o777)
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
                if self._durable:
                    os.fsync(fd)
            finally:
                os.close(fd)
            if create_only:  # unlike a rename, a link never replaces
                os.link(
                    temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False
                )
                os.unlink(temporary, dir_fd=folder)
            else:
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise


def open_in(folder: int, name: str) -> int:
    """A regular file in the directory `folder`, to be read."""
    fd = os.open(name, _READ, dir_fd=folder)
    try:
        check_regular(os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_folder_in(folder: int, name: str) -> int:
    """A directory in the directory `folder`, to be listed."""
    return os.open(name, _LIST, dir_fd=folder)


def check_regular(status: os.stat_result) -> None:
    """OSError for what is no regular file."""
    if not stat.S_ISREG(status.st_mode):
        kind = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.ENXIO
        kind = errno.ELOOP if stat.S_ISLNK(status.st_mode) else kind
        raise OSError(kind, os.strerror(kind))


def read_all(fd: int, status: os.stat_result, limit: int) -> bytes:
    """The bytes of a regular file, from where it stands, at most `limit`."""
    check_regular(status)
    size = status.st_size  # a hint for the buffer: the file may grow or shrink meanwhile
    if size <= limit:
        data = os.read(fd, size + 1)
        if rest := os.read(fd, 1):
            data += rest + read_up_to(fd, limit - len(data))
        if len(data) <= limit:
            return data
    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))


def read_up_to(fd: int, count: int, first: int = _CHUNK) -> bytes:
    """`count` bytes, fewer only at the end of the file. `first`: how many to ask for at first."""
    pieces = []
    while count > 0 and (piece := os.read(fd, min(first, count))):
        pieces.append(piece)
        count -= len(piece)
        first = _CHUNK
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _into(folder: int, name: str) -> int:
    """The directory `name` in `folder`, which is closed unless this fails."""
    inner = os.open(name, _PASS, dir_fd=folder)
    os.close(folder)
    return inner


def _sync(folder: int) -> None:
    """Make the names in a directory survive a power cut, where we may list it."""
    with suppress(PermissionError):
        fd = os.open(".", _LIST, dir_fd=folder)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
