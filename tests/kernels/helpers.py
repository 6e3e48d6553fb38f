"""What tests of sessions look at: events, containers, directories, the server's own process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import websocket

from ..support.kernel import KernelConnection
from ..support.server import TOKEN, Server

SCHEMA = "https://schema.jupyter.org/cognition/{}/v1"
# Without the extensions that matter to nothing here, a server is up sooner.
LEAN: dict[str, dict[str, Any]] = {
    "ServerApp": {
        "jpserver_extensions": dict.fromkeys(
            ("jupyterlab", "jupyter_lsp", "notebook_shim", "jupyter_server_terminals"), False
        )
    }
}
# A dead kernel is noticed at once, and a kernel that dies again and again is given up soon.
QUICK_RESTARTER = LEAN | {"KernelRestarter": {"time_to_dead": 0.3, "restart_limit": 2}}


def wait_until(holds: Callable[[], Any], timeout: float = 60, what: str = "") -> Any:
    """Wait until `holds()` is true and return what it gave."""
    deadline = time.monotonic() + timeout
    while not (value := holds()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {what or holds}"
        time.sleep(0.05)
    return value


class Events:
    """The server's event stream as a front end sees it; only events of one schema are kept.

    `noun`: "session", whose events are told apart by their session, or "memory", by project.
    """

    def __init__(self, server: Server, noun: str = "session") -> None:
        self._schema = SCHEMA.format(noun)
        self._key = "session_id" if noun == "session" else "project_id"
        url = server.url.replace("http", "ws", 1)
        self.socket = websocket.create_connection(
            f"{url}/api/events/subscribe", header=[f"Authorization: token {TOKEN}"], timeout=60
        )
        self.seen: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while text := self.socket.recv():
                event = json.loads(text)
                if event.get("schema_id") == self._schema:
                    self.seen.append(event)
        except (OSError, websocket.WebSocketException):
            pass

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown()  # without the farewell, for which it would read beside the thread

    def of(self, of_id: str | None, action: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            event
            for event in [*self.seen]
            if event["action"] == action
            and of_id in (None, event.get(self._key))
            and all(event.get(name) == value for name, value in fields.items())
        ]

    def wait_for(
        self,
        of_id: str | None,
        action: str,
        count: int = 1,
        timeout: float = 60,
        **fields: Any,
    ) -> dict[str, Any]:
        """The `count`-th event of that kind."""
        wait_until(
            lambda: len(self.of(of_id, action, **fields)) >= count,
            timeout,
            f"{action} {fields}: {self.seen}",
        )
        return self.of(of_id, action, **fields)[count - 1]


def root_uuid(server: Server) -> str:
    return str(json.loads((server.root / ".cognition/root.json").read_text())["uuid"])


def containers(engine: docker.DockerClient, server: Server) -> dict[str, str]:
    """Containers of the server's root: id and status."""
    label = f"cognition.root={root_uuid(server)}"
    rows = engine.api.containers(all=True, filters={"label": label})
    return {row["Id"]: row["State"] for row in rows}


def session_directories(server: Server) -> list[Path]:
    return [*server.hot_root.glob("*/.s/*/*")]


def owner_directories(server: Server) -> list[Path]:
    return [*server.hot_root.glob("*/.s/*")]


def owner_locks(server: Server) -> list[Path]:
    return [*(server.root / ".cognition/owners").iterdir()]


def records(server: Server, project_id: str) -> list[dict[str, Any]]:
    """The project's session records as they are on disk."""
    file = server.root / project_id / ".project_metadata.json"
    sessions: list[dict[str, Any]] = json.loads(file.read_text())["sessions"]
    return sessions


def record(server: Server, project_id: str, session_id: str) -> dict[str, Any]:
    (found,) = [r for r in records(server, project_id) if r["session_id"] == session_id]
    return found


def open_records(server: Server) -> list[dict[str, Any]]:
    projects = [path.parent.name for path in server.root.glob("*-*/.project_metadata.json")]
    return [r for p in projects for r in records(server, p) if r["ended_at"] is None]


def nothing_left(engine: docker.DockerClient, server: Server, locks: int = 1) -> bool:
    """No container, session directory, open record or foreign lock; `locks` owners are alive."""
    left = containers(engine, server), session_directories(server), open_records(server)
    return not any(left) and len(owner_locks(server)) == locks


def kernels(server: Server) -> list[str]:
    return [kernel["id"] for kernel in server.call("GET", "/api/kernels")]


def restart(server: Server, kernel_id: str, expect: int = 200) -> None:
    server.call("POST", f"/api/kernels/{kernel_id}/restart", expect)


def interrupt(server: Server, kernel_id: str) -> None:
    server.call("POST", f"/api/kernels/{kernel_id}/interrupt", 204)


def notebook(server: Server, project_id: str, path: str = "note.ipynb") -> dict[str, Any]:
    """A Jupyter session of a notebook in the project, as JupyterLab asks for it."""
    body = {
        "path": f"workspaces/{project_id}/repo/{path}",
        "name": path.rpartition("/")[2],
        "type": "notebook",
        "kernel": {"name": "cognition"},
    }
    session: dict[str, Any] = server.call("POST", "/api/sessions", 201, json=body)
    return session


def wait_for_status(kernel: KernelConnection, state: str, timeout: float = 60) -> None:
    """Read messages until the kernel's status is `state`."""
    deadline = time.monotonic() + timeout
    while True:
        message = kernel.receive(max(0.1, deadline - time.monotonic()))
        if message["msg_type"] == "status" and message["content"]["execution_state"] == state:
            return


def settle(kernel: KernelConnection, timeout: float = 60) -> None:
    """After a restart: wait until answers and outputs of the new kernel arrive on this socket.

    A kernel's first outputs reach nobody who is still subscribing, with Jupyter's own kernels too;
    front ends ask until an answer and its status have come.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        asked = kernel.send("kernel_info_request", {})
        told = set()
        until = time.monotonic() + 0.5
        while told != {"idle", "kernel_info_reply"} and time.monotonic() < until:
            try:
                message = kernel.receive(0.2)
            except websocket.WebSocketTimeoutException:
                continue
            if message.get("parent_header", {}).get("msg_id") == asked:
                told.add(message["content"].get("execution_state") or message["msg_type"])
                told.discard("busy")
        if told == {"idle", "kernel_info_reply"}:
            return
    raise AssertionError(f"The kernel is not there within {timeout} s.")


def usage(server: Server) -> dict[str, int]:
    """File descriptors and threads of the server's process."""
    assert server.process is not None
    process = Path("/proc", str(server.process.pid))
    return {name: len([*(process / name).iterdir()]) for name in ("fd", "task")}
