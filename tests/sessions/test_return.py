"""Clients that lose their connection and come back, and sessions that nobody comes back to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ..kernels import helpers
from ..kernels.helpers import LEAN, Events, notebook, usage, wait_until
from ..memory.lasting import snapshots
from ..support.server import Server
from .client import Socket, stdout

LINES = 10_000
PRINT = f"""
import time
for number in range({LINES}):
    print("line", number)
    if number % 100 == 0:
        time.sleep(0.02)
"""


def lines(events: list[dict[str, Any]]) -> str:
    return stdout(sorted(events, key=lambda event: event.get("seq", 0)))


def journal(server: Server, project_id: str, session_id: str, since: int = 0) -> list[Any]:
    """All events over REST, as one who asks again and again."""
    found: list[Any] = []
    while True:
        path = f"/api/projects/{project_id}/sessions/{session_id}/events?since={since}"
        answer = server.call("GET", path)
        found += answer["events"]
        if not answer["events"] or answer["last_seq"] == answer["events"][-1]["seq"]:
            return found
        since = answer["events"][-1]["seq"]


def test_a_cut_connection_in_the_middle_of_a_long_output(server: Server) -> None:
    """With default settings: back within the grace, every line once and in order."""
    with Socket(server) as first:
        started = first.create(user_prefix="cut")
        session_id = started["session_id"]
        first.send("execute", session_id=session_id, code=PRINT)
        while len([e for e in first.seen if e["event"] == "tool_output"]) < 2:
            first.receive()
        first.cut()
    seen = [event for event in first.seen if "seq" in event]
    time.sleep(0.5)
    with Socket(server) as second:
        joined = second.create(session_id=session_id, since=seen[-1]["seq"])
        assert joined["container_id"] == started["container_id"] and "seq" not in joined
        if not any(e["event"] == "done" for e in second.seen):
            second.until("done")
        both = seen + [event for event in second.seen if "seq" in event]
        assert [event["seq"] for event in both] == [*range(1, len(both) + 1)]
        assert lines(both) == "".join(f"line {n}\n" for n in range(LINES))
        second.send("close_session", session_id=session_id)
        second.until("session_ended")
    written = journal(server, started["project_id"], session_id)
    assert [e["seq"] for e in written] == [*range(1, len(written) + 1)]
    assert lines(written) == lines(both) and written[-1]["reason"] == "client"


@pytest.fixture
def killable(make_server: Callable[..., Server], engine: docker.DockerClient) -> Iterator[Server]:
    server = make_server(config=LEAN)
    yield server
    server.close()


def test_a_server_that_is_killed_in_between(killable: Server) -> None:
    server = killable
    with Socket(server) as first:
        started = first.create(user_prefix="killed")
        session_id = started["session_id"]
        first.send("execute", session_id=session_id, code=PRINT)
        while len([e for e in first.seen if e["event"] == "tool_output"]) < 2:
            first.receive()
        server.kill()
        first.cut()
    seen = [event for event in first.seen if "seq" in event]
    server.start()
    since = seen[-1]["seq"]
    missed = journal(server, started["project_id"], session_id, since)
    with Socket(server) as second:
        fields = {"project_id": started["project_id"], "session_id": session_id}
        second.send("create_session", since=since, **fields)
        again = second.until("session_started")
        second.until("agent_ready")
        assert again["resumed"] is True and again["container_id"] != started["container_id"]
        # What was missed, the end that the killed server could not tell, and the new beginning.
        replayed = [e for e in second.seen if "seq" in e]
        assert replayed[: len(missed)] == missed
        assert [e["event"] for e in replayed[len(missed) :]] == [
            "session_ended", "session_started", "agent_ready"
        ]  # fmt: skip
        assert replayed[len(missed)]["reason"] == "server_stopped"
        both = seen + replayed
        assert [event["seq"] for event in both] == [*range(1, len(both) + 1)]
        said = lines(both)
        assert said and "".join(f"line {n}\n" for n in range(LINES)).startswith(said)
        events = second.run(session_id, "print('number' in globals())")
        assert stdout(events) == "False\n"
        second.send("close_session", session_id=session_id)
        second.until("session_ended")
    record = helpers.record(server, started["project_id"], session_id)
    assert record["reason"] == "client"


@pytest.fixture(scope="module")
def quick(make_server: Callable[..., Server], engine: docker.DockerClient) -> dict[str, Server]:
    """Servers with each combination of the flags and next to no grace."""
    made = {}
    for stop in ("true", "false"):
        for recreate in ("true", "false"):
            made[f"{stop} {recreate}"] = make_server(
                config=LEAN
                | {"RuntimeChoice": {"runtime": "bubblewrap"}}
                | {"Conversations": {"disconnect_grace": 0.7}},
                environment={
                    "CONTAINER_STOP_ON_DISCONNECT": stop,
                    "CONTAINER_RECREATE_ON_RECONNECT": recreate,
                },
            )
    return made


@pytest.mark.parametrize("recreate", [True, False])
def test_after_the_grace_a_session_is_over(quick: dict[str, Server], recreate: bool) -> None:
    server = quick["true true" if recreate else "true false"]
    with Events(server, "memory") as events:
        with Socket(server) as socket:
            started = socket.create(user_prefix="grace")
            project_id, session_id = started["project_id"], started["session_id"]
            code = "import os; open(os.environ['COGNITION_HOT_MEMORY'] + '/a', 'w').write('1')"
            socket.run(session_id, code)
        events.wait_for(project_id, "snapshot", reason="disconnect")
    ended = wait_until(lambda: helpers.record(server, project_id, session_id)["ended_at"])
    assert ended and helpers.record(server, project_id, session_id)["reason"] == "disconnected"
    with Socket(server) as socket:
        fields = {"project_id": project_id, "session_id": session_id}
        if not recreate:
            socket.refused("session_ended", "create_session", **fields)
            return
        again = socket.create(since=5, **fields)
        assert again["resumed"] is True and again["seq"] == 7
        before = [e["event"] for e in socket.seen if "seq" in e and e["seq"] < again["seq"]]
        assert before == ["session_ended"]
        code = "import os; print(open(os.environ['COGNITION_HOT_MEMORY'] + '/a').read())"
        events = socket.run(session_id, code)
        assert stdout(events) == "1\n", str(events[1])[150:]
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")


@pytest.mark.parametrize("recreate", ["true", "false"])
def test_without_stop_a_session_lives_on(quick: dict[str, Server], recreate: str) -> None:
    server = quick[f"false {recreate}"]
    with Socket(server) as socket:
        started = socket.create(user_prefix="lives")
        session_id = started["session_id"]
        socket.run(session_id, "x = 1")
    time.sleep(2)
    with Socket(server) as socket:
        assert socket.create(session_id=session_id)["container_id"] == started["container_id"]
        assert stdout(socket.run(session_id, "print(x)")) == "1\n"
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")


def test_a_notebook_keeps_a_session_alive(quick: dict[str, Server]) -> None:
    server = quick["true true"]
    with Socket(server) as socket:
        started = socket.create(user_prefix="note")
        session_id = started["session_id"]
        kernel = server.kernel(session_id)  # what an attached notebook has
        kernel.check("x = 1")
    time.sleep(2)
    assert kernel.check("print(x)") == "1\n"
    kernel.__exit__()
    wait_until(lambda: helpers.record(server, started["project_id"], session_id)["ended_at"])


def test_a_notebook_s_own_session_is_not_ended_by_a_visitor(quick: dict[str, Server]) -> None:
    server = quick["true true"]
    project_id = server.create("visited")
    kernel_id = notebook(server, project_id)["kernel"]["id"]
    with Socket(server) as socket:
        socket.create(session_id=kernel_id)
        assert stdout(socket.run(kernel_id, "print('hello')")) == "hello\n"
    time.sleep(2)
    assert kernel_id in helpers.kernels(server)
    assert snapshots(server, project_id) == []
    server.call("DELETE", f"/api/kernels/{kernel_id}", 204)
    # Its journal has what the visitor did, and its end.
    assert journal(server, project_id, kernel_id)[-1]["event"] == "session_ended"


def test_two_who_come_back_at_once_get_the_same(quick: dict[str, Server]) -> None:
    server = quick["true true"]
    with Socket(server) as socket:
        started = socket.create(user_prefix="both")
    project_id, session_id = started["project_id"], started["session_id"]
    wait_until(lambda: helpers.record(server, project_id, session_id)["ended_at"])
    sockets = [Socket(server) for _ in range(4)]
    for each in sockets:
        each.send("create_session", project_id=project_id, session_id=session_id, since=0)
    containers = set()
    for each in sockets:
        while True:
            event = each.until("session_started")
            if event["container_id"] != started["container_id"]:
                containers.add(event["container_id"])
                break
    assert len(containers) == 1
    sockets[0].until("agent_ready")
    sockets[0].send("close_session", session_id=session_id)
    for each in sockets:
        each.until("session_ended", reason="client")
        each.raw.close()


def test_a_client_that_reads_nothing_delays_nobody(quick: dict[str, Server]) -> None:
    server = quick["true true"]
    with Socket(server) as talker, Socket(server) as deaf:
        session_id = talker.create(user_prefix="deaf")["session_id"]
        deaf.create(session_id=session_id)
        code = "for n in range(300): print('x' * 20_000)"
        for _ in range(3):
            events = talker.run(session_id, code)
            assert len(stdout(events)) == 300 * 20_001
        # And when it reads at last, it gets all of it.
        got = 0
        while got < 3 * 300 * 20_001:
            event = deaf.receive()
            got += len(event.get("chunk", ""))
        talker.send("close_session", session_id=session_id)
        talker.until("session_ended")


@pytest.mark.parametrize("cycles", [20, pytest.param(200, marks=pytest.mark.torture)])
def test_nothing_is_left_of_many_cycles(
    make_server: Callable[..., Server], engine: docker.DockerClient, cycles: int
) -> None:
    server = make_server(config=LEAN | {"Conversations": {"disconnect_grace": 0.2}})

    def cycle(number: int) -> None:
        with Socket(server) as socket:
            session_id = socket.create(user_prefix="cycle")["session_id"]
            if number % 2:
                assert stdout(socket.run(session_id, "print(1)")) == "1\n"
            if number % 3 == 0:
                socket.send("close_session", session_id=session_id)
                socket.until("session_ended")
            if number % 5 == 0:
                socket.cut()

    for number in range(15):  # the connections to the engine that are kept are there after these
        cycle(number)
    wait_until(lambda: helpers.nothing_left(engine, server))
    before = usage(server)
    for number in range(cycles):
        cycle(number)
    wait_until(lambda: helpers.nothing_left(engine, server), 60)
    wait_until(lambda: helpers.kernels(server) == [])
    wait_until(lambda: usage(server)["fd"] <= before["fd"] + 12, 60, f"{before} {usage(server)}")
    wait_until(lambda: usage(server)["task"] <= before["task"] + 6)


def test_journals_are_the_server_s_alone(server: Server) -> None:
    with Socket(server) as socket:
        started = socket.create(user_prefix="private")
        events = socket.run(started["session_id"], "import os; print(os.listdir('/'))")
        assert ".logs" not in stdout(events)
        socket.send("close_session", session_id=started["session_id"])
        socket.until("session_ended")
    logs = Path(started["workspace_path"]).parent / ".logs"
    assert [p.name for p in logs.iterdir()] == [f"{started['session_id']}.jsonl"]
    assert (logs.stat().st_mode & 0o77, logs.stat().st_uid) == (0, os.geteuid())


def test_work_is_activity_and_a_socket_alone_is_none(quick: dict[str, Server]) -> None:
    server = quick["false true"]

    def active() -> str:
        return str(server.call("GET", "/api/status?no_track_activity=1")["last_activity"])

    with Socket(server) as socket:
        session_id = socket.create(user_prefix="active")["session_id"]
        socket.run(session_id, "1")
        kernel = f"/api/kernels/{session_id}?no_track_activity=1"
        wait_until(lambda: server.call("GET", kernel)["execution_state"] == "idle")
        time.sleep(0.5)
        before = active()
        with Socket(server) as other:
            other.create(session_id=session_id)
            other.refused("unknown_type", "nothing")
        socket.send("cancel", session_id=session_id)
        time.sleep(0.5)
        assert active() == before
        socket.run(session_id, "2")
        assert active() > before
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")
