"""The generations of hot memory on disk: finding, checking and thinning them.

    {project}/.memories/hot/00000017/manifest    written last: see manifest.py
                                     files/      plain copies under the names they had in RAM
                            .tmp-…               on its way in or out; removed by the next snapshot

A copy may be a hard link to the one of an older generation. Symbolic links stand only in the
manifest. What is here may come from an import: it is read as carefully as hot memory itself.
"""

from __future__ import annotations

import math
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from ...exceptions import Conflict, NotFound
from ...projects.files import fsync_directory
from ...projects.tree import remove_tree
from .manifest import FILE, Damaged, Entry, Header, Totals
from .manifest_file import NAME, Reader
from .scan import copy
from .tree import ROTTEN, Tree, damage, open_regular, why

FILES = "files"
TEMPORARY = ".tmp-"
DAMAGED = "snapshot_damaged"
BEFORE_RESTORE = "restore"
_NUMBER = re.compile(r"[0-9]{8}|[1-9][0-9]{8,14}")


def directory_name(number: int) -> str:
    """Name of a generation's directory."""
    return f"{number:08d}"


def next_number(disk: Path) -> int:
    """The number of a generation that is newer than all that have a directory. Raises Conflict."""
    number = max(numbers(disk), default=0) + 1
    if not _NUMBER.fullmatch(directory_name(number)):
        raise Conflict(f"There is no number for a snapshot after {number - 1}.", DAMAGED)
    return number


def _is_there(disk: Path, number: int) -> bool:
    """Whether it still has a directory: who reads holds no lock, and older ones are deleted."""
    return os.path.lexists(disk / directory_name(number))


def numbers(disk: Path) -> list[int]:
    """Numbers of all generations that have a directory, newest first, whole or not."""
    try:
        found = os.listdir(disk)
    except FileNotFoundError:
        return []
    return sorted((int(name) for name in found if _NUMBER.fullmatch(name)), reverse=True)


class Generation:
    """One whole generation, open to be read."""

    def __init__(self, number: int, directory: int, reader: Reader) -> None:
        self.number = number
        self._directory = directory
        self.reader = reader

    @property
    def header(self) -> Header:
        """First line of the manifest."""
        return self.reader.header

    @property
    def totals(self) -> Totals:
        """Last line of the manifest."""
        return self.reader.totals

    @contextmanager
    def files(self) -> Iterator[Tree | None]:
        """Its copies, or None when they are gone."""
        with ExitStack() as stack:
            copies = None
            try:
                copies = stack.enter_context(Tree(FILES, dir_fd=self._directory))
            except OSError as error:
                damage(error)
            yield copies


@contextmanager
def opened(disk: Path, number: int, check: bool = True) -> Iterator[Generation]:
    """The generation `number`. Raises Damaged; with `check`, also for a wrong checksum.

    Raises OSError when it can't be read, which does not say that it never can be.
    """
    with ExitStack() as stack:
        try:
            tree = stack.enter_context(Tree(disk / directory_name(number)))
            manifest = open_regular(NAME, tree.fd)
        except OSError as error:
            raise Damaged(f"its manifest: {damage(error)}") from None
        stack.callback(os.close, manifest)
        reader = Reader(manifest, check)
        if reader.header.generation != number:
            raise Damaged(f"its manifest is that of generation {reader.header.generation}")
        yield Generation(number, tree.fd, reader)


@contextmanager
def found(disk: Path, number: int) -> Iterator[Generation]:
    """The generation `number` for somebody who asked.

    Raises NotFound (`snapshot_not_found`) and Conflict (`snapshot_damaged`), both also out of the
    `with` block.
    """
    if number not in numbers(disk):
        raise _not_found(number)
    try:
        with opened(disk, number) as generation:
            yield generation
    except (Damaged, Conflict) as error:
        if not _is_there(disk, number):
            raise _not_found(number) from None
        if isinstance(error, Conflict):
            raise
        raise Conflict(f"Snapshot {number} is damaged: {error}.", DAMAGED) from None


def _not_found(number: int) -> NotFound:
    return NotFound(f"There is no snapshot {number}.", "snapshot_not_found")


@contextmanager
def newest_whole(disk: Path) -> Iterator[Generation | None]:
    """The newest generation with a whole manifest, or None."""
    with ExitStack() as stack:
        generation = None
        for number in numbers(disk):
            with suppress(Damaged):
                generation = stack.enter_context(opened(disk, number))
                break
        yield generation


@dataclass(frozen=True)
class Summary:
    """A generation in a list. Of a damaged one only `number` and why are known.

    `unread`: it could not be read just now, and may be whole.
    """

    number: int
    taken_at: datetime | None = None
    reason: str = ""
    files: int = 0
    bytes: int = 0
    skipped: int = 0
    damaged: str = ""
    unread: bool = False


def list_generations(
    disk: Path, checked: float = math.inf, most: int | None = None
) -> list[Summary]:
    """The `most` newest generations, newest first; the first `checked` whole ones are checked.

    Of the others only both ends of the manifest are read.
    """
    summaries: list[Summary] = []
    whole = 0
    for number in numbers(disk)[:most]:
        try:
            with opened(disk, number, whole < checked) as generation:
                header, totals = generation.header, generation.totals
        except Damaged as error:
            if _is_there(disk, number):
                summaries.append(Summary(number, damaged=str(error)))
            continue
        except OSError as error:
            summaries.append(Summary(number, damaged=f"its manifest: {why(error)}", unread=True))
            continue
        whole += 1
        skipped = totals.skipped + totals.unnamed
        summaries.append(
            Summary(number, header.taken_at, header.reason, totals.files, totals.bytes, skipped)
        )
    return summaries


# -- copies ----------------------------------------------------------------------------------


def copy_verified(files: Tree | None, path: str, entry: Entry, target: int | None) -> str:
    """Copy what `files` has as `path` if it is what `entry` says; why it is not, or ''.

    Raises OSError when it can't be read, which does not say that it never can be.
    """
    if files is None:
        return "the copies of its generation are gone"
    parent, _, name = path.rpartition("/")
    try:
        source = open_regular(name, files.go(parent))
    except OSError as error:
        return damage(error, ROTTEN)
    try:
        size = os.fstat(source).st_size
        if size != entry.size:
            return f"it has {size} bytes instead of {entry.size}"
        done, digest = copy(source, target, size)
    except OSError as error:
        return damage(error, ROTTEN)
    finally:
        os.close(source)
    if done != size or digest != entry.sha256:
        return "its checksum is wrong"
    return ""


class Problem(NamedTuple):
    """A file of a generation that is not as its manifest says."""

    path: str
    why: str


def verify(disk: Path, number: int) -> list[Problem]:
    """Read every copy of a generation; the files that are damaged. Raises NotFound, Conflict."""
    with found(disk, number) as generation, generation.files() as files:
        entries = (entry for entry in generation.reader.entries() if entry.type == FILE)
        checked = ((e.path, copy_verified(files, e.path, e, None)) for e in entries)
        problems = [Problem(path, problem) for path, problem in checked if problem]
    if problems and not _is_there(disk, number):
        raise _not_found(number)
    return problems


# -- deleting --------------------------------------------------------------------------------


def delete(disk: Path, number: int) -> None:
    """Remove a generation: with one rename it is none any more. The caller holds the lock."""
    doomed = disk / f"{TEMPORARY}{directory_name(number)}-{secrets.token_hex(4)}"
    os.rename(disk / directory_name(number), doomed)
    fsync_directory(disk)
    remove_tree(doomed)


def remove_leftovers(disk: Path) -> None:
    """Remove what killed processes left half made or half deleted. The caller holds the lock."""
    for name in os.listdir(disk):
        if name.startswith(TEMPORARY):
            remove_tree(disk / name)


def surplus(
    summaries: list[Summary],
    keep: int,
    now: datetime,
    hourly: timedelta = timedelta(days=1),
    daily: timedelta = timedelta(days=30),
) -> list[int]:
    """Numbers of the generations to delete, out of a list that is newest first.

    Kept are the newest `keep` (at least one), then the last of each hour for `hourly`, the last of
    each day for `daily`. Damaged ones may hold the only good copy of a file: they are kept until
    `keep` whole ones are newer. Always kept is what could not be read just now, and the newest that
    was taken before a restore: it is what undoes that.
    """
    undo = next((s.number for s in summaries if s.reason == BEFORE_RESTORE), None)
    kept = 0
    seen: set[str] = set()
    doomed = []
    for summary in summaries:
        if summary.taken_at is None:
            if not summary.unread and kept >= max(keep, 1):
                doomed.append(summary.number)
            continue
        age = now - summary.taken_at
        hour = f"{summary.taken_at:%Y-%m-%dT%H}"
        bucket = hour if age < hourly else hour[:10]
        if kept < max(keep, 1):
            kept += 1
        elif summary.number != undo and (age >= daily or bucket in seen):
            doomed.append(summary.number)
        seen |= {hour, hour[:10]}
    return doomed
