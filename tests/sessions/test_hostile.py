"""Clients and kernels that do what they should not, at the worst moment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..kernels import helpers
from ..kernels.helpers import LEAN, wait_until
from ..support.server import Server
from .client import Socket, names, stdout


@pytest.fixture(scope="module")
def quick(make_server: Callable[..., Server]) -> Server:
    return make_server(
        config=LEAN
        | {"RuntimeChoice": {"runtime": "bubblewrap"}, "Conversations": {"disconnect_grace": 1.5}}
    )


@pytest.fixture
def socket(quick: Server) -> Iterator[Socket]:
    with Socket(quick) as made:
        yield made


def connections(server: Server, session_id: str) -> int:
    found = {k["id"]: k["connections"] for k in server.call("GET", "/api/kernels")}
    return int(found.get(session_id, -1))


def end(socket: Socket, session_id: str) -> None:
    socket.send("close_session", session_id=session_id)
    socket.until("session_ended", session_id=session_id)


@pytest.mark.parametrize(
    "code",
    [
        "for i in range(15_000): display({'text/plain': str(i)}, raw=True)",
        "for i in range(30_000): print(i, flush=True)",
    ],
)
def test_a_kernel_that_is_too_quick_for_its_sockets(socket: Socket, code: str) -> None:
    """It drops what it says, with Jupyter's own front ends, too; the turn ends all the same."""
    session_id = socket.create(user_prefix="fast")["session_id"]
    events = socket.run(session_id, code)
    assert [e["event"] for e in events][-2:] == ["tool_end", "done"]
    assert stdout(socket.run(session_id, "print('next')")) == "next\n"
    end(socket, session_id)


def test_many_cancels(socket: Socket) -> None:
    session_id = socket.create(user_prefix="storm")["session_id"]
    code = """
import time
print("begun")
for _ in range(3):
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        time.sleep(0.5)
        print("caught")
        break
"""
    for _ in range(2):
        socket.send("execute", session_id=session_id, code=code)
        socket.until_said("begun\n")
        for _ in range(5):
            socket.send("cancel", session_id=session_id)
        begin = len(socket.seen)
        socket.until("done")
        assert names(socket.seen[begin:]) == ["tool_output", "tool_end", "error", "done"]
        assert stdout(socket.run(session_id, "print('well')")) == "well\n"
    end(socket, session_id)


def test_cancels_at_any_moment(socket: Socket) -> None:
    session_id = socket.create(user_prefix="moments")["session_id"]
    socket.run(session_id, "1")
    for moment in range(12):
        socket.send("execute", session_id=session_id, code="print('x')")
        time.sleep(moment / 500)
        socket.send("cancel", session_id=session_id)
        socket.until("done")
    assert stdout(socket.run(session_id, "print('well')")) == "well\n"
    end(socket, session_id)


def test_joining_twice_at_once(quick: Server) -> None:
    with Socket(quick) as first, Socket(quick) as second:
        started = first.create(user_prefix="twice")
        session_id, project_id = started["session_id"], started["project_id"]
        for _ in range(4):
            second.send("create_session", session_id=session_id, project_id=project_id)
        events = [second.receive() for _ in range(5)]
        answers = sorted(e.get("code") or e["event"] for e in events)
        assert answers == ["agent_ready", *["session_exists"] * 3, "session_started"]
        assert connections(quick, session_id) == 2
        first.run(session_id, "print('once')")
        second.until("done")
        assert stdout(second.seen) == "once\n"
    wait_until(lambda: session_id not in helpers.kernels(quick))


def test_who_left_an_earlier_life_leaves_no_later_one(quick: Server) -> None:
    with Socket(quick) as deaf, Socket(quick) as talker:
        started = deaf.create(user_prefix="lives")
        fields = {k: started[k] for k in ("session_id", "project_id")}
        session_id = started["session_id"]
        talker.create(**fields)
        talker.run(session_id, "for n in range(450): print('x' * 20_000)")
        end(talker, session_id)
        again = talker.create(**fields)
        assert again["resumed"] is True and connections(quick, session_id) == 1
        deaf.cut()
        time.sleep(0.3)
        assert connections(quick, session_id) == 1
        time.sleep(2)  # the grace
        assert stdout(talker.run(session_id, "print('alive')")) == "alive\n"
        end(talker, session_id)


def test_what_is_sent_while_a_session_ends_runs_nowhere(quick: Server) -> None:
    with Socket(quick) as socket:
        started = socket.create(user_prefix="ending")
        fields = {k: started[k] for k in ("session_id", "project_id")}
        session_id = started["session_id"]
        wait = "import os, time\nwhile True: time.sleep(0.01)"
        socket.send("execute", session_id=session_id, code=wait)
        socket.until("tool_start")
        for _ in range(25):
            socket.send("execute", session_id=session_id, code="open('OLD', 'w').close()")
        begun = time.monotonic()
        socket.send("close_session", session_id=session_id)
        for _ in range(100):
            socket.send("execute", session_id=session_id, code="open('OLD', 'w').close()")
        socket.until("session_ended")
        assert time.monotonic() - begun < 60
    with Socket(quick) as socket:
        assert socket.create(**fields)["resumed"] is True
        assert stdout(socket.run(session_id, "print(2)")) == "2\n"
        end(socket, session_id)
        assert not Path(started["workspace_path"], "OLD").exists()
    path = f"/api/projects/{started['project_id']}/sessions/{session_id}/events?since=0"
    events = quick.call("GET", path)["events"]
    assert [e["seq"] for e in events] == [*range(1, len(events) + 1)]
    reasons = [e["reason"] for e in events if e["event"] == "session_ended"]
    assert reasons == ["client", "client"]


BAD = """
socket = get_ipython().kernel.iopub_socket
session = get_ipython().kernel.session
socket.send_multipart([b"x"])
for parent in ([1], {"msg_id": []}, "text", None):
    message = session.msg("stream", {"name": "stdout", "text": "bad"})
    message["parent_header"] = parent
    try:
        session.send(socket, message)
    except Exception:
        pass
for content in ([], "text", None):
    try:
        session.send(socket, "display_data", content, parent=get_ipython().kernel.get_parent())
    except Exception:
        pass
print("good")
"""


def test_messages_that_are_none(socket: Socket) -> None:
    session_id = socket.create(user_prefix="bad")["session_id"]
    for _ in range(2):
        assert "good\n" in stdout(socket.run(session_id, BAD))
    assert stdout(socket.run(session_id, "print('next')")) == "next\n"
    end(socket, session_id)


def test_an_idle_that_comes_too_early_ends_nothing(socket: Socket) -> None:
    session_id = socket.create(user_prefix="early")["session_id"]
    code = """
kernel = get_ipython().kernel
kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"},
                    parent=kernel.get_parent(), ident=b"status")
import time; time.sleep(0.3)
print("later")
"""
    events = socket.run(session_id, code)
    assert stdout(events) == "later\n" and events[-2]["exit_code"] == 0
    end(socket, session_id)


def test_a_client_that_is_ahead_of_the_journal(quick: Server) -> None:
    with Socket(quick) as socket:
        started = socket.create(user_prefix="ahead")
        fields = {k: started[k] for k in ("session_id", "project_id")}
        end(socket, started["session_id"])
        socket.send("create_session", since=1_000_000, **fields)
        error = socket.until("error")
        assert error["code"] == "events_gone" and "seq" not in error
        assert socket.until("session_started")["seq"] == 4
        socket.until("agent_ready")
        assert stdout(socket.run(started["session_id"], "print(1)")) == "1\n"
        end(socket, started["session_id"])


def test_a_journal_that_can_t_be_written_is_told(quick: Server) -> None:
    with Socket(quick) as socket:
        started = socket.create(user_prefix="full")
        session_id = started["session_id"]
        journal = Path(started["workspace_path"]).parent / f".logs/{session_id}.jsonl"
        journal.rename(journal.with_suffix(".kept"))
        journal.symlink_to("/nowhere")
        socket.send("execute", session_id=session_id, code="print('lost')")
        error = socket.until("error")
        assert error["code"] == "journal_failed" and "seq" not in error
        socket.send("close_session", session_id=session_id)
        assert socket.until("session_ended")["reason"] == "client"


def test_an_event_that_is_too_large_is_left_out(socket: Socket) -> None:
    session_id = socket.create(user_prefix="large")["session_id"]
    code = "#" + "\xe9" * 7_900_000
    socket.raw.send(json.dumps({"type": "execute", "session_id": session_id, "code": code},
                               ensure_ascii=False))  # fmt: skip
    socket.until("done")
    assert max(len(json.dumps(e)) for e in socket.seen) < 9 << 20
    with Socket(socket.server) as other:
        other.create(session_id=session_id, since=0)
        other.until("done")  # of the turn above, played again
        assert stdout(other.run(session_id, "print('readable')")) == "readable\n"
    end(socket, session_id)
