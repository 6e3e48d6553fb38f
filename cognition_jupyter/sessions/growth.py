"""Tells, every now and then, that something has grown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PAUSE = 2.0  # seconds


class Growth:
    """Calls `tell` at the first growth, then once a pause at most, and always after the last.

    For one event loop.
    """

    def __init__(self, tell: Callable[[], None], pause: float = PAUSE) -> None:
        self._tell = tell
        self._seconds = pause
        self._pause: asyncio.TimerHandle | None = None
        self._has_more = False

    def note(self) -> None:
        """It has grown."""
        if self._pause is not None:
            self._has_more = True
            return
        self._has_more = False
        self._pause = asyncio.get_running_loop().call_later(self._seconds, self._go_on)
        self._tell()

    def _go_on(self) -> None:
        self._pause = None
        if self._has_more:
            self.note()
