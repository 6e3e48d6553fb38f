"""An example of a module: replace it."""

import re
import unicodedata


def slug(title: str) -> str:
    """`title` in small letters, digits and single hyphens, as in an address.

    Raises ValueError when nothing is left of it.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    if not words:
        raise ValueError(f"nothing of {title!r} can stand in an address")
    return "-".join(words)
