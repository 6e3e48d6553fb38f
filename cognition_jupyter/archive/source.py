"""Reading a project that may be changed, or be hostile, while it is read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..exceptions import CognitionError, Conflict, NotFound, TooLarge
from ..memory.paths import shown
from ..memory.snapshots import manifest
from ..memory.snapshots.generations import (
    DAMAGED,
    Generation,
    copy_verified,
    newest_whole,
)
from ..memory.snapshots.recover import recover
from ..memory.snapshots.scan import Budget, Limits, in_turns, walk
from ..memory.snapshots.tree import Tree, open_regular, why
from ..projects.stage import ProjectPaths
from .layout import (
    DEPS,
    DIRECTORY,
    FILE,
    HOT,
    LINK,
    LOGS,
    MAX_NAME,
    PARTS,
    PERSISTENT,
    REPO,
    is_journal,
    outside,
)
from .layout import Entry as Archived

_NO_LIMITS = Limits(*[1 << 62] * 3)


class Content:
    """Exactly `size` bytes of an open file, whatever becomes of it meanwhile.

    What a file lost after its size was written down is filled up with zeros, and said.
    """

    def __init__(self, fd: int, size: int, sha256: str = "") -> None:
        self._fd = fd
        self._before = os.fstat(fd)
        self._left = self._size = size
        self._digest = hashlib.sha256()
        self._expected = sha256
        self._padded: int | None = None

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        wanted = min(size, self._left)
        piece = b""
        while len(piece) < wanted and self._padded is None:
            more = os.read(self._fd, wanted - len(piece))
            if not more:
                self._padded = self._size - self._left + len(piece)
            piece = piece + more if piece else more
        piece += bytes(wanted - len(piece))
        self._left -= wanted
        self._digest.update(piece)
        return piece

    def finish(self, name: str) -> tuple[str, str]:
        """Its SHA-256, and how it changed while it was read, or ''.

        Raises Conflict when it had to be something else.
        """
        digest = self._digest.hexdigest()
        if self._expected and digest != self._expected:
            raise Conflict(f"{shown(name)} was damaged while it was read.", DAMAGED)
        if self._padded is not None:
            return digest, f"it became shorter: from byte {self._padded} on it is zeros"
        after = os.fstat(self._fd)
        same = (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == (
            self._before.st_size,
            self._before.st_mtime_ns,
            self._before.st_ctime_ns,
        )
        return digest, "" if same else "it was written to while it was read"


class Found(NamedTuple):
    """Something in a project: an entry with the content of a file, or why it is left out."""

    name: str
    entry: Archived | None
    content: Content | None = None
    why: str = ""


@dataclass(frozen=True)
class Choice:
    """What is read of a project besides its files."""

    memory: bool = True
    deps: bool = False
    logs: bool = False


class Source:
    """A project to be read. All methods wait for the disk."""

    def __init__(self, paths: ProjectPaths, choice: Choice) -> None:
        self._paths = paths
        self._choice = choice
        self._identity = self._now()
        if self._identity is None:
            raise NotFound(f"There is no project {paths.project.name}.")

    def _now(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._paths.project, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _trees(self) -> Iterator[tuple[str, Path]]:
        if self._choice.memory:
            yield PERSISTENT, self._paths.persistent
        yield REPO, self._paths.repo
        if self._choice.deps:
            yield DEPS, self._paths.deps
        if self._choice.logs:
            yield LOGS, self._paths.logs

    def measure(self, most: int) -> None:
        """Raise TooLarge when there are more bytes than that, as far as can be seen."""
        total = 0
        for _, top in self._trees():
            try:
                with Tree(top) as tree:
                    for item in in_turns(walk(tree, Budget(_NO_LIMITS))):
                        if item.status is not None and stat.S_ISREG(item.status.st_mode):
                            total += item.status.st_size
            except OSError as error:
                why(error)  # told by `items`
            check_size(total, most)

    def _all(self) -> Iterator[Found]:
        if self._choice.memory:  # first: generations are deleted when they are old
            yield from _hot_items(self._paths.snapshots)
        for part, top in self._trees():
            yield from _tree_items(part, top)

    def items(self) -> Generator[Found, None, None]:
        """Everything that is chosen, to be closed; a directory before what is in it.

        The content is to be read before the next one is asked for. Raises Conflict when the
        project was deleted meanwhile: what is missing could pass for never having been there.
        """
        yield from _once(self._all())
        if self._now() != self._identity:
            raise Conflict(
                f"{self._paths.project.name} was deleted while it was read.", "deleted_meanwhile"
            )


def _once(items: Iterator[Found]) -> Iterator[Found]:
    """`items` without what comes twice, or below what is no directory.

    A directory that is changed while it is read may list a name again, also as something else.
    """
    seen: set[int] = set()  # of hashes: names can be long
    directories: set[int] = set()
    for found in items:
        if found.entry is None:
            yield found
            continue
        key = hash(found.name)
        if found.name in PARTS or hash(found.name.rpartition("/")[0]) in directories:
            if key not in seen:
                seen.add(key)
                if found.entry.type == DIRECTORY:
                    directories.add(key)
                yield found
        else:
            yield Found(found.name, None, why="its directory was replaced meanwhile")


def check_size(size: int, most: int) -> None:
    """Raise TooLarge for more than that."""
    if size > most:
        raise TooLarge(
            f"The project has more than {most} bytes, the most that an archive may hold "
            "(Archives.max_bytes).",
            "archive_too_large",
        )


def _tree_items(part: str, top: Path) -> Iterator[Found]:
    try:
        tree = Tree(top)
    except OSError as error:
        yield Found(part, None, why=why(error))
        return
    with tree:
        yield Found(part, _directory(part, os.fstat(tree.fd)))
        for item in in_turns(walk(tree, Budget(_NO_LIMITS))):
            name = f"{part}/{outside(item.path)}" if item.path else part
            if item.status is None:
                yield Found(name, None, why=item.why)
            elif part == LOGS and not is_journal(item.path):
                yield Found(name, None, why="it is no journal")
            elif len(name) * 4 > MAX_NAME and len(os.fsencode(name)) > MAX_NAME:
                yield Found(name, None, why=f"its path is longer than {MAX_NAME} bytes")
            elif stat.S_ISDIR(item.status.st_mode):
                yield Found(name, _directory(name, item.status))
            elif stat.S_ISLNK(item.status.st_mode):
                yield from _link(name, item.name, item.status, tree)
            else:
                yield from _file(name, item.name, tree)


def _directory(name: str, status: os.stat_result) -> Archived:
    return Archived(name, DIRECTORY, status.st_mode & 0o777, status.st_mtime_ns)


def _link(name: str, last: str, status: os.stat_result, tree: Tree) -> Iterator[Found]:
    try:
        target = outside(os.readlink(last, dir_fd=tree.fd))
    except FileNotFoundError:
        return
    except OSError as error:
        yield Found(name, None, why=why(error))
        return
    yield Found(name, Archived(name, LINK, 0o777, status.st_mtime_ns, target=target))


def _file(name: str, last: str, tree: Tree) -> Iterator[Found]:
    try:
        fd = open_regular(last, tree.fd)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Found(name, None, why=why(error))
        return
    try:
        status = os.fstat(fd)
        size = status.st_size
        entry = Archived(name, FILE, status.st_mode & 0o777, status.st_mtime_ns, size)
        yield Found(name, entry, Content(fd, size))
    finally:
        os.close(fd)


# -- hot memory ----------------------------------------------------------------------------


def _hot_items(disk: Path) -> Iterator[Found]:
    with newest_whole(disk) as generation:
        if generation is None:
            return
        taken = int(generation.header.taken_at.timestamp() * 10**6) * 1000
        yield Found(HOT, Archived(HOT, DIRECTORY, 0o700, taken))
        try:
            for entry in in_turns(generation.reader.entries()):
                yield from _hot_item(disk, generation, entry)
        except manifest.Damaged as error:
            number = generation.number
            raise Conflict(f"Snapshot {number} is damaged: {error}.", DAMAGED) from None


def _hot_item(disk: Path, generation: Generation, entry: manifest.Entry) -> Iterator[Found]:
    name = f"{HOT}/{outside(entry.path)}" if entry.path else HOT
    if entry.type == manifest.SKIPPED:
        yield Found(name, None, why=entry.why)
    elif len(os.fsencode(name)) > MAX_NAME:
        yield Found(name, None, why=f"its path is longer than {MAX_NAME} bytes")
    elif entry.type == manifest.DIRECTORY:
        yield Found(name, Archived(name, DIRECTORY, entry.mode & 0o777, entry.mtime_ns))
    elif entry.type == manifest.LINK:
        target = outside(entry.target)
        yield Found(name, Archived(name, LINK, 0o777, entry.mtime_ns, target=target))
    else:
        fds: list[int] = []
        try:
            problem = _open_verified(disk, generation, entry, fds)
            if problem:
                yield Found(name, None, why=f"it is damaged: {problem}")
                return
            archived = Archived(name, FILE, entry.mode & 0o777, entry.mtime_ns, entry.size)
            yield Found(name, archived, Content(fds[0], entry.size, entry.sha256))
        finally:
            for fd in fds:
                os.close(fd)


def _open_verified(
    disk: Path, generation: Generation, entry: manifest.Entry, fds: list[int]
) -> str:
    """Open a good copy of the file, adding to `fds`; why there is none, or ''."""

    def attempt(entry: manifest.Entry, files: Tree | None, path: str) -> str:
        problem = copy_verified(files, path, entry, None)
        if not problem and files is not None:
            parent, _, last = path.rpartition("/")
            try:
                fds.append(open_regular(last, files.go(parent)))
            except OSError as error:
                return why(error)
        return problem

    with generation.files() as files:
        problem = attempt(entry, files, entry.path)
    if problem:
        with suppress(CognitionError):
            recover(disk, generation.number, {entry.path: entry}, attempt)
    return "" if fds else problem
