"""Archives that nobody should take: each with a name, and a part of the sentence it gets.

`CASES` is filled by `hostile_entries.py` and `hostile_wholes.py`; import it from `hostile_cases`.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable

from .archive_support import Craft

MAX_BYTES = 1 << 20
MAX_ENTRIES = 50
#: The limits of whoever takes them.
LIMITS = {"Archives": {"max_bytes": MAX_BYTES, "max_entries": MAX_ENTRIES}}

CASES: dict[str, tuple[str, bytes]] = {}


def case(sentence: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    def add(make: Callable[[], bytes]) -> Callable[[], bytes]:
        CASES[make.__name__] = sentence, make()
        return make

    return add


def good() -> Craft:
    return Craft().repo().add("repo/a", b"content\n").link("repo/l", "/etc/passwd")


def info(name: str, type_: bytes, size: int) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size = type_, size
    return made
