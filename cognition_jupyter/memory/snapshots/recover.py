"""Finding another copy of a damaged file among all generations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from ...exceptions import Conflict, InvalidInput, NotFound, TooLarge
from .generations import (
    DAMAGED,
    FILES,
    Generation,
    copy_verified,
    directory_name,
    found,
    numbers,
    opened,
)
from .manifest import FILE, Damaged, Entry, parse, quoted
from .tree import Tree, why

_DIGEST = '"sha256":"'  # can't be inside a path: quotes are escaped there

_Content = tuple[int, str]  # size and digest
Attempt = Callable[[Entry, Tree, str], str]


def recover(disk: Path, number: int, wanted: dict[str, Entry], attempt: Attempt) -> dict[str, int]:
    """Get the files `wanted` of generation `number`, by their path, from the newest good copies.

    In each generation, newest first, a copy may have the same path, also when the manifest is
    damaged, or any path that the manifest lists with the same digest. `attempt` is given the
    entry, a generation's copies and the path there; it returns why that copy is no good, or ''.
    Returns which path came from which generation.
    """
    missing = dict(wanted)
    recovered: dict[str, int] = {}
    bad: set[tuple[int, int, _Content]] = set()  # many generations share one inode
    same: dict[_Content, list[str]] = {}
    for path, entry in wanted.items():
        same.setdefault((entry.size, entry.sha256), []).append(path)

    def get(path: str, files: Tree, there: str) -> bool:
        entry = missing[path]
        inode = _inode(files, there)
        copy = (*inode, (entry.size, entry.sha256)) if inode else None
        if copy is None or copy in bad:
            return False
        if attempt(entry, files, there):
            bad.add(copy)
            return False
        recovered[path] = other
        del missing[path]
        return True

    for other in numbers(disk):
        if not missing:
            break
        with ExitStack() as stack:
            try:
                top = stack.enter_context(Tree(disk / directory_name(other)))
                files = stack.enter_context(Tree(FILES, dir_fd=top.fd))
            except OSError as error:
                why(error)
                continue
            if other != number:
                for path in [*missing]:
                    get(path, files, path)
            with suppress(Damaged):
                for content, there in _listed(disk, other, {digest for _, digest in same}):
                    # One good copy does for all that are the same; of a bad one, one is tried.
                    paths = same.get(content, [])
                    while paths and (paths[-1] not in missing or get(paths[-1], files, there)):
                        paths.pop()
    return recovered


def _listed(disk: Path, number: int, digests: set[str]) -> Iterator[tuple[_Content, str]]:
    """The files of these digests in that generation. Raises Damaged."""
    with opened(disk, number) as generation:
        for line in generation.reader.lines():
            if line.partition(_DIGEST)[2][:64] in digests:
                entry = parse(line)
                if entry.type == FILE:  # another's path may lead anywhere
                    yield (entry.size, entry.sha256), entry.path


def _inode(files: Tree, path: str) -> tuple[int, int] | None:
    """Device and inode of a copy; None when there is none."""
    parent, _, name = path.rpartition("/")
    try:
        status = os.stat(name, dir_fd=files.go(parent), follow_symlinks=False)
    except OSError as error:
        why(error)
        return None
    return status.st_dev, status.st_ino


def read_file(disk: Path, number: int, path: str, limit: int = 64 << 20) -> bytes:
    """The verified bytes of a file as it was in generation `number`.

    Raises NotFound (`snapshot_not_found`, `file_not_found`), InvalidInput when `path` was no file,
    TooLarge above `limit` bytes, Conflict (`snapshot_damaged`).
    """
    with found(disk, number) as generation:
        start = f'{{"path":{quoted(path)},'
        line = next((line for line in generation.reader.lines() if line.startswith(start)), None)
        entry = None if line is None else parse(line)
        if entry is None:
            raise NotFound(f"There is no {path} in snapshot {number}.", "file_not_found")
        if entry.type != FILE:
            raise InvalidInput(f"{path} is no file in snapshot {number}.")
        if entry.size > limit:
            raise TooLarge(f"{path} has {entry.size} bytes, at most {limit} are read at once.")
        return content(disk, generation, entry)


def content(disk: Path, generation: Generation, entry: Entry) -> bytes:
    """The verified bytes of a file, from another copy if its own is damaged. Raises Conflict."""
    memory = os.memfd_create("snapshot")
    try:

        def attempt(entry: Entry, files: Tree | None, there: str) -> str:
            os.ftruncate(memory, 0)
            os.lseek(memory, 0, os.SEEK_SET)
            return copy_verified(files, there, entry, memory)

        with generation.files() as files:
            problem = attempt(entry, files, entry.path)
        number = generation.number
        if problem and not recover(disk, number, {entry.path: entry}, attempt):
            sentence = f"{entry.path} is damaged in snapshot {number}: {problem}."
            raise Conflict(sentence, DAMAGED)
        return os.pread(memory, entry.size, 0)
    finally:
        os.close(memory)
