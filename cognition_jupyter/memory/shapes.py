"""What the operations on memory take and answer: limits, results, and their errors."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from ..exceptions import (
    CognitionError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    StorageFull,
    TooLarge,
)
from ..models import format_time
from .paths import shown

MIB = 1 << 20

Kind = Literal["file", "directory", "link", "other"]
#: Why a result is not the whole: a limit or the time was reached (a narrower question gets more),
#: or something could not be read (it does not).
Reason = Literal["limit", "time", "unreadable"]


class PreconditionFailed(CognitionError):
    """The file is not what the caller's If-Match or If-None-Match says."""

    status = 412
    code = "precondition_failed"


@dataclass(frozen=True)
class Limits:
    """Bounds of one operation; the last is of a project's hot memory."""

    file_bytes: int = 16 * MIB  # read or written at once
    batch_bytes: int = 64 * MIB  # downloaded at once
    listed: int = 10_000  # entries of one directory
    found: int = 10_000  # files of a glob
    matches: int = 1_000  # lines of a grep
    visited: int = 500_000  # entries that a search or a count looks at
    scanned_bytes: int = 256 * MIB  # that a grep reads
    seconds: float = 5.0  # that a search takes
    hot_bytes: int = 64 * MIB


@dataclass(frozen=True)
class Entry:
    """Something in a directory. `size` in bytes, of files only; `modified_ns` since 1970."""

    path: str
    kind: Kind
    size: int = 0
    modified_ns: int | None = None

    @property
    def modified_at(self) -> str | None:
        """ISO 8601 in UTC; None for what is virtual or beyond the years that have a name."""
        return _iso(self.modified_ns)


@dataclass(frozen=True)
class Listing:
    """A directory. `truncated` when it holds more than the limit; which ones then is chance."""

    path: str
    entries: tuple[Entry, ...]
    truncated: bool = False


@dataclass(frozen=True)
class Content:
    """Bytes of a file from `offset`; `etag` only when they are the whole file.

    `size` is the file's, as it was said to be when the reading began.
    """

    path: str
    data: bytes
    offset: int
    size: int
    modified_ns: int
    etag: str | None

    @property
    def modified_at(self) -> str | None:
        """ISO 8601 in UTC; None beyond the years that have a name."""
        return _iso(self.modified_ns)


@dataclass(frozen=True)
class Text:
    """Lines of a file of UTF-8, with their ends as they are in the file.

    `start_line` and `end_line` count from 1 and are None for no lines; `next_offset` is the offset
    that goes on, None at the end of the file. `etag` is the whole file's.
    """

    path: str
    text: str
    total_lines: int
    start_line: int | None
    end_line: int | None
    next_offset: int | None
    modified_ns: int
    etag: str


@dataclass(frozen=True)
class Written:
    """A file that was written. `created` when there was none before."""

    path: str
    size: int
    etag: str
    created: bool


@dataclass(frozen=True)
class Edited:
    """A file in which text was replaced, `replacements` times."""

    path: str
    replacements: int
    size: int
    etag: str


@dataclass(frozen=True)
class Found:
    """Files that a glob matched, by path. `reason` when these are not all."""

    files: tuple[Entry, ...]
    reason: Reason | None = None

    @property
    def truncated(self) -> bool:
        """Whether there may be more."""
        return self.reason is not None


@dataclass(frozen=True)
class Match:
    """A line that holds what was looked for; `line` counts from 1. A long line is cut."""

    path: str
    line: int
    text: str


@dataclass(frozen=True)
class Matches:
    """Lines that a grep found, by path and line. `reason` when these are not all."""

    matches: tuple[Match, ...]
    reason: Reason | None = None

    @property
    def truncated(self) -> bool:
        """Whether there may be more."""
        return self.reason is not None


@dataclass(frozen=True)
class Item:
    """One file of an upload or a download. On success `error` is None.

    `error` is a machine code: `file_not_found`, `permission_denied`, `is_directory`,
    `invalid_path` or that of another error; `message` its sentence.
    """

    path: str
    content: bytes | None = None
    error: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Usage:
    """Regular files and their bytes; a file with several names counts once.

    With a `reason` both are lower bounds: there are more entries than the limit, or some that can't
    be read.
    """

    files: int
    bytes: int
    reason: Reason | None = None

    @property
    def truncated(self) -> bool:
        """Whether there may be more."""
        return self.reason is not None


def etag_of(data: bytes) -> str:
    """The strong entity tag of a file's content."""
    return f'"{hashlib.blake2b(data, digest_size=16).hexdigest()}"'


def _iso(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    try:
        return format_time(datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc))
    except (OverflowError, ValueError, OSError):  # whoever owns a file can give it any time
        return None


_PROBLEMS: dict[int, tuple[type[CognitionError], str, str]] = {
    errno.ENOENT: (NotFound, "There is no {}.", "file_not_found"),
    errno.ENOTDIR: (
        InvalidInput,
        "{} is no directory or leads through what is none.",
        "invalid_path",
    ),
    errno.ELOOP: (InvalidInput, "{} is a symbolic link, which is not followed.", "invalid_path"),
    errno.ENAMETOOLONG: (InvalidInput, "{} is too long for the file system.", "invalid_path"),
    errno.ENXIO: (InvalidInput, "{} is no regular file.", "invalid_path"),
    errno.ENODEV: (InvalidInput, "{} is no regular file.", "invalid_path"),
    errno.EISDIR: (InvalidInput, "{} is a directory.", "is_directory"),
    errno.EFBIG: (TooLarge, "{} is too large to be read as a whole.", "too_large"),
    errno.EACCES: (Forbidden, "The server may not do that with {}.", "permission_denied"),
    errno.EPERM: (Forbidden, "The server may not do that with {}.", "permission_denied"),
    errno.EROFS: (Forbidden, "The file system of {} can't be written.", "permission_denied"),
    errno.ENOSPC: (StorageFull, "There is no space left for {}.", "storage_full"),
    errno.EDQUOT: (StorageFull, "There is no space left for {}.", "storage_full"),
    errno.EEXIST: (Conflict, "There is a {} already.", "file_exists"),
    errno.EAGAIN: (Conflict, "{} is held by a program; try again.", "busy"),
    errno.ENOTEMPTY: (Conflict, "{} is being written to; try again.", "busy"),
}


def problem(error: OSError, path: str) -> Exception:
    """What the system said of a virtual path as an error of ours, else the error itself."""
    if error.errno not in _PROBLEMS:
        return error
    kind, sentence, code = _PROBLEMS[error.errno]
    return kind(sentence.format(shown(path)), code)
