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

State = frozenset[tuple[int, int]]


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
        try:
            # What ends in a slash means directories, and those are not looked for.
            files = [one for one in expanded if one and not one.endswith("/")]
            self._paths = [_compiled(one, "/" in text) for one in files]
        except re.error:
            raise _wrong(text, "holds a range that goes backwards") from None
        #: Of the directory that the search begins in.
        self.start = self._closed({(number, 0) for number in range(len(self._paths))})

    def enter(self, state: State, name: str) -> State | None:
        """The state of a directory inside one; None when nothing below it can match."""
        reached = set()
        for number, at in state:
            segment = self._paths[number][at]
            if isinstance(segment, _Stars):
                if segment.enters(name):
                    reached.add((number, at))
            elif at + 1 < len(self._paths[number]) and segment.matches(name):
                reached.add((number, at + 1))
        return self._closed(reached) if reached else None

    def matches(self, state: State, name: str) -> bool:
        """Whether a file in a directory of that state is meant."""
        return any(
            at + 1 == len(self._paths[number])
            and isinstance(segment := self._paths[number][at], _Name)
            and segment.matches(name)
            for number, at in state
        )

    def _closed(self, state: set[tuple[int, int]]) -> State:
        """With the states that `**` reaches by standing for nothing."""
        closed = set(state)
        for number, at in state:
            path = self._paths[number]
            while isinstance(path[at], _Stars):
                at += 1
                closed.add((number, at))
        return frozenset(closed)


def _compiled(text: str, anchored: bool) -> list[_Stars | _Name]:
    names = [name for name in text.split("/") if name]
    path: list[_Stars | _Name] = []
    for name in names:
        if name != "**":
            path.append(_Name(name))
        elif not path or isinstance(path[-1], _Name):
            path.append(_Stars(hidden=False))
    if not path or isinstance(path[-1], _Stars):
        path.append(_Name("*"))
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
