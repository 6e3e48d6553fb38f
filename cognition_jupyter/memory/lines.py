"""Lines and other parts of a large text, in steps between which other threads get their turn."""

from __future__ import annotations

from collections.abc import Iterator

from ..exceptions import InvalidInput
from .paths import shown
from .shapes import Content, Text, etag_of

_STEP = 1 << 16  # bytes


def window(content: Content, offset: int, limit: int) -> Text:
    """`limit` lines at most of a whole file, from the line `offset` (from 0) on.

    A line ends with its newline. Raises InvalidInput: `not_text`, or an offset that is negative or
    not before the end.
    """
    if offset < 0 or limit < 0:
        raise InvalidInput("offset and limit must not be negative.")
    data = content.data
    total = sum(data.count(b"\n", at, at + _STEP) for at in range(0, len(data), _STEP))
    total += bool(data) and not data.endswith(b"\n")
    if offset and offset >= total:
        raise InvalidInput(
            f"{shown(content.path)} has {total} lines; offset {offset} is behind them."
        )
    begin = _skip(data, 0, offset)
    end = _skip(data, begin, min(limit, total - offset))
    try:
        text = data[begin:end].decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"{shown(content.path)} is no text in UTF-8.", "not_text") from None
    last = min(offset + limit, total)
    some = last > offset
    return Text(
        path=content.path,
        text=text,
        total_lines=total,
        start_line=offset + 1 if some else None,
        end_line=last if some else None,
        next_offset=last if last < total else None,
        modified_ns=content.modified_ns,
        etag=content.etag or etag_of(data),
    )


def _skip(data: bytes, at: int, lines: int) -> int:
    """The place `lines` lines after `at`, at most the end."""
    while lines and at < len(data):
        here = data.count(b"\n", at, at + _STEP)
        if here < lines:
            lines -= here
            at += _STEP
            continue
        for _ in range(lines):
            at = data.index(b"\n", at) + 1
        return at
    return min(at, len(data))


def count(data: bytes, part: bytes) -> int:
    """As `bytes.count`."""
    return sum(piece.count(part) for piece in _pieces(data, part))


def replace(data: bytes, old: bytes, new: bytes) -> bytes:
    """As `bytes.replace`."""
    return b"".join(piece.replace(old, new) for piece in _pieces(data, old))


def _pieces(data: bytes, part: bytes) -> Iterator[bytes]:
    """All of `data` in pieces that cut through no occurrence of `part`."""
    at, step = 0, max(_STEP, 2 * len(part))
    while at < len(data):
        piece = data[at : at + step]
        if at + step < len(data):
            # What comes after the last occurrence may end in the beginning of another.
            # (Occurrences are found from the left, as they may overlap.)
            after = len(piece.split(part)[-1])
            piece = piece[: len(piece) - min(after, len(part) - 1)]
        yield piece
        at += len(piece)
