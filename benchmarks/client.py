"""One client for every kernel that is timed: it asks at once and waits for the first reply."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import websocket
from jupyter_client.blocking.client import BlockingKernelClient

REQUEST = {
    "code": "",
    "silent": True,
    "store_history": False,
    "user_expressions": {"result": "1 + 1"},
    "allow_stdin": False,
    "stop_on_error": True,
}


def first_result(connection_file: Path, timeout: float = 60) -> None:
    """Connect to the kernel's own sockets, run `1 + 1` and wait for its value."""
    client = BlockingKernelClient(connection_file=str(connection_file))
    client.load_connection_file()
    client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=False)
    try:
        client.shell_channel.send(client.session.msg("execute_request", REQUEST))
        reply = client.get_shell_msg(timeout=timeout)
        _check(reply["content"])
    finally:
        client.stop_channels()


def first_result_over_websocket(url: str, token: str, kernel_id: str, timeout: float = 60) -> None:
    """The same as a browser does it, through the server."""
    session = uuid.uuid4().hex
    socket = websocket.create_connection(
        f"{url.replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels?session_id={session}",
        header=[f"Authorization: token {token}"],
        timeout=timeout,
    )
    try:
        identity = uuid.uuid4().hex
        header = {"msg_id": identity, "msg_type": "execute_request", "session": session}
        header |= {"username": "bench", "version": "5.3"}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": REQUEST}
        socket.send(json.dumps(message | {"channel": "shell", "buffers": []}))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            answer = json.loads(socket.recv())
            if answer["msg_type"] == "execute_reply":
                _check(answer["content"])
                return
        raise TimeoutError("no reply from the kernel")
    finally:
        socket.close()


def _check(content: dict[str, object]) -> None:
    text = json.dumps(content)
    if content.get("status") != "ok" or '"2"' not in text:
        raise AssertionError(f"the kernel answered {text[:300]}")
