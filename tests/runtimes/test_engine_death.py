"""A real engine that dies, hangs and comes back while a session runs: a second dockerd."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Iterator

import docker
import pytest

from cognition_jupyter.exceptions import RuntimeUnavailable
from cognition_jupyter.runtimes.docker import DockerRuntime

from .engines import SecondEngine
from .support import Place, new_uuid, until
from .test_engine_failures import ticking

SLEEPS = ("/bin/sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.1; done")


LIMIT = 5  # seconds that the engine may take to answer


@pytest.fixture(scope="module")
def second() -> Iterator[SecondEngine]:
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("needs root and dockerd, for an engine of its own")
    made = SecondEngine()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def place(second: SecondEngine) -> Iterator[Place]:
    runtime = DockerRuntime(
        root_uuid=new_uuid(), base_url=second.url, engine_timeout=LIMIT, start_timeout=LIMIT
    )
    made = Place(runtime)
    yield made
    shutil.rmtree(made.path, ignore_errors=True)


def test_an_engine_that_is_killed_and_started_again(second: SecondEngine, place: Place) -> None:
    runtime = place.runtime

    async def body() -> None:
        spec = place.spec(*SLEEPS, image=second.IMAGE)
        container, ended_before = await runtime.start(spec), await runtime.start(spec)
        await runtime.signal(ended_before, signal.SIGUSR1)
        before = await runtime.wait(ended_before, 60)
        assert before is not None and before.code == 7
        second.signal(signal.SIGKILL)
        async with ticking() as gaps:
            for _ in range(3):
                for attempt in (
                    runtime.found(),
                    runtime.start(spec),
                    runtime.signal(container, 2),
                    runtime.remove("f" * 64),
                ):
                    with pytest.raises(RuntimeUnavailable):
                        await attempt
                assert not (await runtime.health()).available
                # Unknown is not an exit.
                assert runtime.exit_of(container) is None
                assert runtime.exit_of(ended_before) == before
        assert max(gaps) < 1
        await asyncio.to_thread(second.start)
        # The new engine has ended what the old one left running: without anybody asking, we know.
        ended = await runtime.wait(container, 60)
        assert ended is not None and ended.reason == "engine", ended
        assert ended.code in (137, 143, 255)
        assert runtime.exit_of(ended_before) == before
        assert {f.container_id for f in await runtime.found()} == {container, ended_before}
        # And all goes on.
        again = place.spec("/bin/sh", "-c", "exit 3", image=second.IMAGE)
        assert (await place.finish(again)).code == 3

    place.run(body)


def test_what_ended_by_itself_while_the_engine_was_away_is_not_its_fault(
    second: SecondEngine, place: Place
) -> None:
    runtime = place.runtime

    async def body() -> None:
        command = ("/bin/sh", "-c", "while [ ! -e go ]; do sleep 0.05; done; exit 7")
        container = await runtime.start(place.spec(*command, image=second.IMAGE))
        second.signal(signal.SIGKILL)
        (place.workspace / "go").touch()
        await asyncio.sleep(0.5)
        await asyncio.to_thread(second.start)
        ended = await runtime.wait(container, 60)
        assert ended is not None
        # An engine without its shim's word knows only that it has ended.
        # An engine that has not heard from the shim knows only that it has ended.
        assert (ended.code, ended.reason) in ((7, "crashed"), (255, "engine"), (137, "engine"))

    place.run(body)


def test_an_engine_that_is_stopped_in_an_orderly_way(second: SecondEngine, place: Place) -> None:
    runtime = place.runtime

    async def body() -> None:
        container = await runtime.start(place.spec(*SLEEPS, image=second.IMAGE))
        await asyncio.to_thread(second.signal, signal.SIGTERM)
        await asyncio.to_thread(second.start)
        ended = await runtime.wait(container, 60)
        assert ended is not None and ended.reason == "engine", ended

    place.run(body)


def test_an_engine_that_stands_still_for_a_while(second: SecondEngine, place: Place) -> None:
    runtime = place.runtime
    client = docker.APIClient(second.url, version="auto")

    async def body() -> None:
        spec = place.spec(*SLEEPS, image=second.IMAGE)
        container = await runtime.start(spec)
        second.signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            async with ticking() as gaps:
                results = await asyncio.gather(
                    runtime.start(spec),
                    runtime.start(spec),
                    runtime.found(),
                    runtime.signal(container, signal.SIGWINCH),
                    runtime.health(),
                    return_exceptions=True,
                )
            assert time.monotonic() - begun < 30 and max(gaps) < 1
            *failed, health = results
            assert [str(result) for result in failed] == [
                f"The Docker engine did not answer within {LIMIT} s."
            ] * 4
            assert "did not answer" in health.detail  # type: ignore[union-attr]
            assert runtime.exit_of(container) is None
            await asyncio.sleep(0.5)
        finally:
            second.signal(signal.SIGCONT)
        # It now does what it was asked to do, and all of that goes away again.
        await until(lambda: len(client.containers(all=True)) == 1)
        await asyncio.sleep(1)
        assert [c["Id"] for c in client.containers(all=True)] == [container]
        assert runtime.exit_of(container) is None
        # The signal came late, and the line of events is still there.
        await runtime.signal(container, signal.SIGUSR1)
        ended = await runtime.wait(container, 60)
        assert ended is not None and ended.code == 7

    try:
        place.run(body)
    finally:
        client.close()
