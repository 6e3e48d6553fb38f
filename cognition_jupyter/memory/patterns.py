"""Glob patterns, matched name by name on the way down, so that a walk passes by what can't match.

`*`, `?`, `[abc]`, `[!abc]` within a name, `**` for any directories, `{a,b}` for either. A pattern
without a slash matches the name of a file at any depth; with one, the path from where the search
begins; a slash in front only anchors. Names with a leading dot match where the pattern's name has
the dot too, and `**` does not enter directories with one, while a pattern without a slash looks
everywhere: `*.yml` is broader than `**/*.yml`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from itertools import islice, pairwise

from ..exceptions import InvalidInput
from .paths import shown

MAX_PATTERN = 1024  # characters
MAX_BRACES = 16
MAX_ALTERNATIVES = 100

MAX_SEGMENTS = 1000  # in all alternatives together: what a look at one directory may cost

# A bit for each segment that may be the next. (A set of them would take much memory where there are
# very many directories, and whoever names those can make each one's different.)
State = int


class _Stars:
    """Stands for any number of directories."""

    def __init__(self, hidden: bool) -> None:
        self._hidden = hidden

    def enters(self, name: str) -> bool:
        return self._hidden or not name.startswith(".")


class _Name:
    """Stands for one name."""

    def __init__(self, text: str) -> None:
        self._hidden = text.startswith(".")
        # fnmatch's expressions don't backtrack: no pattern takes long.
        self._matches = re.compile(fnmatch.translate(text)).match

    def matches(self, name: str) -> bool:
        return (self._hidden or not name.startswith(".")) and self._matches(name) is not None


class Pattern:
    """A compiled pattern. A state says how far the path to a directory has matched."""

    def __init__(self, text: str) -> None:
        """Raises InvalidInput (`invalid_pattern`)."""
        if not text.strip("/") or len(text) > MAX_PATTERN or "\0" in text:
            raise _wrong(text, f"must have 1 to {MAX_PATTERN} characters")
        if ".." in text.split("/"):
            raise _wrong(text, "must not hold '..'")
        if text.count("{") > MAX_BRACES:
            raise _wrong(text, f"may hold {MAX_BRACES} braces")
        expanded = list(islice(_expand(text), MAX_ALTERNATIVES + 1))
        if len(expanded) > MAX_ALTERNATIVES:
            raise _wrong(text, f"may stand for {MAX_ALTERNATIVES} others by its braces")
        # What ends in a slash means directories, and those are not looked for.
        paths = [_segments(one, "/" in text) for one in expanded if one and one[-1] != "/"]
        if sum(map(len, paths)) > MAX_SEGMENTS:
            raise _wrong(text, f"may stand for {MAX_SEGMENTS} names in all by its braces")
        self._segments: list[_Stars | _Name] = []
        self._stars = self._last = 0
        start = 0
        for path in paths:
            start |= 1 << len(self._segments)
            for segment in path:
                if isinstance(segment, _Stars):
                    self._stars |= 1 << len(self._segments)
                    self._segments.append(segment)
                    continue
                try:
                    self._segments.append(_Name(segment))
                except re.error:
                    raise _wrong(text, "holds a range that goes backwards") from None
            self._last |= 1 << (len(self._segments) - 1)
        #: Of the directory that the search begins in.
        self.start: State = self._closed(start)

    def enter(self, state: State, name: str) -> State | None:
        """The state of a directory inside one; None when nothing below it can match."""
        reached = 0
        for at in _bits(state):
            segment = self._segments[at]
            if isinstance(segment, _Stars):
                if segment.enters(name):
                    reached |= 1 << at
            elif not self._last >> at & 1 and segment.matches(name):
                reached |= 2 << at
        return self._closed(reached) or None

    def matches(self, state: State, name: str) -> bool:
        """Whether a file in a directory of that state is meant."""
        return any(
            isinstance(segment := self._segments[at], _Name) and segment.matches(name)
            for at in _bits(state & self._last)
        )

    def _closed(self, state: State) -> State:
        """With what comes after a `**` that stands for nothing; that is never another one."""
        return state | (state & self._stars) << 1


def _bits(state: State) -> Iterator[int]:
    while state:
        at = state.bit_length() - 1
        yield at
        state ^= 1 << at


def _segments(text: str, anchored: bool) -> list[_Stars | str]:
    path: list[_Stars | str] = []
    for name in filter(None, text.split("/")):
        if name != "**":
            path.append(name)
        elif not path or isinstance(path[-1], str):
            path.append(_Stars(hidden=False))
    if not path or isinstance(path[-1], _Stars):
        path.append("*")
    return path if anchored else [_Stars(hidden=True), *path[-1:]]


def _expand(text: str) -> Iterator[str]:
    """What the braces stand for; one that is not closed or holds no comma stands for itself."""
    for brace in re.finditer("{", text):
        begin = brace.start()
        depth, cuts = 0, [begin]
        for at in range(begin, len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if text[at] == "," and depth == 1:
                cuts.append(at)
            if depth == 0:
                if len(cuts) == 1:
                    break
                cuts.append(at)
                for left, right in pairwise(cuts):
                    yield from _expand(text[:begin] + text[left + 1 : right] + text[at + 1 :])
                return
    yield text


def _wrong(text: str, problem: str) -> InvalidInput:
    return InvalidInput(f"The pattern {shown(text)!r} {problem}.", "invalid_pattern")
