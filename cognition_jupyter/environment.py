"""Environment variables of the original system, as defaults of the matching traits."""

from __future__ import annotations

import os
from typing import Any

from traitlets import TraitError, default

_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False}
_WORDS |= {"no": False, "off": False}


def environment_default(trait: str, variable: str, fallback: Any, minimum: int = 0) -> Any:
    """A traitlets default: the variable's value as the type of `fallback`, else `fallback`.

    A wrong value raises TraitError with a sentence that names the variable. Read when the object
    is made, never at import.
    """

    def read(self: object) -> Any:
        text = os.environ.get(variable)
        if text is None:
            return fallback
        if isinstance(fallback, bool):
            if text.strip().lower() not in _WORDS:
                raise TraitError(f"{variable} must be true or false, not {text!r}.")
            return _WORDS[text.strip().lower()]
        try:
            number = int(text)
        except ValueError:
            raise TraitError(f"{variable} must be a whole number, not {text!r}.") from None
        if number < minimum:
            raise TraitError(f"{variable} must be at least {minimum}, not {number}.")
        return number

    return default(trait)(read)
