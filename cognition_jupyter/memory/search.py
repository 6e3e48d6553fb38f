"""Glob and grep over the trees behind several routes, within one budget."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass

from ..exceptions import InvalidInput
from .directory import Directory, Parts, is_temporary, open_in, read_up_to
from .paths import MAX_PATH_BYTES, join_path
from .patterns import Pattern, State
from .shapes import Entry, Found, Limits, Match, Matches
from .walk import Budget, Spent, walk

_CHUNK = 1 << 18
_LONGEST_TEXT = 1 << 16
_LONG_LINE = 2000  # bytes of a line that are shown
_ANY = Pattern("{*,.*}")


@dataclass(frozen=True)
class Source:
    """A tree to search: `path` is the virtual one of its directory `parts`."""

    path: Parts
    tree: Directory
    parts: Parts
    hidden: frozenset[str]  # virtual paths at which other routes begin
    required: bool  # whether it is an error when it is not there


_File = tuple[int, str, str]  # the open directory it is in, its name there, its virtual path
_Lines = Generator[tuple[int, str], None, None]


def find_files(pattern: Pattern, top: Parts, sources: Iterable[Source], limits: Limits) -> Found:
    """Regular files that match, by path."""
    budget = Budget(limits.visited, limits.seconds)
    found: list[Entry] = []
    try:
        with closing(_files(pattern, top, sources, budget)) as files:
            for folder, name, path in files:
                try:
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except OSError as error:
                    budget.failed(error)
                    continue
                if not stat.S_ISREG(status.st_mode):
                    continue
                if len(found) == limits.found:
                    raise budget.stop("limit")
                found.append(Entry(path, "file", status.st_size, status.st_mtime_ns))
    except Spent:
        pass
    found.sort(key=lambda entry: entry.path)
    return Found(tuple(found), budget.reason)


def find_lines(
    text: str, only: Pattern | None, top: Parts, sources: Iterable[Source], limits: Limits
) -> Matches:
    """Lines of text files that hold `text`, by path and line. Raises InvalidInput."""
    try:
        needle = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        needle = b""
    if not needle or b"\n" in needle or len(needle) > _LONGEST_TEXT:
        raise InvalidInput("A text to look for must be a part of one line.", "invalid_pattern")
    budget = Budget(limits.visited, limits.seconds, limits.scanned_bytes)
    matches: list[Match] = []
    try:
        with closing(_files(only or _ANY, top, sources, budget)) as files:
            for folder, name, path in files:
                with closing(_search(folder, name, needle, budget)) as lines:
                    for line, piece in lines:
                        if len(matches) == limits.matches:
                            raise budget.stop("limit")
                        matches.append(Match(path, line, piece))
    except Spent:
        pass
    matches.sort(key=lambda match: (match.path, match.line))
    return Matches(tuple(matches), budget.reason)


def _files(
    pattern: Pattern, top: Parts, sources: Iterable[Source], budget: Budget
) -> Generator[_File, None, None]:
    """What matches and may be a regular file."""
    for source in sources:
        state: State | None = pattern.start
        for name in source.path[len(top) :]:
            state = pattern.enter(state, name) if state else None
        if not state:
            continue
        try:
            yield from _files_in(source, pattern, state, budget)
        except (NotADirectoryError, PermissionError) as error:
            if source.path != top:
                budget.unreadable = True
                continue
            if not source.parts or isinstance(error, PermissionError):
                raise
            with source.tree.folder(source.parts[:-1]) as folder:  # the search begins at a file
                if pattern.matches(state, source.parts[-1]):
                    yield folder, source.parts[-1], join_path(*source.path)
        except FileNotFoundError:
            if source.required:
                raise


def _files_in(
    source: Source, pattern: Pattern, state: State, budget: Budget
) -> Generator[_File, None, None]:
    above = join_path(*source.path, "")

    def enter(state: State, below: str | None) -> State | None:
        if below is None:
            budget.unreadable = True  # there may be files, but nobody can name them
            return None
        if above + below in source.hidden:
            return None
        return pattern.enter(state, below[below.rfind("/") + 1 :])

    with closing(walk(source.tree, source.parts, state, enter, budget)) as steps:
        for folder, below, entry, place in steps:
            if not pattern.matches(place, entry.name) or is_temporary(entry.name):
                continue
            path = f"{above}{below}{entry.name}"
            if path in source.hidden:
                continue
            if len(os.fsencode(path)) <= MAX_PATH_BYTES:
                yield folder, entry.name, path
            else:
                budget.unreadable = True


def _search(folder: int, name: str, needle: bytes, budget: Budget) -> _Lines:
    """(line number, line) of each line of a text file that holds `needle`.

    Piece by piece: neither a large file nor a long line takes much memory. A NUL ends a file: it
    is none of text.
    """
    try:
        fd = open_in(folder, name)
    except OSError as error:
        budget.failed(error)
        return
    try:
        size = os.fstat(fd).st_size
        number, last, held = 1, 0, b""
        while piece := read_up_to(fd, _CHUNK, size + 1):
            if b"\0" in piece:
                return
            budget.scan(len(piece))
            held += piece
            # Whole lines; of one that is longer than a piece, all but what may begin a match.
            end = held.rfind(b"\n") + 1
            if not end and len(held) > _CHUNK:
                end = len(held) - len(needle) + 1
            # A match that begins before `end` ends before this, and no other does.
            for line, text in _lines(held[: end + len(needle) - 1], needle, number):
                if line > last:
                    yield line, text
                    last = line
            number += held.count(b"\n", 0, end)
            held = held[end:]
        yield from (found for found in _lines(held, needle, number) if found[0] > last)
    except OSError as error:
        budget.failed(error)
    finally:
        os.close(fd)


def _lines(data: bytes, needle: bytes, number: int) -> _Lines:
    """(line number, line) of the lines in `data`, the first of which has the number `number`."""
    counted = 0
    at = data.find(needle)
    while at >= 0:
        begin = data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        number += data.count(b"\n", counted, begin)
        counted = begin
        yield number, _cut(data[begin:end], at - begin)
        at = data.find(needle, end)


def _cut(line: bytes, at: int) -> str:
    """A line as text; of a long one the part around the byte `at`."""
    line = line.removesuffix(b"\r")
    begin = max(0, min(at - _LONG_LINE // 2, len(line) - _LONG_LINE))
    return line[begin : begin + _LONG_LINE].decode("utf-8", "replace")
