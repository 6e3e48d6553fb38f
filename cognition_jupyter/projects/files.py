"""Bounded reads, durable writes and file locks: what everything on disk stands on."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import functools
import os
import secrets
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from ..exceptions import RuntimeUnavailable

P = ParamSpec("P")
T = TypeVar("T")

# Threads of our own: a hung engine or another extension must not keep us from the disk.
_DISK = ThreadPoolExecutor(max_workers=16, thread_name_prefix="cognition-disk")
# What goes through whole trees. More at once would keep the event loop from its turns.
_TREES = ThreadPoolExecutor(max_workers=2, thread_name_prefix="cognition-trees")

LOCK_TIMEOUT = 30.0  # seconds; a lock is held for milliseconds


def in_thread(
    blocking: Callable[P, T], threads: ThreadPoolExecutor = _DISK
) -> Callable[P, Awaitable[T]]:
    """Turn a method that waits for the disk into a coroutine that runs it in a thread.

    A cancelled caller waits for the step to end, however often it is cancelled: nothing may tidy
    up beside a step still at work.
    """

    @functools.wraps(blocking)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        work = functools.partial(blocking, *args, **kwargs)
        step = asyncio.get_running_loop().run_in_executor(threads, work)
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            while not step.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([step])
            raise

    return call


def in_tree_thread(blocking: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """As `in_thread`, for what goes through a whole tree and may take seconds of computing."""
    return in_thread(blocking, _TREES)


def read_bounded(path: Path | str, limit: int, dir_fd: int | None = None) -> bytes:
    """The bytes of a regular file of at most `limit` bytes.

    Never follows a symbolic link, never waits on a FIFO, never trusts a size. Raises OSError, and
    ValueError that says what stands there instead.
    """
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError("it is a symbolic link") from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("it is not a regular file")
        pieces = []
        while piece := os.read(fd, limit + 1):
            pieces.append(piece)
            limit -= len(piece)
            if limit < 0:
                raise ValueError("it is too large")
        return b"".join(pieces)
    finally:
        os.close(fd)


def fsync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` as a whole: a reader sees the old bytes or the new, also after a power cut."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def remove_temporary_files(path: Path) -> None:
    """Remove what writers of `path` left that were killed before their rename.

    The caller holds the lock under which `path` is written.
    """
    for temporary in _temporary_files(path):
        temporary.unlink(missing_ok=True)


def has_temporary_files(path: Path) -> bool:
    """Whether somebody writes `path` just now, or was killed doing it."""
    return bool(_temporary_files(path))


def _temporary_files(path: Path) -> list[Path]:
    with os.scandir(path.parent) as entries:
        return [
            Path(entry.path)
            for entry in entries
            if entry.name.startswith(f".{path.name}.") and entry.name.endswith(".tmp")
        ]


def try_lock(path: Path) -> int | None:
    """An exclusive `flock` on `path` (made if missing) as a file descriptor; None if it is held.

    The lock is gone when the descriptor is closed, also by a `kill -9`.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before may have removed the file: then this lock guards nothing.
            if os.stat(path).st_ino == os.fstat(fd).st_ino:
                return fd
            os.close(fd)
        except FileNotFoundError:
            os.close(fd)
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock file `path`, found out without a trace. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def unlock(path: Path, fd: int) -> None:
    """Remove a lock file that we hold and let go of it."""
    try:
        path.unlink(missing_ok=True)
    finally:
        os.close(fd)


@contextmanager
def locked(path: Path, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the lock file `path`, which is removed after; RuntimeUnavailable after `timeout` s."""
    deadline = time.monotonic() + timeout
    delay = 0.0005
    while (fd := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise RuntimeUnavailable(
                f"The lock {path.name} was not free within {timeout:.0f} s; try again.", "locked"
            )
        time.sleep(delay)
        delay = min(delay * 2, 0.02)
    try:
        yield
    finally:
        unlock(path, fd)
