"""Virtual paths: absolute, POSIX, never with a way up; as text, and percent-encoded for URLs.

A name that is not UTF-8 is text with lone surrogates (`surrogateescape`), as everywhere in Python;
URLs and JSON carry its bytes percent-encoded.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ..exceptions import InvalidInput

MAX_PATH_BYTES = 4095  # PATH_MAX without its closing NUL
MAX_NAME_BYTES = 255

_BAD_COMPONENT = re.compile(r"//|/\.{1,2}(?:/|\Z)")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@lru_cache(maxsize=1024)
def split_path(path: str) -> tuple[str, ...]:
    """The components of a virtual path, none for `/`; one closing slash is ignored.

    Raises InvalidInput (`invalid_path`) for a relative path, an empty component, `.`, `..`, NUL,
    a name of more than 255 bytes or a path of more than 4,095.
    """
    if not isinstance(path, str) or not path.startswith("/"):
        raise _invalid(path, "must begin with '/'")
    if "\0" in path:
        raise _invalid(path, "must not hold a NUL")
    if _BAD_COMPONENT.search(path):
        raise _invalid(path, "must not hold '//', '.' or '..'")
    if _bytes(path) > MAX_PATH_BYTES:
        raise _invalid(path, f"may have {MAX_PATH_BYTES} bytes")
    parts = tuple(path.rstrip("/").split("/")[1:])
    if any(_bytes(part) > MAX_NAME_BYTES for part in parts):
        raise _invalid(path, f"may have {MAX_NAME_BYTES} bytes in each of its names")
    return parts


def join_path(*parts: str) -> str:
    """The virtual path of components; `/` for none."""
    return "/" + "/".join(parts)


def encode_path(path: str) -> str:
    """`path` for a URL or JSON: pure ASCII, every other byte percent-encoded, slashes kept."""
    return quote_from_bytes(os.fsencode(path), safe="/")


def decode_path(text: str) -> str:
    """The opposite of `encode_path`. Raises InvalidInput (`invalid_path`)."""
    if _BAD_ESCAPE.search(text):
        raise _invalid(text, "holds a '%' that begins no escape of two hexadecimal digits")
    try:
        return os.fsdecode(unquote_to_bytes(text))
    except UnicodeEncodeError:
        raise _invalid(text, "holds a lone surrogate") from None


def shown(path: object) -> str:
    """`path` for a sentence: printable and short."""
    text = path if isinstance(path, str) else repr(path)
    if not text.isprintable():
        text = quote_from_bytes(text.encode("utf-8", "surrogatepass"), safe="/ ")
    return text if len(text) <= 200 else text[:200] + "…"


def _bytes(text: str) -> int:
    if text.isascii():
        return len(text)
    try:
        return len(os.fsencode(text))
    except UnicodeEncodeError:
        raise _invalid(text, "holds a lone surrogate that stands for no byte") from None


def _invalid(path: object, problem: str) -> InvalidInput:
    return InvalidInput(f"The path {shown(path)} {problem}.", "invalid_path")
