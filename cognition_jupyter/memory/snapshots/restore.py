"""Restoring: a generation becomes the content of the directory in RAM, every byte verified.

The directory may be mounted in running containers, so its inode stays. The new content is built
beside it; then the marker says "restoring", the old entries are moved out and the new ones in, and
the marker says "complete". Killed before, the old content stands as it was; killed between, the
next call does it again from the disk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ...projects.files import LOCK_TIMEOUT, locked
from ...projects.tree import remove_tree
from .durable import storage_full
from .generations import Generation, Problem, copy_verified, found, numbers, opened
from .manifest import DIRECTORY, FILE, LINK, Damaged, Entry, parse
from .marker import COMPLETE, HotMemory, complete_marker, read_marker, write_marker
from .recover import recover
from .swap import replace_content
from .tree import Tree, why

_NOT_RESTORED = "Hot memory was not restored"


@dataclass(frozen=True)
class Recovered:
    """A damaged file that came from another generation."""

    path: str
    why: str
    generation: int


@dataclass
class Restored:
    """What a restore did. `generation` None: no generation could be restored, RAM is empty.

    `damaged` names generations that were passed over, `lost` the files (and links, directories)
    that could not be had from anywhere.
    """

    generation: int | None = None
    files: int = 0
    bytes: int = 0
    recovered: list[Recovered] = field(default_factory=list)
    lost: list[Problem] = field(default_factory=list)
    damaged: list[tuple[int, str]] = field(default_factory=list)


def ensure_restored(hot: HotMemory, lock_timeout: float = LOCK_TIMEOUT) -> Restored | None:
    """Make sure that the directory in RAM is whole; None when it already was (microseconds).

    A restore that was interrupted is done again, to the same generation; otherwise the newest one
    that can be is restored. Raises StorageFull, RuntimeUnavailable (`locked`), OSError.
    """
    if complete_marker(hot) is not None:
        return None
    with storage_full(_NOT_RESTORED), locked(hot.lock, lock_timeout):
        marker = read_marker(hot)  # another process may have been quicker
        if marker is not None and marker.state == COMPLETE:
            return None
        hot.make()  # only under the lock: a release may just have removed it
        wanted = numbers(hot.disk)
        if marker is not None and marker.generation in wanted:
            wanted = [marker.generation, *wanted]
        restored = Restored()
        if not wanted:
            hot.remove_leftovers()
            write_marker(hot, None, COMPLETE)
            return restored
        for number in wanted:
            try:
                with opened(hot.disk, number) as generation:
                    return _restore(hot, generation, restored)
            except Damaged as error:
                restored.damaged.append((number, str(error)))
        # What is in RAM was never whole: it goes, and sessions start with nothing.
        hot.remove_leftovers()
        hot.new.mkdir(mode=0o700)
        replace_content(hot, None)
        return restored


def restore(hot: HotMemory, generation: int, lock_timeout: float = LOCK_TIMEOUT) -> Restored:
    """Restore that generation, also while containers run. Takes no snapshot first.

    Raises NotFound, Conflict (`snapshot_damaged`), StorageFull, RuntimeUnavailable (`locked`),
    OSError; the directory in RAM is as it was then, or the next `ensure_restored` restores it.
    """
    with (
        storage_full(_NOT_RESTORED),
        locked(hot.lock, lock_timeout),
        found(hot.disk, generation) as chosen,
    ):
        return _restore(hot, chosen, Restored())


def _restore(hot: HotMemory, generation: Generation, restored: Restored) -> Restored:
    """Build the content beside, then put it in place; adds to `restored`. Raises Damaged."""
    hot.remove_leftovers()
    hot.new.mkdir(mode=0o700)
    try:
        with Tree(hot.new) as target:
            filling = _Filling(hot, generation, target)
            filling.run()
    except BaseException:
        remove_tree(hot.new)
        raise
    filling.lost += replace_content(hot, generation.number)
    restored.generation = generation.number
    restored.files, restored.bytes = filling.files, filling.bytes
    restored.recovered, restored.lost = filling.recovered, filling.lost
    return restored


class _Filling:
    """Fills the new, empty directory `target` with what `generation` holds."""

    def __init__(self, hot: HotMemory, generation: Generation, target: Tree) -> None:
        self._disk = hot.disk
        self._user = hot.user if os.geteuid() == 0 else None
        self._generation = generation
        self._target = target
        self._damaged: dict[str, tuple[Entry, str]] = {}
        self.files = self.bytes = 0
        self.recovered: list[Recovered] = []
        self.lost: list[Problem] = []

    def run(self) -> None:
        """Raises Damaged when a line of the manifest can't be read, OSError."""
        directories = []
        with self._generation.files() as files:
            for line in self._generation.reader.lines():
                entry = parse(line)
                try:
                    if entry.type == DIRECTORY:
                        os.mkdir(entry.name, 0o700, dir_fd=self._target.go(entry.parent))
                        directories.append(line)
                    elif entry.type == LINK:
                        self._link(entry)
                    elif entry.type == FILE and (problem := self._file(entry, files, entry.path)):
                        self._damaged[entry.path] = entry, problem
                except OSError as error:  # only a manifest that is not ours comes to this
                    self.lost.append(Problem(entry.path, why(error)))
        if self._damaged:
            self._recover()
        # What is inside first: filling changes the time, and a mode may forbid to go in.
        for line in reversed(directories):
            entry = parse(line)
            self._finish(self._target.go(entry.path), entry)

    def _file(self, entry: Entry, files: Tree | None, path: str) -> str:
        """Put the file there from the copy `path` in `files`; why that is no good, or ''."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        parent = self._target.go(entry.parent)
        out = os.open(entry.name, flags, 0o600, dir_fd=parent)
        try:
            problem = copy_verified(files, path, entry, out)
            if problem:
                os.unlink(entry.name, dir_fd=parent)
                return problem
            self._finish(out, entry)
        finally:
            os.close(out)
        self.files += 1
        self.bytes += entry.size
        return ""

    def _finish(self, fd: int, entry: Entry) -> None:
        """Owner, mode, time; nothing runs with somebody else's rights after a restore."""
        if self._user is not None:
            os.fchown(fd, *self._user)
        os.fchmod(fd, entry.mode & 0o777)
        os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))

    def _link(self, entry: Entry) -> None:
        parent = self._target.go(entry.parent)
        os.symlink(entry.target, entry.name, dir_fd=parent)
        if self._user is not None:
            os.chown(entry.name, *self._user, dir_fd=parent, follow_symlinks=False)
        times = (entry.mtime_ns, entry.mtime_ns)
        os.utime(entry.name, ns=times, dir_fd=parent, follow_symlinks=False)

    def _recover(self) -> None:
        """Get what is damaged from the newest other copy that verifies."""
        wanted = {path: entry for path, (entry, _) in self._damaged.items()}
        found_in = recover(self._disk, self._generation.number, wanted, self._file)
        for path, (_, problem) in self._damaged.items():
            if path in found_in:
                self.recovered.append(Recovered(path, problem, found_in[path]))
            else:
                self.lost.append(Problem(path, problem))
