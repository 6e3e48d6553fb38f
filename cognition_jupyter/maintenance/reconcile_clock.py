"""When reconcile runs in a server: at start, by the clock, and when an engine went or came back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from logging import Logger, LoggerAdapter
from typing import Any

from .periodic import Periodic
from .reconcile import Reconcile

_LOOK_EVERY = 2.0  # seconds, while an engine that matters does not answer


class ReconcileClock:
    """For one event loop."""

    def __init__(
        self, reconcile: Reconcile, kernels: Any, log: Logger | LoggerAdapter[Any]
    ) -> None:
        self._reconcile = reconcile
        self._kernels = kernels
        self._passes = Periodic("Reconcile", reconcile.run, reconcile.interval, log)
        # An engine that hung tells nobody that it goes on.
        self._looks = Periodic("Looking for the engine", self._look, _LOOK_EVERY, log)

    def start(self) -> None:
        """Start with a first pass."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._passes.run_again)

        self._reconcile.serve(self._kernels, wake)
        self._passes.start(now=True)
        self._looks.start()

    async def _look(self) -> None:
        if await self._reconcile.is_answering_again():
            self._passes.run_again()

    async def stop(self) -> None:
        """Stop, also a pass that is at it, after the step on the disk it is in."""
        self._reconcile.serve(None, lambda: None)
        await self._looks.stop()
        await self._passes.stop()
