"""Reading an archive from a stranger: in one pass, in bounded memory, refused with a reason."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from ..memory.paths import shown
from .fill import Filling
from .layout import (
    FILE,
    HEADER,
    MANIFEST,
    MAX_HEADER,
    MAX_LINE,
    SKIPPED,
    Entry,
    Header,
    Readable,
    Totals,
    end_line,
    line,
    refused,
)
from .members import Members

_OVERHEAD = 3072  # bytes that an entry takes besides its content, if its name is not a long one


class ArchiveReader:
    """An archive that `source` gives, piece by piece (b'' at the end).

    Its methods wait for that and raise what it raises, and InvalidInput (`bad_archive`).
    """

    def __init__(self, source: Callable[[], bytes], max_bytes: int, max_entries: int) -> None:
        whole = max_bytes + max_entries * _OVERHEAD + MAX_HEADER
        self._members = Members(source, whole)
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._first = b""

    def header(self) -> Header:
        """What the archive says of itself. To be called first."""
        found = self._members.next()
        entry, content = found or (None, None)
        if entry is None or content is None or entry.name != HEADER:
            raise refused(f"it does not begin with {HEADER}")
        if entry.size > MAX_HEADER:
            raise refused(f"{HEADER} has {entry.size} bytes")
        text = bytearray()
        while len(text) < entry.size and (piece := content.read(entry.size - len(text))):
            text += piece
        if len(text) < entry.size:
            raise refused("it is cut short")
        self._first = line(entry, hashlib.sha256(text).hexdigest())
        return Header.parsed(bytes(text))

    def fill(self, filling: Filling, scratch: Path) -> Totals:
        """Put everything where it belongs, and hold it against the manifest; then `header`.

        `scratch` is a directory for a file without a name. Raises OSError, too.
        """
        totals = Totals()
        with tempfile.TemporaryFile(dir=scratch) as lines:
            lines.write(self._first)
            while True:
                found = self._members.next()
                if found is None:
                    raise refused(f"it is cut short: {MANIFEST} is missing")
                entry, content = found
                if entry.name == MANIFEST and content is not None:
                    break
                self._check(entry, totals)
                lines.write(line(entry, filling.add(entry, content)))
            lines.seek(0)
            _compare(_Lines(content, entry.size), lines, totals)
        self._members.finish()
        return totals

    def _check(self, entry: Entry, totals: Totals) -> None:
        """Hold an entry against the limits before a byte of it is read."""
        totals.count(entry)
        if totals.files + totals.directories + totals.links > self._max_entries:
            raise refused(f"it has more than {self._max_entries} entries (Archives.max_entries)")
        if totals.bytes > self._max_bytes:
            raise refused(
                f"with {shown(entry.name)} it has more than {self._max_bytes} bytes of files "
                "(Archives.max_bytes)"
            )


class _Lines:
    """The lines of the manifest in the archive."""

    def __init__(self, content: Readable, size: int) -> None:
        self._content = content
        self._left = size
        self._held = bytearray()

    def next(self) -> bytes:
        """The next line, b'' at the end."""
        while (at := self._held.find(b"\n")) < 0 and self._left:
            if len(self._held) > MAX_LINE:
                raise refused(f"a line of {MANIFEST} is too long")
            piece = self._content.read(min(self._left, MAX_LINE))
            if not piece:
                raise refused("it is cut short")
            self._left -= len(piece)
            self._held += piece
        if not self._held:
            return b""
        if at < 0:
            raise refused(f"{MANIFEST} has no end")
        found = bytes(self._held[: at + 1])
        del self._held[: at + 1]
        return found


def _compare(said: _Lines, seen: IO[bytes], totals: Totals) -> None:
    """Raise InvalidInput unless the manifest says what was in the archive."""
    skipped = changed = 0
    while text := said.next():
        fields = _fields(text)
        if fields.get("type") == SKIPPED:
            skipped += 1
            continue
        if "end" in fields:
            _compare_end(text, seen, replace(totals), skipped, changed)
            if said.next():
                raise refused(f"something follows the end of {MANIFEST}")
            return
        changed += fields.pop("changed", None) is not None
        _compare_line(fields, seen.readline())
    raise refused(f"it is cut short: {MANIFEST} has no end")


def _compare_end(text: bytes, seen: IO[bytes], totals: Totals, skipped: int, changed: int) -> None:
    rest = seen.readline()
    if rest:
        raise refused(f"{MANIFEST} does not list {shown(_fields(rest)['path'])}")
    totals.skipped, totals.changed = skipped, changed
    if text != end_line(totals):
        raise refused(f"the numbers at the end of {MANIFEST} are wrong")


def _compare_line(said: dict[str, Any], line: bytes) -> None:
    if not line:
        raise refused(f"it does not hold {shown(said.get('path'))}, which {MANIFEST} lists")
    seen = _fields(line)
    if said == seen:
        return
    name = shown(seen["path"])
    if said.get("path") != seen["path"]:
        raise refused(f"{MANIFEST} lists {shown(said.get('path'))} instead of {name}")
    if said.get("type") == FILE and said.get("sha256") != seen.get("sha256"):
        raise refused(f"{name} does not have the checksum that {MANIFEST} says")
    raise refused(f"{name} is not as {MANIFEST} says")


def _fields(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise refused(f"a line of {MANIFEST} can't be read")
    return found
