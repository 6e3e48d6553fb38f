"""The manifest of a generation: what was in hot memory, with checksums.

JSON lines, ASCII. The first is the header, the last counts and ends in `,"sha256":"…"}`, the digest
of every byte before that; a file without that last line, or with another sum, is no manifest.
Between them stands one line an entry, a directory before what is in it:

    {"path":…,"type":"file","mode":…,"mtime_ns":…,"size":…,"ino":…,"ctime_ns":…,"sha256":…}
    {"path":…,"type":"directory","mode":…,"mtime_ns":…}
    {"path":…,"type":"link","target":…,"mtime_ns":…}
    {"path":…,"type":"skipped","why":…}

A path is relative and UTF-8; each byte that is not is written as U+DC80 to U+DCFF (PEP 383), which
JSON escapes, so that any name comes back. Keys stand in this order: a snapshot compares whole
lines. `ino` and `ctime_ns` belong to the file in RAM (`ctime_ns` 0: not to be trusted),
`"unstable":true` says that the file changed while it was read. SHA-256 because `sha256sum` checks a
copy by hand, and because processors have instructions for it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from ...models import format_time
from .tree import PATH_MAX

VERSION = 1
FILE, DIRECTORY, LINK, SKIPPED = "file", "directory", "link", "skipped"

_AFTER_PATH = '","type":"'  # can't be inside a path: quotes are escaped there
_BEFORE_PATH = len('{"path":')
_UTF8 = sys.getfilesystemencoding().lower() in ("utf-8", "utf8")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIMES = range(-(1 << 63) * 10**9, (1 << 63) * 10**9)  # what the kernel takes, in nanoseconds
_SIZES = range(1 << 63)
_MODES = range(0o10000)


class Damaged(Exception):
    """There is no whole generation; the message says why, without a full stop."""


@dataclass(frozen=True)
class Header:
    """The first line. `since_full`: generations since one that shares no copies with older ones."""

    generation: int
    taken_at: datetime
    root: str
    reason: str
    incarnation: str
    since_full: int

    def line(self) -> str:
        """As it is written."""
        fields = {"version": VERSION, **asdict(self), "taken_at": format_time(self.taken_at)}
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def parsed(cls, line: bytes) -> Header:
        """Raises Damaged."""
        try:
            found = read_object(line)
            if found.pop("version", None) != VERSION:
                raise Damaged("its format is of another version")
            taken_at = datetime.fromisoformat(_text(found["taken_at"]).replace("Z", "+00:00"))
            if taken_at.tzinfo is None:
                raise ValueError
            return cls(
                _number(found["generation"], _SIZES),
                taken_at.astimezone(timezone.utc),
                _unicode(found["root"]),
                _unicode(found["reason"]),
                _unicode(found["incarnation"]),
                _number(found["since_full"], _SIZES),
            )
        except (ValueError, KeyError, OverflowError):  # the last for a time before the year 1
            raise Damaged("its header can't be read") from None


@dataclass
class Totals:
    """The last line, without its checksum. `unnamed`: left out beyond those that are named."""

    files: int = 0
    directories: int = 0
    links: int = 0
    bytes: int = 0
    skipped: int = 0
    unnamed: int = 0

    def start(self) -> str:
        """The line up to its checksum, which covers this, too."""
        return f'{{"end":{json.dumps(asdict(self), separators=(",", ":"))}'

    @classmethod
    def parsed(cls, line: str) -> Totals:
        """Raises Damaged."""
        try:
            totals = cls(**read_object(line)["end"])
            for count in asdict(totals).values():
                _number(count, _SIZES)
        except (ValueError, KeyError, TypeError):
            raise Damaged("its manifest has no end") from None
        return totals


class Entry(NamedTuple):
    """One line between the first and the last; what its type does not have is empty."""

    path: str
    type: str
    mode: int = 0
    mtime_ns: int = 0
    size: int = 0
    sha256: str = ""
    target: str = ""
    why: str = ""

    @property
    def parent(self) -> str:
        """Path of the directory it is in."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]


# -- lines -----------------------------------------------------------------------------------


def quoted(path: str) -> str:
    """A path as `os` gives it, in JSON."""
    text = path if _UTF8 else os.fsencode(path).decode("utf-8", "surrogateescape")
    return encode_basestring_ascii(text)  # what json.dumps calls; this is done for every entry


def _native(path: str) -> str:
    return path if _UTF8 else os.fsdecode(path.encode("utf-8", "surrogateescape"))


def file_start(quoted_path: str, status: os.stat_result, size: int, ctime_ns: int) -> str:
    """The line of a file, up to its digest."""
    return (
        f'{{"path":{quoted_path},"type":"file","mode":{stat.S_IMODE(status.st_mode)},'
        f'"mtime_ns":{status.st_mtime_ns},"size":{size},"ino":{status.st_ino},'
        f'"ctime_ns":{ctime_ns},"sha256":"'
    )


def file_end(digest: str, unstable: bool = False) -> str:
    """The rest of the line of a file."""
    return f'{digest}","unstable":true}}' if unstable else f'{digest}"}}'


def directory_start(quoted_path: str, status: os.stat_result) -> str:
    """The line of a directory, up to its time."""
    return f'{{"path":{quoted_path},"type":"directory","mode":{stat.S_IMODE(status.st_mode)},'


def directory_line(quoted_path: str, status: os.stat_result) -> str:
    """The line of a directory."""
    return f'{directory_start(quoted_path, status)}"mtime_ns":{status.st_mtime_ns}}}'


def link_line(quoted_path: str, status: os.stat_result, target: str) -> str:
    """The line of a symbolic link."""
    return (
        f'{{"path":{quoted_path},"type":"link","target":{quoted(target)},'
        f'"mtime_ns":{status.st_mtime_ns}}}'
    )


def skipped_line(path: str, why: str) -> str:
    """The line of something that was left out."""
    return f'{{"path":{quoted(path)},"type":"skipped","why":{json.dumps(why)}}}'


def quoted_path_of(line: str) -> str:
    """The path in a line, in JSON; without reading the rest. Raises Damaged."""
    end = line.find(_AFTER_PATH)
    if end < 0:
        raise Damaged("a line of its manifest can't be read")
    return line[_BEFORE_PATH : end + 1]


def is_skipped(line: str) -> bool:
    """Whether the line names what was left out; without reading the rest."""
    return line.startswith(f'{_AFTER_PATH}{SKIPPED}"', max(line.find(_AFTER_PATH), 0))


def parse(line: str) -> Entry:
    """The entry of a line. Damaged when anything in it is not as a snapshot writes it.

    Generations come with imported projects, too: no path may lead out of its directory.
    """
    try:
        found = read_object(line)
        kind = found["type"]
        path = _native(_text(found["path"]))
        if kind == SKIPPED:
            if path:  # '' for the top itself; what was left out may be one name too long
                _check_path(path, PATH_MAX + 256)
            return Entry(path, kind, why=_text(found["why"]))
        _check_path(path, PATH_MAX)
        mtime_ns = _number(found["mtime_ns"], _TIMES)
        if kind == LINK:
            target = _native(_text(found["target"]))
            if not 0 < len(os.fsencode(target)) <= PATH_MAX or "\0" in target:
                raise ValueError
            return Entry(path, kind, mtime_ns=mtime_ns, target=target)
        mode = _number(found["mode"], _MODES)
        if kind == DIRECTORY:
            return Entry(path, kind, mode, mtime_ns)
        digest = found["sha256"]
        if kind != FILE or not _DIGEST.fullmatch(digest):
            raise ValueError
        return Entry(path, kind, mode, mtime_ns, _number(found["size"], _SIZES), digest)
    except (ValueError, KeyError, TypeError):
        raise Damaged("a line of its manifest can't be read") from None


def read_object(line: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError."""
    try:
        found = json.loads(line)
    except RecursionError:
        raise ValueError from None
    if not isinstance(found, dict):
        raise ValueError
    return found


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError
    return value


def _unicode(value: object) -> str:
    """A text that can be written anywhere; in paths alone stand halves of surrogates."""
    text = _text(value)
    text.encode()
    return text


def _number(value: object, allowed: range) -> int:
    if type(value) is not int or value not in allowed:
        raise ValueError
    return value


def _check_path(path: str, longest: int) -> None:
    raw = os.fsencode(path)
    if len(raw) > longest or b"\0" in raw:
        raise ValueError
    for part in raw.split(b"/"):
        if part in (b"", b".", b"..") or len(part) > 255:
            raise ValueError
