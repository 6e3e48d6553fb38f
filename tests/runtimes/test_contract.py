"""The contract of `Runtime`, held by each of them: docker, bubblewrap, process."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time

import pytest

from cognition_jupyter.exceptions import CognitionError, Forbidden
from cognition_jupyter.kernels.policy import SessionPolicy
from cognition_jupyter.models import ProjectConfig
from cognition_jupyter.runtimes import base
from cognition_jupyter.runtimes.base import Mount

from .support import (
    PLACES,
    Place,
    isolated,
    new_uuid,
    processes_with,
    until,
    with_the_server,
)

ENDS = {
    "exit 0": (0, "The kernel exited with status 0."),
    "exit 3": (3, "The kernel exited with status 3."),
    "exit 255": (255, "The kernel exited with status 255."),
    "kill -KILL $$": (137, "The kernel was ended by signal 9."),
    "kill -TERM $$": (143, "The kernel was ended by signal 15."),
}


def test_how_a_container_ended_is_known_without_asking(place: Place) -> None:
    runtime = place.runtime

    async def body() -> None:
        staying, *ending = await asyncio.gather(
            *(runtime.start(place.sh(script)) for script in ("exec sleep 1000", *ENDS))
        )
        ended = await asyncio.gather(*(runtime.wait(container, 60) for container in ending))
        assert [(e.code, e.detail) for e in ended if e] == [*ENDS.values()]
        assert {e.reason for e in ended if e} == {"crashed"}
        assert runtime.exit_of(staying) is None
        begun = time.monotonic()
        for _ in range(1000):
            runtime.exit_of(staying)
            runtime.exit_of(ending[1])
        assert time.monotonic() - begun < 2  # an engine would need more, or an answer
        assert await runtime.wait(staying, timeout=0.05) is None
        await asyncio.gather(*(runtime.remove(container) for container in [staying, *ending]))
        # Who still waits for a container that was removed learns of it, and of its real end.
        assert (await runtime.wait(staying, 60)).code == 137  # type: ignore[union-attr]
        assert [runtime.exit_of(container) for container in ending] == ended
        assert runtime.exit_of("never-heard-of") is None

    place.run(body)


def test_signals_reach_the_kernel(place: Place) -> None:
    code = """
        import os, signal, sys, time
        def write(name):
            with open(name + ".new", "w") as file:
                file.write("yes")
            os.rename(name + ".new", name)
        def stop(*_):
            sys.exit(5)
        signal.signal(signal.SIGINT, lambda *_: write("interrupted"))
        signal.signal(signal.SIGTERM, stop)
        write("ready")
        while True:
            time.sleep(100)
    """

    async def body() -> None:
        async with place.running(place.python(code)) as container:
            await place.appears("ready")
            await place.runtime.signal(container, signal.SIGINT)
            await place.appears("interrupted")
            assert place.runtime.exit_of(container) is None
            await place.runtime.signal(container, signal.SIGTERM)
            ended = await place.runtime.wait(container, 10)
            assert ended is not None and ended.code == 5
            # It has ended, is gone, was never there: no error.
            await place.runtime.signal(container, signal.SIGTERM)
        await place.runtime.signal(container, signal.SIGTERM)
        await place.runtime.signal("f" * 64, signal.SIGTERM)

    place.run(body)


def test_remove_ends_all_that_runs_and_can_be_repeated(place: Place) -> None:
    mark = f"{secrets.randbelow(10**9) + 10**9}"
    # One child in the kernel's group, one in a session of its own, one that ignores what it can.
    script = f"sleep {mark} & setsid sleep {mark} & (trap '' TERM INT HUP; sleep {mark}); wait"

    async def body() -> None:
        runtime = place.runtime
        container = await runtime.start(place.sh(script))
        await until(lambda: len(processes_with(f"sleep\0{mark}")) == 3)
        await asyncio.gather(runtime.remove(container), runtime.remove(container))
        await until(lambda: not processes_with(f"sleep\0{mark}"))
        await runtime.remove(container)
        await runtime.remove("f" * 64)
        ended = runtime.exit_of(container)
        assert ended is not None and ended.code == 137
        assert await runtime.found() == []

    place.run(body)


def test_a_removal_may_come_at_any_moment(place: Place) -> None:
    """Also in the midst of the start: half a sandbox is not left to finish itself."""
    mark = f"{secrets.randbelow(10**9) + 10**9}"
    count = 2 if place.runtime.name == "docker" else 60

    async def one(n: int) -> None:
        container = await place.runtime.start(place.sh(f"exec sleep {mark}"))
        await asyncio.sleep(n / 2500)
        if n % 2:  # as Jupyter does
            await place.runtime.signal(container, signal.SIGTERM)
            await place.runtime.signal(container, signal.SIGKILL)
            ended = await place.runtime.wait(container, 60)
            assert ended is not None and ended.code in (137, 143)
        await place.runtime.remove(container)

    async def body() -> None:
        for step in range(0, count, 4):
            await asyncio.gather(*(one(step + n) for n in range(4)))
        await asyncio.sleep(0.3)
        await until(lambda: not processes_with(f"sleep\0{mark}"))
        assert await place.runtime.found() == []

    place.run(body)


def test_found_names_owner_project_and_session(place: Place) -> None:
    async def body() -> None:
        runtime = place.runtime
        first = await runtime.start(place.sh("exec sleep 1000"))
        second, third = await asyncio.gather(  # one more of the same session, and another
            runtime.start(place.sh("exec sleep 1000")),
            runtime.start(place.sh("exit 1", owner="other", session_id="session-2")),
        )
        assert len({first, second, third}) == 3
        await runtime.wait(third)
        found = {
            f.container_id: (f.owner, f.project_id, f.session_id) for f in await runtime.found()
        }
        mine = ("0123456789abcdef", "contract-00000000", "session-1")
        assert found == {
            first: mine,
            second: mine,
            third: ("other", "contract-00000000", "session-2"),  # also one that has ended
        }
        await runtime.remove(first)
        assert runtime.exit_of(second) is None
        assert {f.container_id for f in await runtime.found()} == {second, third}
        elsewhere = type(runtime)(root_uuid=new_uuid())
        assert await elsewhere.found() == []
        await elsewhere.close()

    place.run(body)


def test_what_is_not_promised_is_said(place: Place) -> None:
    promises = place.runtime.guarantees
    assert (promises.isolated, promises.network_off, promises.limits, promises.images) == {
        "docker": (True, True, True, True),
        "bubblewrap": (True, True, False, False),
        "process": (False, False, False, False),
    }[place.runtime.name]
    assert promises.strength == {"docker": 2, "bubblewrap": 1, "process": 0}[place.runtime.name]
    policy = SessionPolicy(allowed_images=["*"])
    policy.check_runtime(place.runtime, ProjectConfig())
    asks = ProjectConfig(container_image="python:3.12")
    if promises.images:
        policy.check_runtime(place.runtime, asks)
    else:
        with pytest.raises(Forbidden) as refused:
            policy.check_runtime(place.runtime, asks)
        assert refused.value.code == "images_unavailable"

    async def body() -> None:
        health = await place.runtime.health()
        assert health.available and health.isolated == promises.isolated
        if not promises.limits:
            assert "no limits" in health.detail or "Not isolated" in health.detail

    place.run(body)


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        ("command", ("no-such-program", "not found", "127")),
        ("not executable", ("data", "ermission denied", "126")),
        ("mount", ("no-such-directory",)),
        ("working directory", ("no-such-directory", "no/such/directory")),
    ],
)
def test_what_cannot_start_says_why_and_leaves_nothing(
    place: Place, trouble: str, expected: tuple[str, ...]
) -> None:
    """As a sentence of `start`, or as an exit: an engine with an init starts any command."""
    (place.workspace / "data").write_text("no program")
    inside = place.runtime.inside(base.WORKSPACE, place.mounts)
    spec = place.sh("exit 0")
    if trouble == "command":
        spec = place.spec("no-such-program")
    elif trouble == "not executable":
        spec = place.spec(f"{inside}/data")
    elif trouble == "mount":
        isolated(place)
        missing = Mount(place.path / "no-such-directory", base.HOT)
        spec = place.sh("exit 0", mounts=(*place.mounts[:1], *place.mounts[2:], missing))
    else:
        # An engine makes a missing one (the launcher never asks for that).
        with_the_server(place)
        spec = place.sh("exit 0", working_directory=f"{inside}/no-such-directory")

    async def body() -> None:
        try:
            ended = await place.finish(spec)
        except CognitionError as error:
            said = error.message
            assert error.status == 503 and said.endswith(".") and "\n" not in said
        else:
            assert ended.code and ended.reason == "crashed"
            said = ended.detail
        assert any(word in said for word in expected), said
        assert await place.runtime.found() == []
        assert sorted(path.name for path in place.path.iterdir()) == sorted(PLACES)

    place.run(body)


def test_a_cancelled_start_leaves_nothing(place: Place) -> None:
    mark = f"{secrets.randbelow(10**9) + 10**9}"

    async def body() -> None:
        await place.finish(place.sh("exit 0"))  # so that the engine is connected
        for delay in (0, 0.001, 0.02, 0.1, 0.2):
            start = asyncio.ensure_future(place.runtime.start(place.sh(f"exec sleep {mark}")))
            await asyncio.sleep(delay)
            start.cancel()
            try:  # it may have been quicker
                await place.runtime.remove(await start)
            except asyncio.CancelledError:
                pass
        deadline = time.monotonic() + 60
        while await place.runtime.found() or processes_with(f"sleep\0{mark}"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    place.run(body)
