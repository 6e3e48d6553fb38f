"""The backend `filesystem`: a directory on disk that stays."""

from __future__ import annotations

from pathlib import Path

from .directory import Directory, Parts


class FilesystemBackend:
    """Durable; no limit but the disk's."""

    def __init__(self, top: Path, below: Parts, owner: tuple[int, int]) -> None:
        self._tree = Directory(top, below, owner, durable=True)

    def tree(self) -> Directory:
        """The directory behind the route."""
        return self._tree

    def check_room(self, old: int, new: int) -> None:
        """Nothing to check: the disk says when it is full."""
