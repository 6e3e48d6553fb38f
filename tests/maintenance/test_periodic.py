"""Work by the clock: never twice at once, its failures told, stopped in the middle."""

from __future__ import annotations

import asyncio
import logging

import pytest

from cognition_jupyter.maintenance.periodic import Periodic

LOG = logging.getLogger("test")


def test_never_twice_at_once() -> None:
    running = most = runs = 0

    async def work() -> None:
        nonlocal running, most, runs
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        runs += 1

    async def body() -> None:
        periodic = Periodic("Work", work, 0.005, LOG)
        periodic.start(now=True)
        periodic.run()
        while runs < 5:  # noqa: ASYNC110 - it is the clock that is tested
            await asyncio.sleep(0.01)
        await periodic.stop()

    asyncio.run(asyncio.wait_for(body(), 20))
    assert most == 1


def test_a_failure_is_told_and_the_clock_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        raise OSError("no disk today")

    async def body() -> None:
        periodic = Periodic("Work", work, 0.01, LOG)
        periodic.start()
        while runs < 3:  # noqa: ASYNC110 - it is the clock that is tested
            await asyncio.sleep(0.01)
        await periodic.stop()

    asyncio.run(asyncio.wait_for(body(), 20))
    assert caplog.text.count("Work failed") >= 2 and "no disk today" in caplog.text


def test_an_interval_of_nothing_means_only_when_asked() -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1

    async def body() -> None:
        periodic = Periodic("Work", work, 0, LOG)
        periodic.start()
        await asyncio.sleep(0.05)
        assert runs == 0
        periodic.run()
        await asyncio.sleep(0.01)
        assert runs == 1
        await periodic.stop()

    asyncio.run(body())


def test_stopped_in_the_middle() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def body() -> None:
        periodic = Periodic("Work", work, 100, LOG)
        periodic.start(now=True)
        await asyncio.sleep(0.01)
        await periodic.stop()

    asyncio.run(body())
    assert ended == [True]
