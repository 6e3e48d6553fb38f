"""Clones that are ended early leave no process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..git_server import GitServer
from .support import (
    LOGIN,
    busy,
    cloner,
    command_lines,
    failure,
    in_session,
    session_of,
    until,
)


@pytest.fixture(params=["hang", "stall"])
def stuck_server(request: pytest.FixtureRequest, repositories: Path) -> Iterator[GitServer]:
    """Leaves the client waiting for the first answer, or in the middle of the files."""
    hang = request.param == "hang"
    with GitServer(repositories, hang=hang, stall_after=None if hang else 3000) as server:
        yield server


def test_timeout_leaves_no_process(repositories: Path, target: Path) -> None:
    sessions: list[int] = []

    def look() -> None:
        until(server.stuck.is_set)
        sessions.append(session_of(server.host))

    with GitServer(repositories, stall_after=3000) as server:
        watcher = threading.Thread(target=look)
        watcher.start()
        start = time.monotonic()
        message = failure(server.url("demo.git", LOGIN), target, timeout=5)
        assert 5 <= time.monotonic() - start < 60
        assert message == "The clone was not done within 5 s."
        watcher.join()
        until(lambda: not in_session(sessions[0]))


def test_cancellation_leaves_no_process(stuck_server: GitServer, target: Path) -> None:
    async def scenario() -> int:
        task = asyncio.create_task(cloner().clone(stuck_server.url("demo.git"), target))
        await asyncio.to_thread(until, stuck_server.stuck.is_set)
        session = session_of(stuck_server.host)
        assert len(in_session(session)) >= 2
        task.cancel()
        start = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - start < 60
        return session

    session = asyncio.run(scenario())
    until(lambda: not in_session(session))


def test_cancellation_at_any_moment(repositories: Path, tmp_path: Path) -> None:
    async def scenario(server: GitServer) -> None:
        for number in range(24):
            target = tmp_path / f"repo{number}"
            target.mkdir()
            task = asyncio.create_task(cloner().clone(server.url("demo.git"), target))
            if number < 8:  # while git is being started, in a loop that is busy with other things
                for _ in range(number):
                    await asyncio.sleep(0)
                busy(0.1)
            else:
                await asyncio.sleep((number - 8) * 0.002)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with GitServer(repositories, hang=True) as server:
        asyncio.run(scenario(server))
        mark = f"://{server.host}/"
        until(lambda: not any(mark in line for line in command_lines().values()))
