"""The one exception of the client."""

from __future__ import annotations

import json
from http.client import responses


class ClientError(Exception):
    """What was asked for was not done, or it is not known whether it was.

    `message` is the server's sentence, `code` its machine code. `status` is the HTTP status; None
    when the server answered on a WebSocket or not at all. The client's own codes: `unreachable`,
    `connection_lost`, `session_ended` and `unexpected_answer`.
    """

    def __init__(self, message: str, code: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status

    def __str__(self) -> str:
        place = self.code if self.status is None else f"{self.status} {self.code}"
        return f"{self.message} ({place})"


def from_answer(status: int, body: bytes) -> ClientError:
    """What an answer other than success says; also one of Jupyter itself or of a proxy."""
    phrase = responses.get(status, "Unknown error")
    message, code = f"{phrase}.", phrase.lower().replace(" ", "_")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        # Jupyter's own handlers say it in `message` or, more precisely, in `reason`.
        for name in ("message", "reason"):
            if isinstance(document.get(name), str) and document[name]:
                message = document[name]
        if isinstance(document.get("error"), str):
            code = document["error"]
    return ClientError(message, code, status)
