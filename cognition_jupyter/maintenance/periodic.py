"""A piece of work by the clock: never twice at once, its failures in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger, LoggerAdapter
from typing import Any

from tornado.ioloop import PeriodicCallback

_JITTER = 0.1  # of the interval, so that many servers don't work at the same moment


class Periodic:
    """Runs `work` every `interval` seconds, and not while it still runs. For one event loop."""

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        interval: float,
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        """An `interval` of 0: only when `run` is called."""
        self._name = name
        self._work = work
        self._log = log
        self._task: asyncio.Future[None] | None = None
        self._again = self._stopped = False
        self._clock = (
            PeriodicCallback(self.run, interval * 1000, jitter=_JITTER) if interval > 0 else None
        )

    def start(self, now: bool = False) -> None:
        """Start the clock; `now`: with a first run at once."""
        if now:
            self.run()
        if self._clock is not None:
            self._clock.start()

    def run(self) -> None:
        """Start a run, unless one is still at it or all is over."""
        if self._stopped:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._work())
            self._task.add_done_callback(self._note_end)

    def run_again(self) -> None:
        """Start a run that begins after this call: after the one that is at it, if there is one."""
        self._again = self._task is not None and not self._task.done()
        self.run()

    def _note_end(self, task: asyncio.Future[None]) -> None:
        if task.cancelled():
            return
        if task.exception() is not None:
            self._log.error("%s failed", self._name, exc_info=task.exception())
        if self._again:
            self._again = False
            self.run()

    async def stop(self) -> None:
        """Stop the clock and the run that is at it, after the step on the disk it is in."""
        if self._clock is not None:
            self._clock.stop()
        self._stopped = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
