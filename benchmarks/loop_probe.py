"""A server extension that measures how long the server's event loop was not free."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

TICK = 0.001  # seconds
gaps: list[float] = []


async def tick() -> None:
    """Sleep for a moment, again and again; what it took longer was somebody else's."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        gaps.append(time.perf_counter() - before - TICK)


class GapsHandler(APIHandler):
    """`/bench/gaps`."""

    @web.authenticated
    def get(self) -> None:
        """Answer with the longest gaps since the last call, in milliseconds."""
        worst = sorted(gaps, reverse=True)[:5]
        gaps.clear()
        self.finish(json.dumps([round(gap * 1e3, 1) for gap in worst]))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "benchmarks.loop_probe"}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.web_app.add_handlers(".*$", [(f"{server.base_url}bench/gaps", GapsHandler)])


async def _start_jupyter_server_extension(server: Any) -> None:
    server._bench_tick = asyncio.ensure_future(tick())
