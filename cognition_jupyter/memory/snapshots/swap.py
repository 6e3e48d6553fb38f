"""Exchanging the content of a directory that may be mounted in running containers."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ...projects.files import remove_temporary_files
from .generations import Problem
from .marker import COMPLETE, FILLING, RESTORING, HotMemory, Marker, new_marker, stage_marker
from .tree import Tree, why

_PASSES = 10  # over a directory in which a container goes on making entries
_IN_THE_WAY = (errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR)


def replace_content(
    hot: HotMemory,
    generation: int | None,
    before: Marker | None,
    keep: Callable[[Marker], object] = lambda marker: None,
) -> tuple[Marker, list[Problem]]:
    """Put what is in `hot.new` in the place of what is in `hot.ram`, whose inode stays.

    `before` is the marker if what is in `hot.ram` counts. `keep` is called with the new marker when
    that has been moved to `hot.old`, after which it goes; when it raises, all is put back. Returns
    the new marker, and entries that could not be put there, because something took their place
    again and again. The caller holds the lock. Raises OSError.
    """
    remove_temporary_files(hot.marker)
    with ExitStack() as stack:
        hot.old.mkdir(mode=0o700)
        live, new, old = (stack.enter_context(_movable(p)) for p in (hot.ram, hot.new, hot.old))
        # All that needs room is made now: once something was moved, only renames are left to do.
        stack.callback(_remove_staged, hot)
        marker = new_marker(hot, generation, COMPLETE)
        complete = stage_marker(hot, marker)
        back = stage_marker(hot, before) if before and before.state == COMPLETE else None
        state = RESTORING if before else FILLING
        restoring = stage_marker(hot, new_marker(hot, generation, state))
        swap = _Swap(live, new, old)
        os.rename(restoring, hot.marker)
        try:
            lost = swap.run()
            keep(marker)
        except BaseException:
            if back is not None:
                swap.back()
                os.rename(back, hot.marker)
                with suppress(OSError):
                    hot.remove_leftovers()
            raise
        os.rename(complete, hot.marker)
    with suppress(OSError):  # the next snapshot removes what is left of them
        hot.remove_leftovers()
    return marker, lost


def _remove_staged(hot: HotMemory) -> None:
    with suppress(OSError):  # the next exchange removes them
        remove_temporary_files(hot.marker)


def move_out(hot: HotMemory) -> bool:
    """Gather in `hot.old` all that an interrupted exchange left; whether there is anything."""
    hot.old.mkdir(mode=0o700, exist_ok=True)
    with _movable(hot.ram) as live, _movable(hot.old) as old:
        _Swap(live, -1, old).empty()
        return bool(os.listdir(old))


@contextmanager
def _movable(path: Path) -> Iterator[int]:
    """A directory whose entries can be moved, whatever its mode; that is given back at the end."""
    with Tree(path) as tree:
        mode = stat.S_IMODE(os.fstat(tree.fd).st_mode)
        try:
            _open_up(tree.fd)
            yield tree.fd
        finally:
            if 0o700 & ~mode:
                os.fchmod(tree.fd, mode)


def _open_up(directory: int) -> None:
    status = os.fstat(directory)
    if 0o700 & ~status.st_mode and status.st_uid == os.geteuid() != 0:
        os.fchmod(directory, stat.S_IMODE(status.st_mode) | 0o700)


class _Swap:
    """Moves what is in `live` to `old` and what is in `new` to `live`: descriptors."""

    def __init__(self, live: int, new: int, old: int) -> None:
        self._live = live
        self._new = new
        self._old = old
        self._taken = set(os.listdir(old))
        self._out: list[tuple[str, str]] = []  # name in `live`, name in `old`
        self._in: list[str] = []

    def run(self) -> list[Problem]:
        """Do it; what could not be put into place."""
        self.empty()
        problems = ((name, self._move_in(name)) for name in os.listdir(self._new))
        return [Problem(name, problem) for name, problem in problems if problem]

    def empty(self) -> None:
        """Move everything out of `live`."""
        for _ in range(_PASSES):
            names = os.listdir(self._live)
            for name in names:
                self._move_out(name)
            if not names:
                break

    def back(self) -> None:
        """Undo it. What came into `live` beside it stays there."""
        while self._in:
            name = self._in.pop()
            with suppress(FileNotFoundError):
                _move(name, self._live, name, self._new)
        taken = set(os.listdir(self._live))
        while self._out:
            name, kept = self._out.pop()
            name = _free(name, taken)
            taken.add(name)
            _move(kept, self._old, name, self._live)

    def _move_out(self, name: str) -> None:
        kept = _free(name, self._taken)
        with suppress(FileNotFoundError):
            _move(name, self._live, kept, self._old)
            self._taken.add(kept)
            self._out.append((name, kept))

    def _move_in(self, name: str) -> str:
        """Move one entry into place; why that can't be done, or ''."""
        for _ in range(_PASSES):
            try:
                # A rename would replace a file that a container has just put there.
                if _there(name, self._live):
                    self._move_out(name)
                _move(name, self._new, name, self._live)
                self._in.append(name)
                return ""
            except OSError as error:
                if error.errno not in _IN_THE_WAY:
                    raise
                problem = why(error)
            self._move_out(name)
        return f"a running session puts something else there: {problem}"


def _free(name: str, taken: set[str]) -> str:
    """The name, or one made of it that is not taken: some come twice."""
    count, free = 1, name
    while free in taken:
        count += 1
        free = f"{os.fsdecode(os.fsencode(name)[:200])}~{count}"
    return free


def _there(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _move(name: str, source: int, new_name: str, target: int) -> None:
    try:
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
        return
    except PermissionError:  # a directory that its owner may not write may not be moved either
        _open_up(source)  # a session may have closed it just now
        _open_up(target)
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=source)
    try:
        status = os.fstat(handle)
        same = f"/proc/self/fd/{handle}"  # by name, chmod would follow a link
        folder = stat.S_ISDIR(status.st_mode)
        if folder:
            os.chmod(same, stat.S_IMODE(status.st_mode) | 0o700)
        try:
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
        finally:
            if folder:
                os.chmod(same, stat.S_IMODE(status.st_mode))
    finally:
        os.close(handle)
