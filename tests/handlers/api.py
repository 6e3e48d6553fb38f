"""A client of the REST API that holds every answer against `openapi.yaml`."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from ..support.server import TOKEN, Server
from .contract import check_answer

AUTHORIZED = {"Authorization": f"token {TOKEN}"}


def check_error(body: Any, code: str | None = None) -> str:
    """An error of ours: two fields, one sentence, nothing of the inside; returns the sentence."""
    assert set(body) == {"message", "error"}, body
    message: str = body["message"]
    assert message.isprintable() and message.endswith((".", "…")) and len(message) <= 1001, message
    assert "Traceback" not in message and "site-packages" not in message, message
    if code is not None:
        assert body["error"] == code, body
    return message


class Api:
    """`server` over HTTP; what it answers must be described."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.seen: set[str] = set()

    def send(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        answer = self.server.request(method, path, **kwargs)
        assert answer.headers["Content-Type"].startswith("application/json")
        self.seen.add(check_answer(method, path, answer.status_code, answer.json()))
        return answer

    def call(self, method: str, path: str, status: int = 200, **kwargs: Any) -> Any:
        answer = self.send(method, path, **kwargs)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        return answer.json()

    def call_any(self, method: str, path: str, statuses: tuple[int, ...], **kwargs: Any) -> Any:
        answer = self.send(method, path, **kwargs)
        assert answer.status_code in statuses, f"{method} {path}: {answer.text}"
        return answer.json()

    def refuse(self, method: str, path: str, status: int, code: str, **kwargs: Any) -> str:
        """The call must fail; returns the sentence."""
        return check_error(self.call(method, path, status, **kwargs), code)

    def create(self, prefix: str = "demo", **fields: Any) -> str:
        body = {"user_prefix": prefix, **fields}
        return str(self.call("POST", "/api/projects", 201, json=body)["project_id"])


@dataclass
class Raw:
    """An answer to a request that nothing has normalised."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def raw(
    server: Server,
    method: str,
    target: str | bytes,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> Raw:
    """Send a request as it stands, over a socket."""
    place = urlsplit(server.url)
    fields = {"Host": place.netloc, "Connection": "close", **AUTHORIZED, **(headers or {})}
    if "Transfer-Encoding" not in fields:
        fields.setdefault("Content-Length", str(len(body)))
    path = target.encode() if isinstance(target, str) else target
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()
    with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
        connection.sendall(method.encode() + b" " + path + b" HTTP/1.1\r\n" + head + b"\r\n" + body)
        with connection.makefile("rb") as file:
            answer = file.read()
    head, _, rest = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return Raw(int(first.split()[1]), {name: value for name, _, value in pairs}, rest)


def tree(directory: Path) -> dict[str, tuple[int, int, str]]:
    """Everything below `directory` with type, owner and contents, but not the index: a cache."""
    found = {}
    for folder, directories, files in os.walk(directory):
        for name in (*directories, *files):
            path = Path(folder, name)
            if name.startswith("index.sqlite3"):
                continue
            status = path.lstat()
            content = ""
            if stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            found[str(path.relative_to(directory))] = (status.st_mode, status.st_uid, content)
    return found
