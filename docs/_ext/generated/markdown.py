"""Small pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def code(value: object) -> str:
    """Inline code, also of a text that has backticks in it."""
    text = str(value)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def one_line(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or nothing when it has no rows."""
    lines = [_row(row) for row in rows]
    if not lines:
        return ""
    return "\n".join([_row(headings), _row(["---"] * len(headings)), *lines]) + "\n"


def _row(cells: Sequence[str]) -> str:
    escaped = (one_line(cell).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
