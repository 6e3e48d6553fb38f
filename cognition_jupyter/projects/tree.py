"""Whole directory trees: giving them to another user, removing them. Never through a link.

Their content is hostile: any depth, any names, directories that their owner may not read.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_ATTEMPTS = 10  # at a directory into which somebody else still writes


def give_tree(directory: Path, uid: int, gid: int) -> None:
    """Make `uid` and `gid` the owner of `directory` and all that is in it (needs root).

    For a tree that nobody else can reach yet. Raises OSError.
    """
    top = os.open(directory, _OPEN)
    try:
        pending = ["."]
        while pending:
            place = pending.pop()
            folder = os.open(place, _OPEN, dir_fd=top)
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        os.chown(entry.name, uid, gid, dir_fd=folder, follow_symlinks=False)
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(f"{place}/{entry.name}")
            finally:
                os.close(folder)
        os.fchown(top, uid, gid)
    finally:
        os.close(top)


def remove_tree(directory: Path) -> None:
    """Remove `directory` and all that is in it; links are removed, not followed.

    What is gone already is no error, so that two processes may remove the same tree. Raises
    OSError.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            if _unlinked(str(directory), None):
                return
            with _opened(str(directory), None) as top:
                _empty(top)
            os.rmdir(directory)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOTDIR) or attempt == _ATTEMPTS:
                raise


def _empty(top: int) -> None:
    """Remove all that is in the directory `top`.

    A directory inside a directory is first moved up into `top`: so nothing recurses, no path gets
    long, and two descriptors do for any depth.
    """
    unique = secrets.token_hex(8)
    moved = 0
    pending = os.listdir(top)
    while pending:
        name = pending.pop()
        try:
            if _unlinked(name, top):
                continue
            with _opened(name, top) as folder:
                for inner in os.listdir(folder):
                    if not _unlinked(inner, folder):
                        moved += 1
                        _move(inner, folder, f"{unique}-{moved}", top)
                        pending.append(f"{unique}-{moved}")
            os.rmdir(name, dir_fd=top)
        except FileNotFoundError:
            continue


def _unlinked(name: str, folder: int | None) -> bool:
    """Remove what is no directory; false for a directory."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return True
    except IsADirectoryError:
        return False
    return True


def _move(name: str, source: int, new_name: str, target: int) -> None:
    try:
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
    except PermissionError:  # a directory that may not be written may not be moved either
        _make_writable(name, source)
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)


@contextmanager
def _opened(name: str, parent: int | None) -> Iterator[int]:
    """The directory as a descriptor, made writable. NotADirectoryError for a link, too."""
    try:
        fd = os.open(name, _OPEN, dir_fd=parent)
    except PermissionError:
        _make_writable(name, parent)
        fd = os.open(name, _OPEN, dir_fd=parent)
    try:
        if os.fstat(fd).st_mode & 0o700 != 0o700:
            os.fchmod(fd, 0o700)
        yield fd
    finally:
        os.close(fd)


def _make_writable(name: str, parent: int | None) -> None:
    """Let the owner into a directory. By a descriptor: `chmod` by name would follow a link."""
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)
    finally:
        os.close(fd)
