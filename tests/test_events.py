"""Events on the server's bus: what happened, and who did it. The bus itself holds the schemas."""

from __future__ import annotations

from pathlib import Path

import yaml

import cognition_jupyter

from .kernels.helpers import Events
from .sessions.client import Socket
from .support.server import Server

SCHEMAS = Path(cognition_jupyter.__file__).parent / "event_schemas"


def user_of(server: Server) -> str:
    return str(server.call("GET", "/api/me")["identity"]["username"])


def test_changes_of_projects_are_told_with_who_made_them(server: Server) -> None:
    with Events(server, "project") as events:
        project_id = server.create()
        path = f"/api/projects/{project_id}"
        server.call("PATCH", path, json={"description": "new"})
        details = server.call("POST", f"{path}/extend", json={"days": 2})
        server.call("POST", f"{path}/extend", json={"pin": True})
        extended = events.wait_for(project_id, "extended")
        assert extended["cleanup_at"] == details["cleanup_at"] and extended["pinned"] is False
        assert "cleanup_at" not in events.wait_for(project_id, "extended", count=2)
        for action in ("created", "changed", "extended"):
            assert events.wait_for(project_id, action)["actor"] == user_of(server)


def test_events_of_sessions_and_memory_say_who(server: Server) -> None:
    project_id = server.create()
    user = user_of(server)
    with Events(server) as sessions, Events(server, "memory") as memory:
        session = server.start_session(project_id)
        assert sessions.wait_for(session["session_id"], "started")["actor"] == user
        path = f"/api/projects/{project_id}"
        server.call("PUT", f"{path}/memory/memories/hot/a", 201, data=b"a")
        server.call("POST", f"{path}/snapshots", 201)
        assert memory.wait_for(project_id, "snapshot", reason="request")["actor"] == user
        server.end_session(session)
        assert sessions.wait_for(session["session_id"], "ended")["actor"] == user


def test_a_journal_that_grows_is_told_to_its_end(server: Server) -> None:
    project_id = server.create()
    with Events(server, "journal") as events, Socket(server) as socket:
        session_id = socket.create(project_id=project_id)["session_id"]
        socket.run(session_id, "for n in range(100): print(n, flush=True)")
        last = socket.last[session_id]
        told = events.wait_for(project_id, "grown", session_id=session_id, last_seq=last)
        assert "content" not in told and "chunk" not in told
        assert len(events.of(project_id, "grown")) < last
        path = f"/api/projects/{project_id}/sessions/{session_id}/events"
        page = server.call("GET", f"{path}?since={last - 1}")
        assert (page["last_seq"], [e["event"] for e in page["events"]]) == (last, ["done"])
        socket.send("close_session", session_id=session_id)
        last = socket.until("session_ended")["seq"]
        events.wait_for(project_id, "grown", session_id=session_id, last_seq=last)


def test_every_event_may_say_who(server: Server) -> None:
    for path in SCHEMAS.glob("*/v1.yaml"):
        schema = yaml.safe_load(path.read_text())
        assert schema["$id"].endswith(f"/cognition/{path.parent.name}/v1")
        assert {"action", "actor"} <= set(schema["required"]), path
        assert schema["additionalProperties"] is False
