"""Engines that fail: whatever they do, each call ends in time, with a sentence."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import RuntimeUnavailable
from cognition_jupyter.runtimes.docker import DockerRuntime

from ..support.clock import unhindered
from .engines import Fake, http
from .support import Place, new_uuid

REPOSITORY = Path(__file__).parents[2]
LIMIT = 0.5


def never(fake: Fake, connection: socket.socket) -> None:
    fake.wait(3600)


def slow(fake: Fake, connection: socket.socket) -> None:
    fake.wait(30)
    connection.sendall(http(b'{"ApiVersion": "1.41", "Version": "1"}'))


def drips(fake: Fake, connection: socket.socket) -> None:
    for letter in http(b'{"ApiVersion": "1.41", "Version": "1"}'):
        connection.sendall(bytes([letter]))
        fake.wait(0.3)


def hangs_up(fake: Fake, connection: socket.socket) -> None:
    connection.close()


def breaks_off(fake: Fake, connection: socket.socket) -> None:
    connection.sendall(http(b"x" * 100)[:-50])
    connection.close()


def no_http(fake: Fake, connection: socket.socket) -> None:
    connection.sendall(secrets.token_bytes(4000) + b"\r\n\r\n")


def endless_header(fake: Fake, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000)


def answers(body: bytes, status: str = "200 OK") -> Callable[[Fake, socket.socket], None]:
    return lambda fake, connection: connection.sendall(http(body, status))


VERSION = b'{"ApiVersion": "1.41", "Version": 7}'
FAKES = {
    "never": never,
    "slow": slow,
    "drips": drips,
    "hangs up": hangs_up,
    "breaks off": breaks_off,
    "no http": no_http,
    "endless header": endless_header,
    "no json": answers(b"<html>"),
    "a list": answers(b"[]"),
    "nothing": answers(b""),
    "null": answers(b"null"),
    "a number for a version": answers(b'{"ApiVersion": 1}'),
    "too old": answers(b'{"ApiVersion": "1.12"}'),
    "nothing but its version": answers(VERSION),
    "a list of nonsense": answers(b'{"ApiVersion": "1.41", "State": [], "Names": 3}'),
    "internal error": answers(b'{"message": "out of order"}', "500 Internal Server Error"),
    "forbidden": answers(b"no", "403 Forbidden"),
}


@asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """The gaps between the turns of the event loop, without the time that it waited for a CPU."""
    gaps = [0.0]

    async def tick() -> None:
        last = unhindered()
        while True:
            await asyncio.sleep(0.005)
            now = unhindered()
            gaps.append(now - last)
            last = now

    ticker = asyncio.ensure_future(tick())
    try:
        yield gaps
    finally:
        ticker.cancel()


def calls(place: Place) -> list[Awaitable[object]]:
    runtime = place.runtime
    return [
        runtime.start(place.sh("true")),
        runtime.found(),
        runtime.signal("f" * 64, 2),
        runtime.remove("f" * 64),
    ]


async def fails_in_time(place: Place, limit: float = LIMIT) -> list[str]:
    """Every call of the runtime, at once; the sentences of those that fail."""
    begun = time.monotonic()
    async with ticking() as gaps:
        results = await asyncio.gather(*calls(place), return_exceptions=True)
        health = await place.runtime.health()
    took = time.monotonic() - begun
    assert took < 30, f"{took:.1f} s"
    assert max(gaps) < limit
    sentences = [health.detail] if not health.available else []
    for result in results:
        if isinstance(result, BaseException):
            assert type(result) is RuntimeUnavailable, repr(result)
            assert result.status == 503
            sentences.append(result.message)
    for sentence in sentences:
        assert re.fullmatch(r"[A-Z].{20,400}\.", sentence), sentence
    return sentences


def broken(url: str, limit: float = LIMIT, start: float | None = None) -> Place:
    runtime = DockerRuntime(
        root_uuid=new_uuid(), base_url=url, engine_timeout=limit, start_timeout=start or limit
    )
    return Place(runtime)


def run(place: Place, body: Callable[[], Awaitable[None]]) -> None:
    """`Place.run` would ask an engine that does not answer for what is left."""

    async def whole() -> None:
        try:
            await body()
        finally:
            await place.runtime.close()

    try:
        asyncio.run(whole())
    finally:
        shutil.rmtree(place.path, ignore_errors=True)


@pytest.mark.parametrize("kind", [*FAKES])
def test_an_engine_that_makes_no_sense_or_does_not_answer(kind: str) -> None:
    fake = Fake(FAKES[kind])
    place = broken(fake.url)

    async def body() -> None:
        sentences = await fails_in_time(place)
        # What says yes to everything has "removed" what never was; but nothing starts.
        assert len(sentences) >= 2, sentences
        if kind in ("never", "slow"):
            assert set(sentences) == {"The Docker engine did not answer within 0.5 s."}
        assert place.runtime.exit_of("f" * 64) is None

    try:
        run(place, body)
    finally:
        fake.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///nonexistent/engine.sock", "No such file or directory"),
        ("unix:///dev/null", "refused"),
        ("tcp://user:do-not-leak@127.0.0.1:2375", "tcp://…"),
        ("ssh://user@example.org", "ssh://…"),
        ("http://127.0.0.1:1", "http://…"),
        ("npipe:////./pipe/docker_engine", "npipe://…"),
        ("/var/run/docker.sock", "unix://"),
    ],
)
def test_an_engine_that_is_not_there_or_elsewhere(url: str, expected: str) -> None:
    place = broken(url, limit=30)

    async def body() -> None:
        sentences = await fails_in_time(place, limit=0.5)  # known at once
        assert len(sentences) == 5
        for sentence in sentences:
            assert expected in sentence and "do-not-leak" not in sentence

    run(place, body)


def test_a_socket_that_may_not_be_used(tmp_path: Path) -> None:
    fake = Fake(answers(VERSION))
    fake.path.chmod(0o600)
    code = f"""
import asyncio
from cognition_jupyter.runtimes.docker import DockerRuntime
print(asyncio.run(DockerRuntime(base_url={fake.url!r}).health()).detail)
"""
    try:
        if subprocess.run(["id", "-u"], capture_output=True, text=True, check=True).stdout != "0\n":
            pytest.skip("needs root to be somebody else")
        fake.directory.chmod(0o711)
        done = as_user(code)
        if done.returncode:
            pytest.skip(f"uid 1000 can't use this Python: {done.stderr[-200:]}")
        assert done.stdout == "The Docker engine can't be used: Permission denied.\n"
    finally:
        fake.close()


def as_user(code: str) -> subprocess.CompletedProcess[str]:
    command = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", sys.executable]
    path = ":".join([str(REPOSITORY), *(p for p in sys.path if "site-packages" in p)])
    return subprocess.run(
        [*command, "-c", code],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_hanging_engine_does_not_collect_threads() -> None:
    """Reconcile asks every minute, pages ask for the health: for hours, if need be."""
    fake = Fake(never)
    place = broken(fake.url, limit=0.3)

    async def body() -> None:
        def ours() -> int:
            return sum(t.name == "cognition-engine" for t in threading.enumerate())

        most = 0

        async def one(ask: Callable[[], Awaitable[object]]) -> float:
            begun = time.monotonic()
            with pytest.raises(RuntimeUnavailable, match=r"did not answer within 0\.3 s"):
                await ask()
            return time.monotonic() - begun

        for _ in range(5):
            jobs = [one(place.runtime.found) for _ in range(50)]
            jobs += [one(lambda: place.runtime.remove("f" * 64)) for _ in range(50)]
            # In time, also for those that no thread was free for.
            assert max(await asyncio.gather(*jobs)) < 20
            most = max(most, ours())
        assert 8 <= most <= 16
        # It answers again: so do we, as soon as the last request has given up.
        fake.answer = answers(b'{"ApiVersion": "1.41", "Version": "27.1"}')
        await until_available(place)
        assert ours() <= 16

    try:
        run(place, body)
    finally:
        fake.close()


async def until_available(place: Place) -> None:
    deadline = time.monotonic() + 60
    while not (health := await place.runtime.health()).available:
        assert time.monotonic() < deadline, health.detail
    assert health.detail == "Docker engine 27.1"


def test_a_hanging_engine_keeps_no_process_from_ending() -> None:
    fake = Fake(never)
    code = f"""
import asyncio
from cognition_jupyter.exceptions import RuntimeUnavailable
from cognition_jupyter.runtimes.docker import DockerRuntime
runtime = DockerRuntime(base_url={fake.url!r}, engine_timeout=0.3)
async def main():
    print((await runtime.health()).available)
    removal = asyncio.ensure_future(runtime.remove("f" * 64))
    await asyncio.sleep(0.2)
    removal.cancel()
asyncio.run(main())
"""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
        )
        assert done.stdout == "False\n", done.stderr
    finally:
        fake.close()


def test_a_listing_of_nonsense_is_no_listing() -> None:
    """An engine that answers wrongly must not look like one without containers."""
    wrong = [b"null", b"{}", b'[{"Id": 1}]', b'["x"]', b'[{"Id": "x", "Names": null}]', b'"x"']
    for body_ in wrong:

        def answer(fake: Fake, connection: socket.socket, said: bytes = body_) -> None:
            connection.sendall(http(said))

        fake = Fake(answers(VERSION))
        place = broken(fake.url)

        async def body(fake: Fake = fake, place: Place = place, answer=answer) -> None:  # type: ignore[no-untyped-def]
            await place.runtime.health()
            fake.answer = answer
            with pytest.raises(RuntimeUnavailable, match="makes no sense"):
                await place.runtime.found()

        try:
            run(place, body)
        finally:
            fake.close()
    assert json.loads(VERSION)["ApiVersion"] == "1.41"
