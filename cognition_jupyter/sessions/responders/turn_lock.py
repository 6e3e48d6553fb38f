"""One turn at a time in a project's conversation, of whichever session and server it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

from ...exceptions import InvalidInput
from ...kernels.session import check_session_id
from ...projects.files import in_thread, read_bounded, try_lock, unlock

LOCK = "turn.lock"
_POLL = 0.1  # seconds


class TellWait(Protocol):
    """Told that a turn waits, and for which session (None: not known); and that it goes on."""

    def __call__(self, is_waiting: bool, waits_for: str | None) -> Awaitable[None]:
        """May raise: then there is no turn."""


class TurnLock:
    """The lock file in a project's `.agent/`, in which its holder stands; for one session."""

    def __init__(self, directory: Path, session_id: str) -> None:
        """`directory`: the project's `.agent`, made when it is missing."""
        self._path = directory / LOCK
        self._session_id = session_id

    @asynccontextmanager
    async def held(self, tell: TellWait) -> AsyncIterator[None]:
        """Wait until no session of the project has a turn, on any server; then have one.

        Two turns at once would each go on from the same message, and one would be forgotten.
        A wait that is over at the second look is not told. May be cancelled while it waits.
        """
        is_told, waits_for = False, None
        held, holder = await self._try()
        while held is None:
            # Its holder may be another process, which sets no event of ours.
            await asyncio.sleep(_POLL)
            held, holder = await self._try()
            if held is None and not (is_told and holder in (None, waits_for)):
                is_told, waits_for = True, holder
                await tell(True, holder)
        try:
            if is_told:
                await tell(False, None)
            yield
        finally:
            await in_thread(unlock)(self._path, held)

    async def _try(self) -> tuple[int | None, str | None]:
        """The lock, or None and who holds it. Cancelled, it has not got it."""
        step = asyncio.ensure_future(in_thread(self._take)())
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            held, _ = await step
            if held is not None:
                await in_thread(unlock)(self._path, held)
            raise

    def _take(self) -> tuple[int | None, str | None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = try_lock(self._path)
        if held is None:
            return None, self._holder()
        with suppress(OSError):  # of a full disk: others wait all the same
            os.ftruncate(held, 0)  # of a process that was killed
            os.pwrite(held, self._session_id.encode(), 0)
        return held, None

    def _holder(self) -> str | None:
        """The session that stands in the file; None when none does, or not yet."""
        try:
            return check_session_id(read_bounded(self._path, 64).decode())
        except (OSError, ValueError, InvalidInput):
            return None
