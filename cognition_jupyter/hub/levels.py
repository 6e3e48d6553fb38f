"""What a token may do here: one of five levels, each with all those below it."""

from __future__ import annotations

from enum import IntEnum

PREFIX = "custom:cognition:"


class Level(IntEnum):
    """How far-reaching a request is, or may be."""

    NONE = 0  # what tells and changes nothing of the user's
    READ = 1
    WRITE = 2
    EXECUTE = 3
    ADMIN = 4  # everything else: other kernels, terminals, files outside of projects

    @property
    def scope(self) -> str:
        """Its name in JupyterHub."""
        return PREFIX + self.name.lower()
