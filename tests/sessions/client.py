"""A plain WebSocket client of `/ws` that holds every event against what is described."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import websocket

from cognition_jupyter.sessions.events import FIELDS

from ..support.server import TOKEN, Server


class Socket:
    """One connection. `seen` has all events but pings, in the order in which they came."""

    def __init__(self, server: Server, token: str = TOKEN, **options: Any) -> None:
        self.server = server
        url = f"{server.url.replace('http', 'ws', 1)}/ws"
        header = [f"Authorization: token {token}"]
        self.raw = websocket.create_connection(url, header=header, timeout=60, **options)
        self.seen: list[dict[str, Any]] = []
        self.last: dict[str, int] = {}

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()

    def cut(self) -> None:
        """As when a cable is pulled: no farewell."""
        assert self.raw.sock is not None
        self.raw.sock.close()

    def send(self, kind: str, **fields: Any) -> None:
        self.raw.send(json.dumps({"type": kind, **fields}))

    def receive(self, timeout: float = 60) -> dict[str, Any]:
        """The next event but pings, which may come at any time."""
        deadline = time.monotonic() + timeout
        while True:
            self.raw.settimeout(max(0.1, deadline - time.monotonic()))
            event: dict[str, Any] = json.loads(self.raw.recv())
            self._check(event)
            if event["event"] != "ping":
                self.seen.append(event)
                return event

    def _check(self, event: dict[str, Any]) -> None:
        name = event["event"]
        allowed = {"event", "time", "seq", *FIELDS[name]}
        assert set(event) <= allowed, event
        optional = {"session_id"} if name == "error" else set()
        assert set(FIELDS[name]) - optional <= set(event), event
        if "seq" in event:
            session_id = event["session_id"]
            before = self.last.get(session_id)
            assert before is None or event["seq"] == before + 1, (before, event)
            self.last[session_id] = event["seq"]

    def until(self, name: str, timeout: float = 60, **fields: Any) -> dict[str, Any]:
        """The next event of that name and with those fields."""
        deadline = time.monotonic() + timeout
        while True:
            event = self.receive(deadline - time.monotonic())
            if event["event"] == name and all(event.get(k) == v for k, v in fields.items()):
                return event

    def until_said(self, text: str, timeout: float = 60) -> None:
        """Wait until code has printed `text`: its kernel sends it in as many chunks as it likes."""
        said, deadline = "", time.monotonic() + timeout
        while said != text:
            left = deadline - time.monotonic()
            said += self.until("tool_output", left, stream="stdout")["chunk"]
            assert text.startswith(said), said

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create or join a session; its `session_started`."""
        self.send("create_session", **fields)
        while (event := self.receive())["event"] in ("progress", "session_ended", "done"):
            pass
        assert event["event"] == "session_started", event
        ready = self.receive()
        assert (ready["event"], ready["session_id"]) == ("agent_ready", event["session_id"])
        return event

    def refused(self, code: str, kind: str, **fields: Any) -> str:
        """Send what must be answered with an error; its sentence."""
        self.send(kind, **fields)
        event = self.receive()
        assert (event["event"], event.get("code")) == ("error", code), event
        message: str = event["message"]
        assert message.endswith(".")
        return message

    def run(self, session_id: str, code: str, kind: str = "execute") -> list[dict[str, Any]]:
        """Run code and collect the events of that turn, `done` last."""
        field = "code" if kind == "execute" else "content"
        self.send(kind, session_id=session_id, **{field: code})
        begin = len(self.seen)
        self.until("done", session_id=session_id)
        return self.seen[begin:]


def stdout(events: list[dict[str, Any]], stream: str = "stdout") -> str:
    """The text of a stream in a turn."""
    return "".join(
        e["chunk"] for e in events if e["event"] == "tool_output" and e["stream"] == stream
    )


def names(events: list[dict[str, Any]]) -> list[str]:
    """The events' names; chunks of one output count once: into how many it comes is chance."""
    return [name for name, _ in itertools.groupby(event["event"] for event in events)]
