"""What changed between two generations; as text where it is text."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from ...exceptions import Conflict
from .generations import Generation, found
from .manifest import FILE, SKIPPED, Entry, parse, quoted, quoted_path_of
from .recover import content

_WORK = 5_000_000  # steps of difflib on one file; more may take minutes
_CONTEXT = 3
_NO_ROOM = "the comparison has no room for it"
_NO_TIME = "the comparison took too long to come to it"

Opcodes = list[tuple[str, int, int, int, int]]


@dataclass(frozen=True)
class Bounds:
    """How much a comparison shows at most."""

    entries: int = 1000
    file: int = 256 << 10  # bytes of a file that is compared as text
    text: int = 1 << 20  # characters of all unified diffs together
    seconds: float = 5.0  # after which no further file is compared as text


@dataclass(frozen=True)
class Change:
    """One path: as it was, as it is (None: not there), and a unified diff or why there is none."""

    path: str
    before: Entry | None
    after: Entry | None
    text: str | None = None
    note: str = ""


@dataclass
class Difference:
    """The changes from one generation to another, by path. `more`: how many are not shown."""

    added: list[Change] = field(default_factory=list)
    removed: list[Change] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    more: int = 0


def diff(disk: Path, a: int, b: int, bounds: Bounds = Bounds()) -> Difference:
    """What changed from generation `a` to generation `b`: content, kind or mode; not times.

    Texts are compared in the order of the paths, up to the first that does not fit. Raises NotFound
    (`snapshot_not_found`), Conflict (`snapshot_damaged`), OSError.
    """
    with found(disk, a) as old, found(disk, b) as new:
        shown, more = _changes(old, new, bounds.entries)
        difference = Difference(more=more)
        room, deadline = bounds.text, time.monotonic() + bounds.seconds
        for path, before, after in sorted(shown, key=lambda one: one[0]):
            text, note = None, ""
            if any(side is not None and side.type == FILE for side in (before, after)):
                if room <= 0:
                    note = _NO_ROOM
                elif time.monotonic() > deadline:
                    note = _NO_TIME
                else:
                    text, note = _text(disk, (old, before), (new, after), bounds.file)
            if text is not None:
                room -= len(text)
                if room < 0:
                    text, note = None, _NO_ROOM
            change = Change(path, before, after, text, note)
            if before is None:
                difference.added.append(change)
            elif after is None:
                difference.removed.append(change)
            else:
                difference.changed.append(change)
    return difference


_Changed = tuple[str, Entry | None, Entry | None]  # a path, as it was, as it is


def _changes(old: Generation, new: Generation, most: int) -> tuple[list[_Changed], int]:
    """The first `most` changes, and how many more there are."""
    lines = old.reader.by_path()
    shown: list[_Changed] = []
    more = 0

    def add(before: Entry | None, after: Entry | None) -> None:
        nonlocal more
        either = after or before
        if either is None or not _differ(before, after):
            return
        if len(shown) < most:
            shown.append((either.path, before, after))
        else:
            more += 1

    for line in new.reader.lines():
        before = lines.pop(quoted_path_of(line))
        if line != before:
            add(_entry(before), _entry(line))
    for line in lines.drain():
        add(_entry(line), None)
    return shown, more


def _entry(line: str | None) -> Entry | None:
    entry = None if line is None else parse(line)
    return None if entry is None or entry.type == SKIPPED else entry


def _differ(before: Entry | None, after: Entry | None) -> bool:
    if before is None or after is None:
        return before is not after
    return before._replace(mtime_ns=0) != after._replace(mtime_ns=0)


# -- text ------------------------------------------------------------------------------------

_Side = tuple[Generation, Entry | None]


def _text(disk: Path, old: _Side, new: _Side, most: int) -> tuple[str | None, str]:
    """A unified diff, or None and why there is none."""
    sides: list[list[str]] = []
    for generation, entry in (old, new):
        if entry is None or entry.type != FILE:
            sides.append([])
            continue
        if entry.size > most:
            return None, f"it is larger than {most} bytes"
        try:
            text = content(disk, generation, entry).decode()
        except Conflict as error:
            return None, error.message
        except UnicodeDecodeError:
            return None, "it is not text"
        if "\0" in text:
            return None, "it is not text"
        sides.append(_lines(text))
    names = [
        "/dev/null" if entry is None else _shown(f"{letter}/{entry.path}")
        for letter, entry in (("a", old[1]), ("b", new[1]))
    ]
    return "".join(unified(sides[0], sides[1], names[0], names[1])), ""


def _lines(text: str) -> list[str]:
    """Lines with their ends; only `\\n` ends one, as for every diff tool."""
    *whole, last = text.split("\n")
    return [f"{line}\n" for line in whole] + ([last] if last else [])


def _shown(path: str) -> str:
    return path if path.isprintable() else quoted(path)


def unified(before: list[str], after: list[str], old: str, new: str) -> Iterator[str]:
    """The unified format of POSIX diff(1); nothing when there is no difference."""
    matcher = SequenceMatcher(None, "", "")
    matcher.opcodes = _opcodes(before, after)  # type: ignore[attr-defined]
    named = False
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if not named:
            yield f"--- {old}\n+++ {new}\n"
            named = True
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for kind, a, a_end, b, b_end in group:
            if kind == "equal":
                yield from _marked(" ", before[a:a_end])
                continue
            yield from _marked("-", before[a:a_end])
            yield from _marked("+", after[b:b_end])


def _opcodes(before: list[str], after: list[str]) -> Opcodes:
    """What difflib finds, with equal ends cut off first and within a bound of work."""
    start = _common(before, after)
    a, b = before[start:], after[start:]
    end = _common(a[::-1], b[::-1])
    a, b = a[: len(a) - end], b[: len(b) - end]
    if _work(a, b) <= _WORK:
        inner = SequenceMatcher(None, a, b).get_opcodes()
    else:
        inner = [("replace", 0, len(a), 0, len(b))]
    a_end, b_end = start + len(a), start + len(b)
    opcodes: Opcodes = [("equal", 0, start, 0, start)] if start else []
    opcodes += [
        (kind, i + start, i_end + start, j + start, j_end + start)
        for kind, i, i_end, j, j_end in inner
    ]
    if end:
        opcodes.append(("equal", a_end, a_end + end, b_end, b_end + end))
    return opcodes


def _work(a: list[str], b: list[str]) -> int:
    """How many steps difflib takes at most.

    Each part that is equal takes it through all that is left of `a` and, for each of these lines,
    through all that are equal in `b`; but for those that it ignores for being so frequent.
    """
    times = Counter(b)
    frequent = len(b) // 100 + 1 if len(b) >= 200 else len(b)
    pairs = sum(times[line] for line in a if times[line] <= frequent)
    return (len(a) + pairs) * min(len(a), len(b))


def _common(a: list[str], b: list[str]) -> int:
    """How many items are equal at the start."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def _range(start: int, end: int) -> str:
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield (
            f"{mark}{line}"
            if line.endswith("\n")
            else f"{mark}{line}\n\\ No newline at end of file\n"
        )
