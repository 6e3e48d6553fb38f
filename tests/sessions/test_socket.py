"""The protocol of `/ws`, message by message, with a plain client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
import websocket

from ..handlers import denying
from ..kernels import helpers
from ..kernels.helpers import LEAN, wait_until
from ..projects.git_server import GitServer, make_repository
from ..support.server import TOKEN, Server
from .client import Socket, names, stdout


@pytest.fixture
def socket(server: Server) -> Iterator[Socket]:
    with Socket(server) as made:
        yield made


# -- who may come in -----------------------------------------------------------------------


def connect(server: Server, **options: Any) -> int:
    """Status of the handshake."""
    try:
        websocket.create_connection(
            f"{server.url.replace('http', 'ws', 1)}/ws", timeout=20, **options
        ).close()
    except websocket.WebSocketBadStatusException as error:
        return error.status_code
    return 101


def test_only_who_may_execute_gets_in(make_server: Callable[..., Server], tmp_path: Path) -> None:
    record = tmp_path / "asked"
    server = make_server(
        config=LEAN
        | {"ServerApp": LEAN["ServerApp"] | {"authorizer_class": f"{denying.__name__}.Denying"}},
        environment={
            "PYTHONPATH": str(Path(__file__).parents[2]),
            denying.RECORD: str(record),
        },
    )
    right = [f"Authorization: token {TOKEN}"]
    assert connect(server, header=right) == 403
    assert json.loads(record.read_text().splitlines()[-1]) == ["GET", "/ws", "execute", "cognition"]


def test_handshakes(server: Server) -> None:
    right = [f"Authorization: token {TOKEN}"]
    assert connect(server, header=right) == 101
    assert connect(server) == 403
    assert connect(server, header=["Authorization: token wrong"]) == 403
    assert (
        connect(server, header=right, origin="http://evil.example") == 101
    )  # a token is no cookie
    cookie = "; ".join(f"{k}={v}" for k, v in login(server).items())
    assert connect(server, cookie=cookie) == 101
    assert connect(server, cookie=cookie, origin=server.url) == 101
    assert connect(server, cookie=cookie, origin="http://evil.example") == 403


def login(server: Server) -> dict[str, str]:
    session = requests.Session()
    session.get(f"{server.url}/login", params={"token": TOKEN}, timeout=30)
    return dict(session.cookies)


# -- messages ------------------------------------------------------------------------------


def test_a_session_from_beginning_to_end(socket: Socket, server: Server) -> None:
    started = socket.create(user_prefix="socket")
    session_id, project_id = started["session_id"], started["project_id"]
    assert started["kernel_id"] == session_id and started["resumed"] is False
    assert (started["network_mode"], started["last_seq"], started["seq"]) == ("OFF", 0, 1)
    assert started["workspace_path"].endswith(f"{project_id}/repo")
    assert (
        server.call("GET", f"/api/projects/{project_id}/sessions")["sessions"][0]["container_id"]
        == started["container_id"]
    )
    events = socket.run(session_id, "print('hello')\n40 + 2", "user_msg")
    assert names(events) == ["tool_start", "tool_output", "tool_end", "done"]
    assert events[0]["tool"] == "python" and events[0]["input"] == "print('hello')\n40 + 2"
    assert stdout(events) == "hello\n"
    assert events[-2]["exit_code"] == 0
    assert events[-2]["artifacts"] == [{"data": {"text/plain": "42"}, "metadata": {}}]
    socket.send("close_session", session_id=session_id)
    assert socket.until("session_ended")["reason"] == "client"
    socket.refused("session_not_found", "user_msg", session_id=session_id, content="1")
    again = socket.create(project_id=project_id)
    assert again["resumed"] is True and again["session_id"] != session_id
    socket.send("close_session", session_id=again["session_id"])
    socket.until("session_ended")
    details = server.call("GET", f"/api/projects/{project_id}")
    assert details["statistics"]["total_messages"] == 1
    assert details["statistics"]["total_sessions"] == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        ('"create_session"', "invalid_json"),
        ("NaN", "invalid_json"),
        ("[" * 60_000, "invalid_json"),
        ("[" * 100_000, "invalid_input"),
        (b"\x00\x01", "invalid_json"),
        ("{}", "unknown_type"),
        ('{"type": "nothing"}', "unknown_type"),
        ('{"type": ["create_session"]}', "unknown_type"),
        ('{"type": "create_session"}', "invalid_input"),
        ('{"type": "create_session", "user_prefix": 7}', "invalid_input"),
        ('{"type": "create_session", "user_prefix": "A b"}', "invalid_prefix"),
        ('{"type": "create_session", "user_prefix": "abc\\n"}', "invalid_prefix"),
        ('{"type": "create_session", "user_prefix": "a", "network_mode": "on"}', "invalid_input"),
        ('{"type": "create_session", "user_prefix": "a", "more": 1}', "invalid_input"),
        ('{"type": "create_session", "user_prefix": "a", "project_id": "b"}', "invalid_input"),
        ('{"type": "create_session", "project_id": ".."}', "invalid_project_id"),
        ('{"type": "create_session", "project_id": "nobody-00000000"}', "project_not_found"),
        ('{"type": "create_session", "session_id": "../x"}', "invalid_session_id"),
        ('{"type": "create_session", "session_id": "nothing"}', "session_not_found"),
        ('{"type": "create_session", "session_id": "x", "since": -1}', "invalid_input"),
        ('{"type": "create_session", "session_id": "x", "since": "1"}', "invalid_input"),
        ('{"type": "create_session", "user_prefix": "a", "repo_url": "file:///x"}',
         "invalid_repo_url"),
        ('{"type": "create_session", "project_id": "nobody-00000000", "repo_url": "https://x/y"}',
         "invalid_input"),
        ('{"type": "execute", "code": [' + "[]," * (5 << 20) + "0]}", "invalid_input"),
        ('{"type": "user_msg", "content": "1"}', "invalid_input"),
        ('{"type": "user_msg", "session_id": "x"}', "invalid_input"),
        ('{"type": "user_msg", "session_id": "x", "content": 7}', "invalid_input"),
        ('{"type": "user_msg", "session_id": "x", "content": "1"}', "session_not_found"),
        ('{"type": "execute", "session_id": "x", "code": "1"}', "session_not_found"),
        ('{"type": "cancel", "session_id": "x"}', "session_not_found"),
        ('{"type": "close_session", "session_id": "x"}', "session_not_found"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_can_t_be_used_is_answered(socket: Socket, text: str | bytes, code: str) -> None:
    if isinstance(text, bytes):
        socket.raw.send_binary(text)
    else:
        socket.raw.send(text)
    event = socket.receive()
    assert (event["event"], event["code"]) == ("error", code)
    assert event["message"].endswith(".") and "seq" not in event
    socket.refused("unknown_type", "still here")


def test_a_message_that_is_too_large_closes_the_socket(server: Server) -> None:
    with Socket(server) as socket:
        session_id = socket.create(user_prefix="large")["session_id"]
        code = f"n = len({'x' * (15 << 20)!r})"
        assert socket.run(session_id, code)[-2]["exit_code"] == 0
        with pytest.raises((websocket.WebSocketException, OSError, ValueError)):
            # What is left of it in the network may cross the farewell (1009), and reset it.
            socket.raw.send(json.dumps({"type": "execute", "code": "x" * (17 << 20)}))
            socket.receive()
    with Socket(server) as socket:  # the server is well, and so is the session
        socket.create(session_id=session_id)
        assert stdout(socket.run(session_id, "print(n)")) == f"{15 << 20}\n"
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")


def test_the_project_s_own_network_mode(socket: Socket, server: Server) -> None:
    project_id = server.create("online", network_mode="ON")
    looks = "import socket; print(sorted(name for _, name in socket.if_nameindex()))"
    for fields, mode, devices in (
        ({}, "ON", "['eth0', 'lo']"),
        ({"network_mode": "OFF"}, "OFF", "['lo']"),
    ):
        started = socket.create(project_id=project_id, **fields)
        assert started["network_mode"] == mode
        assert stdout(socket.run(started["session_id"], looks)) == f"{devices}\n"
        socket.send("close_session", session_id=started["session_id"])
        socket.until("session_ended")


def test_a_turn_is_queued_and_beyond_32_refused(socket: Socket) -> None:
    started = socket.create(user_prefix="queue")
    session_id = started["session_id"]
    wait = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)"
    socket.send("execute", session_id=session_id, code=wait)
    socket.until("tool_start")
    for number in range(32):
        socket.send("user_msg", session_id=session_id, content=f"print({number})")
    socket.send("user_msg", session_id=session_id, content="print('one too many')")
    error = socket.until("error")
    assert error["code"] == "busy" and error["session_id"] == session_id and "seq" not in error
    Path(started["workspace_path"], "go").touch()
    socket.until("done")
    for number in range(32):
        begin = len(socket.seen)
        socket.until("done")
        assert stdout(socket.seen[begin:]) == f"{number}\n"
    socket.send("close_session", session_id=session_id)
    socket.until("session_ended")


def test_cancel(socket: Socket) -> None:
    session_id = socket.create(user_prefix="cancel")["session_id"]
    socket.run(session_id, "kept = 1")
    socket.send(
        "execute", session_id=session_id, code="import time\nprint('begun')\ntime.sleep(600)"
    )
    socket.send("user_msg", session_id=session_id, content="print('never')")
    socket.until_said("begun\n")
    socket.send("cancel", session_id=session_id)
    end = socket.until("tool_end")
    assert end["exit_code"] == 1
    assert (
        end["artifacts"][0]["data"]["application/vnd.jupyter.error"]["ename"] == "KeyboardInterrupt"
    )
    assert socket.until("error")["code"] == "cancelled"
    socket.until("done")
    assert stdout(socket.run(session_id, "print(kept)")) == "1\n"
    socket.send("cancel", session_id=session_id)  # nothing runs: nothing happens
    assert stdout(socket.run(session_id, "print(kept)")) == "1\n"
    socket.send("close_session", session_id=session_id)
    socket.until("session_ended")


def test_many_sockets_to_one_session(socket: Socket, server: Server) -> None:
    session_id = socket.create(user_prefix="shared")["session_id"]
    socket.run(session_id, "print('before')")
    with Socket(server) as other:
        joined = other.create(session_id=session_id)
        assert joined["resumed"] is True and "seq" not in joined
        assert joined["last_seq"] == socket.last[session_id]
        other.send("execute", session_id=session_id, code="print('both see it')")
        for each in (socket, other):
            each.until_said("both see it\n")
            each.until("done")
        other.refused("session_exists", "create_session", session_id=session_id)
    assert stdout(socket.run(session_id, "print('still')")) == "still\n"
    socket.send("close_session", session_id=session_id)
    socket.until("session_ended")


def test_several_sessions_on_one_socket(socket: Socket, server: Server) -> None:
    started = [socket.create(user_prefix="several") for _ in range(3)]
    ids = [each["session_id"] for each in started]
    places = [Path(each["workspace_path"]) for each in started]
    for number, session_id in enumerate(ids):
        code = f"""
import os, time
open("begun", "w").close()
while not os.path.exists("go"): time.sleep(0.01)
print({number})
"""
        socket.send("execute", session_id=session_id, code=code)
    wait_until(lambda: all((place / "begun").exists() for place in places))  # at the same time
    for place in places:
        (place / "go").touch()
    assert {socket.until("done")["session_id"] for _ in ids} == set(ids)
    for number, session_id in enumerate(ids):
        events = [e for e in socket.seen if e.get("session_id") == session_id]
        assert stdout(events) == f"{number}\n"
    for session_id in ids:
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended", session_id=session_id)


def test_a_clone_with_its_progress(
    make_server: Callable[..., Server], engine: docker.DockerClient, tmp_path: Path
) -> None:
    make_repository(tmp_path / "project.git", {"README": "from git\n"})
    with GitServer(tmp_path) as git:
        server = make_server(config=LEAN | {"GitClone": {"allowed_schemes": ["http"]}})
        with Socket(server) as socket:
            started = socket.create(user_prefix="cloned", repo_url=git.url("project.git"))
            stages = [e["stage"] for e in socket.seen if e["event"] == "progress"]
            assert "clone" in stages and stages[-1] == "container"
            code = "print(open('README').read())"
            assert stdout(socket.run(started["session_id"], code)) == "from git\n\n"
            missing = git.url("nothing.git")
            socket.send("create_session", user_prefix="cloned", repo_url=missing)
            assert socket.until("error")["code"] == "clone_failed"
        assert len(list(server.root.glob("cloned-*"))) == 1


def test_a_restart_under_a_session(socket: Socket, server: Server) -> None:
    started = socket.create(user_prefix="restarted")
    session_id = started["session_id"]
    socket.run(session_id, "x = 1")
    helpers.restart(server, session_id)
    event = socket.until("session_restarted")
    assert event["container_id"] != started["container_id"] and event["reason"] == "client"
    events = socket.run(session_id, "print('x' in globals())")
    assert stdout(events) == "False\n"
    socket.send("execute", session_id=session_id, code="import os, signal; os.kill(os.getpid(), 9)")
    assert socket.until("error")["code"] == "kernel_died"
    socket.until("done")
    assert stdout(socket.run(session_id, "print('again')")) == "again\n"
    reasons = [e["reason"] for e in socket.seen if e["event"] == "session_restarted"]
    assert reasons == ["client", "crashed"]
    socket.send("close_session", session_id=session_id)
    socket.until("session_ended")


def test_fifty_sockets_at_once(server: Server, engine: docker.DockerClient) -> None:
    sockets = [Socket(server) for _ in range(50)]
    session_id = sockets[0].create(user_prefix="fifty")["session_id"]
    for socket in sockets[1:]:
        socket.send("create_session", session_id=session_id)
    for socket in sockets[1:]:
        socket.until("agent_ready")
    sockets[7].send("execute", session_id=session_id, code="print('to all')")
    for socket in sockets:
        socket.until_said("to all\n")
        socket.until("done")
    for socket in sockets[1:]:
        socket.cut()
    sockets[0].send("close_session", session_id=session_id)
    sockets[0].until("session_ended")
    sockets[0].raw.close()
    wait_until(lambda: session_id not in helpers.kernels(server))
