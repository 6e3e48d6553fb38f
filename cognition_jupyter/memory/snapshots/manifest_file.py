"""The file of a manifest: written line by line, read line by line, checked as a whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from .manifest import DIRECTORY, FILE, LINK, Damaged, Entry, Header, Totals, parse, quoted_path_of
from .scan import in_turns, write_all

NAME = "manifest"

_LONGEST_LINE = 1 << 16  # two paths, six characters a byte
# What Limits allow fits: 250,000 lines of at most 256 characters without their paths and targets,
# 32 MiB of those, and the thousand that are named as left out, which may stand there twice.
_LARGEST = 1 << 27
_MOST_LINES = 1 << 18
_BUFFER = 1 << 17
_CHECKSUM = ',"sha256":"'


class Writer:
    """Writes a manifest to `fd`, line by line. Syncing is the caller's.

    Raises Damaged when it becomes larger than a reader takes.
    """

    def __init__(self, fd: int, header: Header) -> None:
        self._fd = fd
        self._digest = hashlib.sha256()
        self._size = 0
        # No io.BufferedWriter: collected late, it would flush to whatever has the number by then.
        self._buffer = bytearray()
        self.line(header.line())

    def line(self, line: str) -> None:
        """Add a line."""
        self._buffer += line.encode("ascii") + b"\n"
        if len(self._buffer) > _BUFFER:
            self._flush()

    def finish(self, totals: Totals) -> None:
        """Write the last line."""
        self._buffer += totals.start().encode("ascii")
        self._flush()
        self.line(f'{_CHECKSUM}{self._digest.hexdigest()}"}}')
        self._flush()

    def _flush(self) -> None:
        self._size += len(self._buffer)
        if self._size > _LARGEST:
            raise Damaged("its manifest is too large")
        self._digest.update(self._buffer)
        write_all(self._fd, bytes(self._buffer))
        self._buffer.clear()


class Lines:
    """Lines by their path as it stands in JSON.

    In many dictionaries: while a single large one grows or goes, every other thread stands still.
    """

    def __init__(self) -> None:
        self._parts: list[dict[str, str]] = [{} for _ in range(256)]

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def add(self, line: str) -> None:
        """Raises Damaged when the line has no path."""
        key = quoted_path_of(line)
        self._parts[hash(key) & 255][key] = line

    def get(self, key: str) -> str | None:
        """The line of that path, or None."""
        return self._parts[hash(key) & 255].get(key)

    def pop(self, key: str) -> str | None:
        """Take the line of that path out."""
        return self._parts[hash(key) & 255].pop(key, None)

    def drain(self) -> Iterator[str]:
        """Take all lines out, one after the other."""
        return in_turns(self._drained())

    def _drained(self) -> Iterator[str]:
        for part in self._parts:
            while part:
                yield part.popitem()[1]


class Reader:
    """A manifest open as `fd`. Raises Damaged; with `check`, also when its checksum is wrong."""

    def __init__(self, fd: int, check: bool = True) -> None:
        self._fd = fd
        size = os.fstat(fd).st_size
        if size > _LARGEST:
            raise Damaged("its manifest is too large")
        tail_at = max(0, size - _LONGEST_LINE)
        tail = os.pread(fd, _LONGEST_LINE, tail_at)
        cut = tail.rfind(b"\n", 0, -1) + 1
        self._end = tail_at + cut
        if not cut or not tail.endswith(b"\n"):
            raise Damaged("its manifest has no end")
        last = tail[cut:].decode("ascii", "replace")
        self.totals = Totals.parsed(last)
        self.header = Header.parsed(os.pread(fd, _LONGEST_LINE, 0).partition(b"\n")[0])
        if check:
            start = self.totals.start()
            digest = self._digest(self._end + len(start))
            if last != f'{start}{_CHECKSUM}{digest}"}}\n':
                raise Damaged("the checksum of its manifest is wrong")

    def _digest(self, size: int) -> str:
        digest = hashlib.sha256()
        at = 0
        while piece := os.pread(self._fd, min(_BUFFER, size - at), at):
            digest.update(piece)
            at += len(piece)
        return digest.hexdigest()

    def lines(self) -> Iterator[str]:
        """As `_lines`, leaving other threads their turns."""
        return in_turns(self._lines())

    def _lines(self) -> Iterator[str]:
        """The lines between the first and the last. Raises Damaged when there are too many."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        with open(self._fd, "rb", buffering=_BUFFER, closefd=False) as file:
            at = len(file.readline(_LONGEST_LINE))
            count = 0
            while at < self._end and (raw := file.readline(_LONGEST_LINE)):
                at += len(raw)
                count += 1
                if count > _MOST_LINES:
                    raise Damaged("its manifest has too many lines")
                yield raw[:-1].decode("ascii", "replace")

    def by_path(self) -> Lines:
        """All lines. Raises Damaged."""
        lines = Lines()
        for line in self.lines():
            lines.add(line)
        return lines

    def entries(self) -> Iterator[Entry]:
        """The lines as entries. Raises Damaged when it comes to one that is wrong."""
        return map(parse, self.lines())


def read_back(fd: int, written: Totals) -> None:
    """Raise Damaged unless the manifest open as `fd` gives every entry that was written."""
    found = Totals(unnamed=written.unnamed)
    for entry in Reader(fd).entries():
        if entry.type == FILE:
            found.files += 1
            found.bytes += entry.size
        elif entry.type == DIRECTORY:
            found.directories += 1
        elif entry.type == LINK:
            found.links += 1
        else:
            found.skipped += 1
    if found != written:
        raise Damaged("its manifest does not hold what was written")
