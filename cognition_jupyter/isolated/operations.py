"""What the contents API does with files, by descriptor: nothing here follows a link by surprise."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..exceptions import Conflict, InvalidInput
from ..projects.tree import remove_tree
from .territory import Territory

MAX_DEPTH = 100
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _give(fd: int, like: os.stat_result) -> None:
    """A server that runs as root leaves a project's files to the project's user."""
    if os.geteuid() == 0:
        os.fchown(fd, like.st_uid, like.st_gid)


@contextmanager
def replacing(territory: Territory, path: str) -> Iterator[BinaryIO]:
    """Write the file `path`: as a whole, or not at all. Raises LeadsOut, OSError."""
    real = territory.check(path)
    with territory.entry(real) as (folder, name):
        like, mode = os.fstat(folder), None
        with suppress(FileNotFoundError):
            present = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(present.st_mode):
                like, mode = present, stat.S_IMODE(present.st_mode) & 0o777
                if not os.access(name, os.W_OK, dir_fd=folder):
                    raise PermissionError(13, "Permission denied", path)
        temporary = f".~{secrets.token_hex(8)}.tmp"
        fd = os.open(temporary, _NEW, 0o666, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                _give(fd, like)
                if mode is not None:
                    os.fchmod(fd, mode)
                yield file
                file.flush()
                os.fsync(fd)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        os.fsync(folder)  # or a power cut could bring the old file back


def append(territory: Territory, path: str, data: bytes) -> None:
    """Add to the end of the existing file `path`."""
    with os.fdopen(territory.open(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        file.write(data)


def names(territory: Territory, path: str) -> list[str]:
    """Files, directories and links in the directory `path`."""
    with territory.folder(path) as folder, os.scandir(folder) as entries:
        kinds = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
        found = []
        for entry in entries:
            with suppress(OSError):
                if stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode) in kinds:
                    found.append(entry.name)
        return found


def make_directory(territory: Territory, path: str) -> None:
    """Make the directory `path`. Raises FileExistsError."""
    with territory.entry(path) as (folder, name):
        os.close(_new_directory(folder, name))


def _new_directory(folder: int, name: str) -> int:
    os.mkdir(name, dir_fd=folder)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    _give(fd, os.fstat(folder))
    return fd


def move(territory: Territory, old: str, new: str, overwrite: bool = False) -> None:
    """Move a file, a directory or a link; it may change the project. Raises Conflict."""
    with territory.entry(old) as (source, old_name), territory.entry(new) as (target, new_name):
        moved = os.stat(old_name, dir_fd=source, follow_symlinks=False)
        with suppress(FileNotFoundError):
            present = os.stat(new_name, dir_fd=target, follow_symlinks=False)
            if not overwrite and not os.path.samestat(moved, present):
                raise Conflict(f"{territory.name(new)} exists already.", "exists")
        os.rename(old_name, new_name, src_dir_fd=source, dst_dir_fd=target)


def remove(territory: Territory, path: str) -> None:
    """Remove a file, a link or a directory with all that is in it."""
    with territory.entry(path) as (folder, name):
        try:
            os.unlink(name, dir_fd=folder)
        except IsADirectoryError:
            remove_tree(Path(f"/proc/self/fd/{folder}/{name}"))


def copy_directory(territory: Territory, source: str, target: str, limit: int) -> None:
    """Copy a directory; links stay links. Raises InvalidInput beyond `limit` bytes or 100 levels.

    What is neither file, directory nor link is left out.
    """
    with territory.folder(source) as start, territory.entry(target) as (folder, name):
        new = _new_directory(folder, name)
        try:
            _copy_into(start, new, [limit], MAX_DEPTH)
        except BaseException:
            with suppress(OSError):
                remove_tree(Path(f"/proc/self/fd/{folder}/{name}"))
            raise
        finally:
            os.close(new)


def _copy_into(source: int, target: int, left: list[int], depth: int) -> None:
    if depth == 0:
        raise InvalidInput(f"Directories more than {MAX_DEPTH} levels deep are not copied.")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    for name in os.listdir(source):
        kind = stat.S_IFMT(os.stat(name, dir_fd=source, follow_symlinks=False).st_mode)
        if kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        elif kind == stat.S_IFDIR:
            inner = os.open(name, flags | os.O_DIRECTORY, dir_fd=source)
            try:
                made = _new_directory(target, name)
                try:
                    _copy_into(inner, made, left, depth - 1)
                finally:
                    os.close(made)
            finally:
                os.close(inner)
        elif kind == stat.S_IFREG:
            with os.fdopen(os.open(name, flags, dir_fd=source), "rb") as file:
                _copy_file(file, target, name, left)


def _copy_file(file: BinaryIO, target: int, name: str, left: list[int]) -> None:
    status = os.fstat(file.fileno())
    left[0] -= status.st_size
    if not stat.S_ISREG(status.st_mode) or left[0] < 0:
        raise InvalidInput("The directory is larger than what may be copied.")
    fd = os.open(name, _NEW, stat.S_IMODE(status.st_mode) & 0o777, dir_fd=target)
    with os.fdopen(fd, "wb") as copy:
        _give(fd, os.fstat(target))
        size = status.st_size  # it may grow while it is read
        while chunk := file.read(min(size, 1 << 16)):
            copy.write(chunk)
            size -= len(chunk)
