"""Jupyter's kernel protocol over the server's WebSocket, as a front end speaks it."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import websocket


@dataclass
class Result:
    """What one execution said."""

    status: str = ""
    stdout: str = ""
    stderr: str = ""
    error: str = ""
    value: str | None = None
    outputs: list[dict[str, Any]] = field(default_factory=list)


class KernelConnection:
    """One front end on `/api/kernels/{id}/channels`."""

    def __init__(self, url: str, token: str, kernel_id: str) -> None:
        self.session = uuid.uuid4().hex
        self.socket = websocket.create_connection(
            f"{url.replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels"
            f"?session_id={self.session}",
            header=[f"Authorization: token {token}"],
            timeout=60,
        )

    def __enter__(self) -> KernelConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, kind: str, content: dict[str, Any], channel: str = "shell") -> str:
        message_id = uuid.uuid4().hex
        header = {
            "msg_id": message_id,
            "msg_type": kind,
            "session": self.session,
            "username": "test",
            "version": "5.3",
        }
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": channel,
            "buffers": [],
        }
        self.socket.send(json.dumps(message))
        return message_id

    def receive(self, timeout: float) -> dict[str, Any]:
        self.socket.settimeout(timeout)
        message: dict[str, Any] = json.loads(self.socket.recv())
        return message

    def start(self, code: str) -> str:
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        return self.send("execute_request", content)

    def run(self, code: str, timeout: float = 60) -> Result:
        return self.collect(self.start(code), timeout)

    def collect(self, message_id: str, timeout: float = 60) -> Result:
        """Everything until the reply *and* the idle status of that request."""
        result = Result()
        deadline = time.monotonic() + timeout
        idle = False
        while not (idle and result.status):
            left = deadline - time.monotonic()
            assert left > 0, f"no answer within {timeout} s; so far: {result}"
            message = self.receive(left)
            if message.get("parent_header", {}).get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status":
                idle = idle or content["execution_state"] == "idle"
            elif kind == "stream":
                setattr(result, content["name"], getattr(result, content["name"]) + content["text"])
            elif kind in ("execute_result", "display_data"):
                result.outputs.append(content["data"])
                if kind == "execute_result":
                    result.value = content["data"].get("text/plain")
            elif kind == "error":
                result.error = f"{content['ename']}: {content['evalue']}"
            elif kind == "execute_reply":
                result.status = content["status"]
        return result

    def check(self, code: str, timeout: float = 60) -> str:
        """Run code that must not fail; its standard output."""
        result = self.run(code, timeout)
        assert result.status == "ok", f"{result.error}\n{result.stdout}{result.stderr}"
        return result.stdout
