"""The backend `state`: a session's directory in RAM, private to it and gone with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..exceptions import InvalidInput, NotFound
from .directory import Directory, Parts
from .paths import shown

#: The RAM directory that is `/tmp` in a session's container; None when there is no such session.
StateDirectory = Callable[[str], Path | None]


class StateBackend:
    """Not durable, and counted by nobody: it ends with the session."""

    def __init__(
        self,
        directory: StateDirectory,
        session_id: str | None,
        below: Parts,
        owner: tuple[int, int],
    ) -> None:
        self._directory = directory
        self._session_id = session_id
        self._below = below
        self._owner = owner

    def tree(self) -> Directory:
        """The directory behind the route, asked for each time: the session may have ended.

        Raises InvalidInput (`session_required`), NotFound (`session_not_found`).
        """
        if not self._session_id:
            raise InvalidInput(
                "Memory of this route is private to a session: a session_id is needed.",
                "session_required",
            )
        top = self._directory(self._session_id)
        if top is None:
            raise NotFound(
                f"There is no live session {shown(self._session_id)}.", "session_not_found"
            )
        return Directory(top, self._below, self._owner)

    def check_room(self, old: int, new: int) -> None:
        """Nothing to check."""
