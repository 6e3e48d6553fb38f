"""Filling an empty directory with what a generation holds, every byte verified."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from .generations import Generation, Problem, copy_verified
from .manifest import DIRECTORY, FILE, LINK, Entry, parse
from .marker import HotMemory
from .recover import recover
from .scan import Budget, Limits
from .tree import Tree, damage

# Only a manifest that is not ours comes to this: a path that is in it twice or leads through a
# link, a name from another file system.
_NO_PLACE = (errno.EEXIST, errno.ENAMETOOLONG, errno.EILSEQ)


@dataclass(frozen=True)
class Recovered:
    """A damaged file that came from another generation."""

    path: str
    why: str
    generation: int


class Filling:
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
        budget = Budget(Limits())  # what a snapshot keeps at most; others' may claim anything
        with self._generation.files() as files:
            for line in self._generation.reader.lines():
                entry = parse(line)
                if entry.type not in (DIRECTORY, LINK, FILE):
                    continue
                if end := budget.entry(entry.path):
                    self.lost.append(Problem(entry.path, end))
                    break
                if entry.type == FILE and (no := budget.file(entry.size)):
                    self.lost.append(Problem(entry.path, no))
                    continue
                if entry.type == LINK and (no := budget.link(entry.target)):
                    self.lost.append(Problem(entry.path, no))
                    continue
                try:
                    if entry.type == DIRECTORY:
                        os.mkdir(entry.name, 0o700, dir_fd=self._target.go(entry.parent))
                        directories.append(line)
                    elif entry.type == LINK:
                        self._link(entry)
                    elif problem := self._file(entry, files, entry.path):
                        self._damaged[entry.path] = entry, problem
                except OSError as error:
                    self.lost.append(Problem(entry.path, damage(error, _NO_PLACE)))
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

        def attempt(entry: Entry, files: Tree, path: str) -> str:
            try:
                return self._file(entry, files, path)
            except OSError as error:
                return damage(error, _NO_PLACE)

        wanted = {path: entry for path, (entry, _) in self._damaged.items()}
        found_in = recover(self._disk, self._generation.number, wanted, attempt)
        for path, (_, problem) in self._damaged.items():
            if path in found_in:
                self.recovered.append(Recovered(path, problem, found_in[path]))
            else:
                self.lost.append(Problem(path, problem))
