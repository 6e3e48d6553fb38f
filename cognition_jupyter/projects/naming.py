"""Project ids: `{prefix}-{8 hex}`. Every path into the store is built from an id checked here."""

from __future__ import annotations

import re
import secrets

from ..exceptions import InvalidInput

PREFIX = re.compile(r"[a-z][a-z0-9-]{0,31}")
PROJECT_ID = re.compile(r"([a-z][a-z0-9-]{0,31})-([0-9a-f]{8})")


def check_prefix(prefix: str) -> str:
    """`prefix` itself, or InvalidInput."""
    if not PREFIX.fullmatch(prefix):
        raise InvalidInput(
            "user_prefix must be 1 to 32 of a-z, 0-9 and '-', beginning with a letter, "
            "for example my-api.",
            "invalid_prefix",
        )
    return prefix


def check_project_id(project_id: str) -> str:
    """`project_id` itself, or InvalidInput. It never holds a slash, a dot or a NUL."""
    if not PROJECT_ID.fullmatch(project_id):
        raise InvalidInput(
            "A project id is a prefix, '-' and 8 hexadecimal digits, for example my-api-a7b3c2d1.",
            "invalid_project_id",
        )
    return project_id


def is_project_id(name: str) -> bool:
    """Whether a directory of that name can be a project."""
    return PROJECT_ID.fullmatch(name) is not None


def new_project_id(prefix: str) -> str:
    """A fresh id; 32 random bits, so the caller still has to meet a collision."""
    return f"{check_prefix(prefix)}-{secrets.token_hex(4)}"
