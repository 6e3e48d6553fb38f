"""A page's connection to its server that can be cut, and plugged into another."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

from ..client.cable import Cable


class Plug:
    """`with` it; `url` is where to connect. The cable is served by a thread of its own."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.url = ""

    def __enter__(self) -> Plug:
        self._thread.start()
        self._cable = Cable(self._target)
        asyncio.run_coroutine_threadsafe(self._cable.__aenter__(), self._loop).result(10)
        self.url = self._cable.url
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        end = self._cable.__aexit__(kind, error, traceback)
        asyncio.run_coroutine_threadsafe(end, self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Break all connections; the next ones go through."""
        self._loop.call_soon_threadsafe(self._cable.cut)

    def pull(self) -> None:
        """Break all connections, and let none through until it is plugged in again."""
        self.into("http://127.0.0.1:9")
        self.cut()

    def into(self, target: str) -> None:
        """Lead to another server from now on."""
        self._cable.target = target
