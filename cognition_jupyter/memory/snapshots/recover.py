"""Finding another copy of a damaged file among all generations."""

from __future__ import annotations

import os
from collections.abc import Callable
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
    bad: set[tuple[int, int]] = set()  # inodes, for many generations share one
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
            candidates = [] if other == number else [(path, path) for path in missing]
            with suppress(Damaged):
                candidates += _same_digest(disk, other, missing)
            for path, there in candidates:
                if path not in missing or (other == number and there == path):
                    continue
                identity = _identity(files, there)
                if identity is None or identity in bad:
                    continue
                if attempt(missing[path], files, there):
                    bad.add(identity)
                else:
                    recovered[path] = other
                    del missing[path]
    return recovered


def _same_digest(disk: Path, number: int, missing: dict[str, Entry]) -> list[tuple[str, str]]:
    """Pairs of a missing path and a path in that generation with the same content."""
    by_digest: dict[str, list[str]] = {}
    for path, entry in missing.items():
        by_digest.setdefault(entry.sha256, []).append(path)
    pairs = []
    with opened(disk, number) as generation:
        for line in generation.reader.lines():
            digest = line.partition(_DIGEST)[2][:64]
            if digest in by_digest:
                there = parse(line).path
                pairs += [(path, there) for path in by_digest[digest]]
    return pairs


def _identity(files: Tree, path: str) -> tuple[int, int] | None:
    """The inode of a copy; None when there is none."""
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
