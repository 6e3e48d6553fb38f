"""Text for a terminal. What comes from a project is hostile: nothing in it may steer one."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence


def visible(text: str, kept: str = "") -> str:
    """`text` in which only printable characters, and those of `kept`, stand as they are.

    All others (ESC, CR, those that change the direction of text, bytes that are not UTF-8) are
    shown as Python would write them.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name, by PEP 383
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def columns(rows: Iterable[Sequence[str]], right: Container[int]) -> list[str]:
    """A line for each row; the columns numbered in `right` are flush right, the last has no end."""
    rows = [*rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row[:-1], widths, strict=False))
        ]
        line = "  ".join([*cells, row[-1]])
        lines.append(line if row[-1] else line.rstrip())
    return lines


def seconds(time: str | None) -> str:
    """A time of ours (ISO 8601, UTC) without its fraction; `-` for none."""
    return f"{time[:19]}Z" if time else "-"
