"""Bytes between an event loop and a thread: bounded, and neither side outlives the other."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

from ..exceptions import CognitionError, RuntimeUnavailable

PIECES = 8  # that may be on the way
_END = b""


class Closed(CognitionError):
    """The other side is gone; nobody is left to read this."""

    code = "transfer_ended"


def stalled(seconds: float) -> RuntimeUnavailable:
    """The error for a transfer in which nothing moves."""
    return RuntimeUnavailable(
        f"Nothing moved for {seconds:g} s (Archives.stall_timeout).", "transfer_stalled"
    )


class Feed:
    """From the loop to a thread. Made on the loop."""

    def __init__(self, timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._room = asyncio.Semaphore(PIECES)
        self._pieces: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
        self._closed = False
        self._ended = False

    async def pump(self, pieces: AsyncIterator[bytes]) -> None:
        """Pass all of `pieces` on; what they raise is raised in the thread."""
        try:
            async for piece in pieces:
                if piece and not self._closed:
                    await self._room.acquire()
                    self._pieces.put(piece)
        except Exception as error:
            self._pieces.put(error)
        else:
            self._pieces.put(_END)

    def close(self) -> None:
        """Let the thread end, and throw away whatever else comes."""
        self._closed = True
        self._pieces.put(Closed("The transfer was ended."))
        self._room.release()  # whoever waits goes on

    def read(self) -> bytes:
        """In the thread: the next bytes, b'' at the end. Raises what `pump` was given."""
        if self._ended:
            return _END
        try:
            piece = self._pieces.get(timeout=self._timeout)
        except queue.Empty:
            raise stalled(self._timeout) from None
        if isinstance(piece, Exception):
            raise piece
        self._ended = piece == _END
        with suppress(RuntimeError):  # the loop is gone: then nobody waits
            self._loop.call_soon_threadsafe(self._room.release)
        return piece


class Drain:
    """From a thread to the loop. Made on the loop."""

    def __init__(self, timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._room = threading.Semaphore(PIECES)
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._closed = False

    def write(self, piece: bytes) -> None:
        """In the thread: pass it on when there is room. Raises Closed, RuntimeUnavailable."""
        if not self._room.acquire(timeout=self._timeout):
            raise stalled(self._timeout)
        if self._closed:
            raise Closed("The transfer was ended.")
        self._put(piece)

    def end(self) -> None:
        """In the thread: nothing more will come."""
        self._put(_END)

    def _put(self, piece: bytes) -> None:
        try:
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
        except RuntimeError:
            raise Closed("The transfer was ended.") from None

    def close(self) -> None:
        """Let the thread end."""
        self._closed = True
        self._room.release()

    async def pieces(self) -> AsyncIterator[bytes]:
        """All that is written."""
        while piece := await self._pieces.get():
            self._room.release()
            yield piece
