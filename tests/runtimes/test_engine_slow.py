"""A real engine that is slow at one thing: what comes too late does not stay."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import docker
import pytest

from cognition_jupyter.exceptions import RuntimeUnavailable
from cognition_jupyter.runtimes.docker import DockerRuntime

from .engines import Relay
from .support import Place, new_uuid, until
from .test_engine_failures import broken


@pytest.fixture
def relay() -> Iterator[Relay]:
    made = Relay()
    yield made
    made.close()


def containers_of(engine: docker.DockerClient, place: Place) -> list[str]:
    labels = {"label": f"cognition.root={place.runtime.root_uuid}"}
    return [c["Id"] for c in engine.api.containers(all=True, filters=labels)]


def slow_at(relay: Relay, what: str, answer: bool) -> None:
    relay.going.clear()
    if answer:
        relay.hold_answers = re.compile(what)
    else:
        relay.hold = re.compile(what)


@pytest.mark.parametrize(
    ("what", "answer"), [("containers/create", True), ("containers/[0-9a-f]+/start", False)]
)
def test_a_start_that_comes_too_late_leaves_nothing(
    relay: Relay, engine: docker.DockerClient, what: str, answer: bool
) -> None:
    """The engine goes on with what it was asked to do when nobody waits for it any more."""
    place = broken(relay.url, limit=8)

    async def body() -> None:
        assert (await place.finish(place.sh("true"))).code == 0
        slow_at(relay, what, answer)
        begun = time.monotonic()
        with pytest.raises(RuntimeUnavailable, match="did not answer within 8 s"):
            await place.runtime.start(place.sh("exec sleep 1000"))
        assert time.monotonic() - begun < 30
        await asyncio.sleep(8.5)  # the thread has given up, too
        relay.going.set()
        await until(lambda: any("DELETE" in r for r in relay.requests))
        deadline = time.monotonic() + 60
        while containers_of(engine, place):
            await place.runtime.found()  # as reconcile does
            assert time.monotonic() < deadline, "a container is left"
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.3)
        assert containers_of(engine, place) == []

    place.run(body)


def test_steps_that_are_in_time_and_all_together_are_not(
    relay: Relay, engine: docker.DockerClient
) -> None:
    """The start is still under way when its caller has been told that it took too long."""
    place = broken(relay.url, limit=1)

    async def body() -> None:
        relay.pause = 0.7
        slow_at(relay, "/info|containers/create", answer=False)
        with pytest.raises(RuntimeUnavailable, match="did not answer within 1 s"):
            await place.runtime.start(place.sh("exec sleep 1000"))
        assert containers_of(engine, place) == []  # not yet
        await asyncio.sleep(1.5)
        assert any("containers/create" in request for request in relay.requests)
        assert containers_of(engine, place) == []

    place.run(body)


def test_an_engine_that_took_the_request_and_answers_much_later(
    relay: Relay, engine: docker.DockerClient
) -> None:
    """Nothing is found at first, and yet it comes: the engine's events tell."""
    place = broken(relay.url, limit=8)

    async def body() -> None:
        assert (await place.finish(place.sh("true"))).code == 0
        slow_at(relay, "containers/create", answer=False)
        with pytest.raises(RuntimeUnavailable):
            await place.runtime.start(place.sh("exec sleep 1000"))
        await asyncio.sleep(1.2)
        for _ in range(3):
            assert await place.runtime.found() == []
        relay.going.set()
        await until(lambda: not containers_of(engine, place))
        await asyncio.sleep(0.5)
        assert containers_of(engine, place) == []

    place.run(body)


def test_a_removal_that_fails_is_made_up_for(relay: Relay, engine: docker.DockerClient) -> None:
    place = broken(relay.url, limit=3, start=60)

    async def body() -> None:
        container = await place.runtime.start(place.sh("exec sleep 1000"))
        other = await place.runtime.start(place.sh("exec sleep 1000"))
        slow_at(relay, "DELETE", answer=False)
        with pytest.raises(RuntimeUnavailable):
            await place.runtime.remove(container)
        assert place.runtime.exit_of(container) is None  # not a word about an exit
        relay.cut()  # the request is lost
        relay.going.set()
        deadline = time.monotonic() + 60
        while container in containers_of(engine, place):
            try:
                await place.runtime.found()
            except RuntimeUnavailable:
                pass
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        assert containers_of(engine, place) == [other]
        assert place.runtime.exit_of(other) is None
        assert (await place.runtime.wait(container, 60)).code == 137  # type: ignore[union-attr]

    place.run(body)


def test_slow_starts_do_not_hold_up_an_interrupt(relay: Relay) -> None:
    runtime = DockerRuntime(root_uuid=new_uuid(), base_url=relay.url, start_timeout=20)
    place = Place(runtime)

    async def body() -> None:
        code = """
            import signal, sys
            signal.signal(2, lambda *_: sys.exit(6))
            with open("up", "w") as file:
                file.write("yes")
            signal.pause()
        """
        container = await runtime.start(place.python(code))
        await place.appears("up")
        slow_at(relay, "containers/create", answer=False)
        starts = [asyncio.ensure_future(runtime.start(place.sh("sleep 9"))) for _ in range(20)]
        await asyncio.sleep(0.5)
        begun = time.monotonic()
        await runtime.signal(container, 2)
        ended = await runtime.wait(container, 15)
        assert ended is not None and ended.code == 6
        assert time.monotonic() - begun < 15  # they are held for longer
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        relay.going.set()
        deadline = time.monotonic() + 60
        while await runtime.found():
            await runtime.remove(container)
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)

    place.run(body)
