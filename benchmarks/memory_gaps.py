"""How long an event loop is not free while a large memory is snapshotted in a thread."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.take import Taken, take
from cognition_jupyter.projects.files import in_thread

from .loop_probe import TICK, gaps, tick
from .memory import hot_memory, scratch, settle, without_generations

IDLE, FIRST, UNCHANGED = "idle, as long as the first", "the first", "nothing changed"


@dataclass
class Watched:
    """Of each time that something was done: seconds it took, the longest gap meanwhile."""

    took: list[float] = field(default_factory=list)
    worst: list[float] = field(default_factory=list)

    async def watch(self, work: Awaitable[object]) -> None:
        """Wait for `work` with an eye on the loop."""
        ticking = asyncio.ensure_future(tick())
        await asyncio.sleep(10 * TICK)
        gaps.clear()
        before = time.perf_counter()
        await work
        self.took.append(time.perf_counter() - before)
        await asyncio.sleep(10 * TICK)
        ticking.cancel()
        self.worst.append(max(gaps))


async def _taken(work: Awaitable[Taken], created: bool, files: int) -> None:
    found = await work
    if found.created is not created or found.files != files:
        raise AssertionError(f"the snapshot was {found}")


async def _measure(hot: HotMemory, files: int, rounds: int, each: int) -> dict[str, Watched]:
    loop = asyncio.get_running_loop()
    first, unchanged, elsewhere, idle = (Watched() for _ in range(4))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        await loop.run_in_executor(pool, time.sleep, 0)
        for number in range(rounds):
            fresh = without_generations(hot, number)
            settle(fresh.disk)
            await first.watch(_taken(in_thread(take)(fresh, "bench"), True, files))
            await idle.watch(asyncio.sleep(first.took[-1]))
            for _ in range(each):
                other = loop.run_in_executor(pool, take, fresh, "bench")
                await elsewhere.watch(_taken(other, False, files))
                await unchanged.watch(_taken(in_thread(take)(fresh, "bench"), False, files))
    return {
        IDLE: idle,
        f"{UNCHANGED}, in another process": elsewhere,
        FIRST: first,
        UNCHANGED: unchanged,
    }


def measure(files: int, rounds: int, each: int) -> dict[str, Watched]:
    """`rounds` first snapshots, `each` unchanged ones after each of them, and the controls."""
    with scratch() as (ram, disk):
        hot, _ = hot_memory(ram, disk, files)
        return asyncio.run(_measure(hot, files, rounds, each))
