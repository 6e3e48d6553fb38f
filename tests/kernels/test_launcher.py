"""The launcher by itself, on a runtime that does as it is told: cancellations, races, failures."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.exceptions import (
    BrokenProject,
    CognitionError,
    Conflict,
    InvalidInput,
    NotFound,
    RuntimeUnavailable,
)
from cognition_jupyter.kernels.session import LiveSession
from cognition_jupyter.models import Metadata
from cognition_jupyter.runtimes.base import (
    Found,
    describe_exit,
)

from .desk import ARGV, Desk


@pytest.fixture
def at_desk(tmp_path: Path, short_path: Path) -> Iterator[Callable[..., None]]:
    """Run a coroutine function with a desk."""
    desk = Desk(tmp_path, short_path)

    def run(work: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            await desk.create()
            await work(desk)

        asyncio.run(whole())

    yield run
    asyncio.run(desk.cognition.close())


def test_from_start_to_end(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        session = await desk.start()
        spec = desk.runtime.containers["c1"]
        assert spec.working_directory == "/workspace" and spec.network_mode == "OFF"
        assert spec.command == ("python3", "-f", "/run/cognition/connection.json")
        sockets = session.directories.sockets
        info = json.loads((sockets / "connection.json").read_text())
        assert info["ip"] == "/run/cognition/k" and info["key"] == "k" and info["hb_port"] == 5
        assert {m.target for m in spec.mounts} == {
            *("/workspace", "/memories/hot", "/memories/persistent", "/deps", "/tmp"),
            "/run/cognition",
        }
        desk.runtime.exits["c1"] = describe_exit(137, out_of_memory=True)
        session.death = session.exit
        await desk.launcher.remove_container(session)
        await desk.launcher.recheck(session, str(desk.repo))
        await desk.launcher.launch(session, ARGV, {"key": "k"}, None)
        assert [*desk.runtime.containers] == ["c2"]
        await desk.launcher.close(session)
        await desk.check_nothing_left()
        (record,) = (await desk.metadata()).sessions
        assert record.container_id == "c2" and record.reason == "out_of_memory"
        assert [action for action, _ in desk.told] == ["started", "restarted", "ended"]
        assert desk.told[1][1]["reason"] == desk.told[2][1]["reason"] == "out_of_memory"

    at_desk(work)


@pytest.mark.parametrize("slow", [0.0, 0.02])
def test_cancelled_at_any_moment(slow: float, at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        desk.runtime.slow = slow
        finished = 0
        steps = 0
        while finished < 3:
            task = asyncio.ensure_future(desk.start())
            for _ in range(steps):
                await asyncio.sleep(0 if steps < 40 else 0.001)
            steps += 1
            if task.done():
                finished += 1
                await desk.launcher.close(task.result(), "client")
            else:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await desk.check_nothing_left()
        assert steps > 20

    at_desk(work)


def test_a_cancelled_close_still_closes(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        desk.runtime.slow = 0.05
        for steps in (0, 1, 5, 20):
            session = await desk.start()
            task = asyncio.ensure_future(desk.launcher.close(session, "client"))
            for _ in range(steps):
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            if steps:
                await desk.check_nothing_left()
            else:  # cancelled before its first step
                await desk.launcher.close(session, "client")

    at_desk(work)


def test_closed_by_two_at_once(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        desk.runtime.slow = 0.05
        session = await desk.start()
        closing = [desk.launcher.close(session, "client") for _ in range(3)]
        for done in asyncio.as_completed(closing):
            await done
            await desk.check_nothing_left()
        assert [action for action, _ in desk.told].count("ended") == 1

    at_desk(work)


def test_closed_while_its_container_starts(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        desk.runtime.slow = 0.1
        starting = asyncio.ensure_future(desk.start())
        while "s" not in desk.launcher.live:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await desk.launcher.close(desk.launcher.live["s"], "client")
        await desk.check_nothing_left()
        with pytest.raises(Conflict) as refused:
            await starting
        assert refused.value.code == "session_ended"
        assert (await desk.metadata()).sessions == []  # it never began
        assert desk.told == []

    at_desk(work)


def test_closed_while_it_is_looked_at_before_a_restart(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        session = await desk.start()
        await desk.launcher.remove_container(session)
        checking = asyncio.ensure_future(desk.launcher.recheck(session, str(desk.repo)))
        await asyncio.sleep(0)
        await desk.launcher.close(session, "client")
        await asyncio.gather(checking, return_exceptions=True)
        with pytest.raises(Conflict):
            await desk.launcher.launch(session, ARGV, {"key": "k"}, None)
        await desk.check_nothing_left()

    at_desk(work)


def test_one_id_twice(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        both = await asyncio.gather(desk.start(), desk.start(), return_exceptions=True)
        refused = [error for error in both if isinstance(error, Conflict)]
        assert [error.code for error in refused] == ["session_exists"]
        (session,) = [one for one in both if isinstance(one, LiveSession)]
        assert [*desk.runtime.containers] == [session.container_id]
        with pytest.raises(Conflict):
            await desk.start()
        await desk.launcher.close(session, "client")
        # Again after its end: the record is that of the last time.
        again = await desk.start()
        assert len((await desk.metadata()).sessions) == 1
        await desk.launcher.close(again, "idle")
        (record,) = (await desk.metadata()).sessions
        assert record.reason == "idle"
        assert (await desk.metadata()).statistics.total_sessions == 2

    at_desk(work)


def test_an_id_that_lives_elsewhere(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        session = await desk.start()
        somebody = desk.store.directory.register_owner()

        def give_away(metadata: Metadata) -> None:
            metadata.sessions[0].owner = somebody.owner_id

        await desk.store.change(desk.project_id, give_away)
        await desk.launcher.close(session, "client")

        def revive(metadata: Metadata) -> None:
            metadata.sessions[0].ended_at = metadata.sessions[0].reason = None

        await desk.store.change(desk.project_id, revive)
        with pytest.raises(Conflict, match="another process"):
            await desk.start()
        assert not desk.runtime.containers and not desk.launcher.knows("s")
        somebody.release()  # a process that was killed has it no longer
        await desk.launcher.close(await desk.start(), "client")

    at_desk(work)


@pytest.mark.parametrize("session_id", ["", ".", "../x", "a b", "a/b", "-x", "é", "x" * 65, "a\n"])
def test_ids_that_are_none(session_id: str, at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        with pytest.raises(InvalidInput):
            await desk.start(session_id)
        await desk.check_nothing_left()

    at_desk(work)


def test_an_engine_that_fails(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        desk.runtime.broken = True
        with pytest.raises(RuntimeUnavailable, match="paper"):
            await desk.start()
        await desk.check_nothing_left()
        assert (await desk.metadata()).sessions == []
        desk.runtime.broken = False
        session = await desk.start()
        desk.runtime.broken = True
        await desk.launcher.close(session, "client")
        assert not desk.launcher.live and not (await desk.metadata()).live_sessions
        assert [*desk.runtime.containers] == ["c2"]  # reconcile's, now
        assert not desk.launcher.needs(Found("c2", desk.launcher.owner.owner_id, "", "s"))

    at_desk(work)


@pytest.mark.parametrize("damage", ["gone", "broken", "read-only"])
def test_a_project_that_is_damaged_meanwhile(damage: str, at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        session = await desk.start()
        project = desk.repo.parent
        file = project / ".project_metadata.json"
        expected: tuple[type[CognitionError], ...] = (NotFound, BrokenProject)
        if damage == "gone":
            project.rename(project.with_name("away"))
        elif damage == "broken":
            file.write_text("{")
        else:
            file.unlink()
            file.mkdir()
        with pytest.raises(expected):
            await desk.launcher.recheck(session, str(desk.repo))
        await desk.launcher.close(session, "client")
        assert not desk.launcher.live and not desk.runtime.containers
        assert not [*desk.cognition.ram.base.glob(".s/*/*")]
        assert desk.told[-1][0] == "ended"

    at_desk(work)


def test_a_launcher_that_stops(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        desk.runtime.slow = 0.1
        running = await desk.start("a")
        starting = asyncio.ensure_future(desk.start("b"))
        opening = asyncio.ensure_future(desk.start("c"))
        while "b" not in desk.launcher.live:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await desk.launcher.close_all("server_stopped")
        for task in (starting, opening):
            with pytest.raises((RuntimeUnavailable, Conflict)):
                await task
        with pytest.raises(RuntimeUnavailable, match="stopping"):
            await desk.start("d")
        await desk.check_nothing_left()
        records = (await desk.metadata()).sessions
        assert [(r.session_id, r.reason) for r in records] == [("a", "server_stopped")]
        assert running.closing

    at_desk(work)


def test_the_intent_counts_more_than_what_is_seen(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        session = await desk.start()
        session.intent = "deleted"
        await desk.runtime.signal("c1", 9)
        await desk.launcher.close(session, "client")
        (record,) = (await desk.metadata()).sessions
        assert record.reason == "deleted" and record.detail is None

    at_desk(work)


def test_working_directories(at_desk: Callable[..., None]) -> None:
    async def work(desk: Desk) -> None:
        deep = desk.repo / "a/b"
        deep.mkdir(parents=True)
        (desk.repo / "link").symlink_to(desk.repo / "a")
        (desk.repo / "out").symlink_to("/")
        (desk.repo / "file").write_text("")
        session = await desk.start()
        for place, inside in [
            (deep, "/workspace/a/b"),
            (desk.repo / "link/b", "/workspace/a/b"),
            (deep / "not/there", "/workspace/a/b"),
            (desk.repo / "file", "/workspace"),
            (desk.repo, "/workspace"),
        ]:
            await desk.launcher.recheck(session, str(place))
            await desk.launcher.remove_container(session)
            await desk.launcher.launch(session, ARGV, {}, f"{place}/n.ipynb")
            spec = desk.runtime.containers[session.container_id or ""]
            assert spec.working_directory == inside
            assert spec.environment["JPY_SESSION_NAME"] == f"{inside}/n.ipynb"
        with pytest.raises(CognitionError, match="in no project"):
            await desk.launcher.recheck(session, str(desk.repo / "out"))
        # What is swapped between the check and the launch is not followed either.
        session.directory = desk.repo / "out"
        await desk.launcher.remove_container(session)
        await desk.launcher.launch(session, ARGV, {}, None)
        spec = desk.runtime.containers[session.container_id or ""]
        assert spec.working_directory == "/workspace"
        await desk.launcher.close(session, "client")
        assert sorted(os.listdir(desk.repo)) == ["a", "file", "link", "out"]

    at_desk(work)
