"""Environment variables of the original system, as defaults of the matching traits."""

from __future__ import annotations

import os
import re
from typing import Any

from traitlets import TraitError, default

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False}
_WORDS |= {"no": False, "off": False}


def environment_default(
    trait: str, variable: str, fallback: Any, minimum: int = 0, maximum: int = 10**9
) -> Any:
    """A traitlets default: the variable's value as the type of `fallback`, else `fallback`.

    A wrong value raises TraitError with a sentence that names the variable. Read when the trait is
    first asked for, never at import; a trait that is configured wins.
    """

    def read(self: object) -> Any:
        text = os.environ.get(variable)
        if text is None:
            return fallback
        if isinstance(fallback, bool):
            if text.strip().lower() not in _WORDS:
                raise TraitError(f"{variable} must be true or false, not {text[:40]!r}.")
            return _WORDS[text.strip().lower()]
        if not _NUMBER.fullmatch(text.strip()):
            raise TraitError(f"{variable} must be a whole number, not {text[:40]!r}.")
        number = int(text)
        if not minimum <= number <= maximum:
            raise TraitError(f"{variable} must be from {minimum} to {maximum}, not {number}.")
        return number

    return default(trait)(read)
