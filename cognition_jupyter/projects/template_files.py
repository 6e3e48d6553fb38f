"""Copying a template's files: links as links, no special files, no more than the limits."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ..exceptions import StorageFull

COMPILED = "__pycache__"  # pip makes one wherever a package has a Python file
MAX_DEPTH = 64  # directories in each other; a descriptor is open for each
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SOURCE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TARGET = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20


class Unfit(Exception):
    """Something in it can't be copied; the message says what."""


class TooMuch(Unfit):
    """It has more than it may."""


def copy_tree(source: Path, target: Path, most_entries: int, most_bytes: int) -> None:
    """Copy what is in `source`, if it is there, into the directory `target`.

    What Python has compiled is left out. Permissions come along, but no setuid, setgid or sticky
    bit, and the owner can read and write all of it. Raises Unfit, TooMuch, StorageFull.
    """
    try:
        copied = os.open(source, _FOLDER)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unfit(f"{source.name}/ can't be opened: {error.strerror}") from None
    made = os.open(target, _FOLDER)
    try:
        _Copy(most_entries, most_bytes).folder(copied, made, "", 0)
    finally:
        os.close(made)
        os.close(copied)


class _Copy:
    def __init__(self, most_entries: int, most_bytes: int) -> None:
        self._entries = most_entries
        self._bytes = most_bytes

    def folder(self, source: int, target: int, path: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise TooMuch(f"more than {MAX_DEPTH} directories lie in each other")
        with os.scandir(source) as entries:
            for entry in entries:
                if entry.name == COMPILED:
                    continue
                self._entries -= 1
                if self._entries < 0:
                    raise TooMuch("it has too many entries")
                where = f"{path}/{entry.name}" if path else entry.name
                try:
                    self._entry(source, target, entry.name, where, depth)
                except OSError as error:
                    if error.errno in (errno.ENOSPC, errno.EDQUOT):
                        raise StorageFull("No room is left for the template's files.") from None
                    raise Unfit(f"{where[:200]!r}: {error.strerror}") from None

    def _entry(self, source: int, target: int, name: str, where: str, depth: int) -> None:
        mode = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        elif stat.S_ISDIR(mode):
            os.mkdir(name, 0o700, dir_fd=target)
            inner = os.open(name, _FOLDER, dir_fd=source)
            try:
                made = os.open(name, _FOLDER, dir_fd=target)
                try:
                    self.folder(inner, made, where, depth + 1)
                    os.fchmod(made, mode & 0o777 | 0o700)
                finally:
                    os.close(made)
            finally:
                os.close(inner)
        elif stat.S_ISREG(mode):
            self._file(source, target, name)
        else:
            raise Unfit(f"{where[:200]!r} is not a file, a directory or a link")

    def _file(self, source: int, target: int, name: str) -> None:
        read = os.open(name, _SOURCE, dir_fd=source)
        try:
            status = os.fstat(read)
            if not stat.S_ISREG(status.st_mode):
                raise Unfit(f"{name[:200]!r} is not a file any more")
            written = os.open(name, _TARGET, 0o600, dir_fd=target)
            with os.fdopen(written, "wb") as file:
                while piece := os.read(read, _CHUNK):
                    self._bytes -= len(piece)
                    if self._bytes < 0:
                        raise TooMuch("its files are too large")
                    file.write(piece)
                os.fchmod(written, status.st_mode & 0o777 | 0o600)
        finally:
            os.close(read)
