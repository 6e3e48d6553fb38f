"""What clients send on `/ws`: one JSON object a message, `type` and the fields of that type."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from ..exceptions import InvalidInput
from ..models import NetworkMode, Request, first_problem

#: Bytes of one message; beyond it the socket closes (1009).
MAX_MESSAGE_BYTES = 16 << 20
#: Of a larger message than this, all but so many characters must be in so many strings.
MOST_BESIDES = 1 << 16
MOST_STRINGS = 64

_Id = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class CreateSession(Request):
    """A new project, a project resumed, or the same session again."""

    type: Literal["create_session"]
    project_id: _Id | None = None
    user_prefix: str | None = None
    network_mode: NetworkMode | None = None
    repo_url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    session_id: _Id | None = None
    since: Annotated[int, Field(ge=0)] | None = None


class UserMessage(Request):
    """For the project's responder."""

    type: Literal["user_msg"]
    session_id: _Id
    content: str


class Execute(Request):
    """Code for the session's kernel, whoever is the responder."""

    type: Literal["execute"]
    session_id: _Id
    code: str


class Cancel(Request):
    """Stop what runs, and forget what waits."""

    type: Literal["cancel"]
    session_id: _Id


class CloseSession(Request):
    """End the session."""

    type: Literal["close_session"]
    session_id: _Id


Message = CreateSession | UserMessage | Execute | Cancel | CloseSession
TYPES = ("create_session", "user_msg", "execute", "cancel", "close_session")
_MESSAGE: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])
_DECODER = json.JSONDecoder()


class BadMessage(InvalidInput):
    """What a client sent is no message. `session_id`: of the session that it may have meant."""

    def __init__(self, message: str, code: str | None = None, document: object = None) -> None:
        super().__init__(message, code)
        found = document.get("session_id") if isinstance(document, dict) else None
        self.session_id = found if isinstance(found, str) and len(found) <= 128 else None


def parse_message(text: str | bytes) -> Message:
    """A client's message. Raises BadMessage (`invalid_json`, `unknown_type`, `invalid_input`)."""
    if isinstance(text, bytes):
        raise BadMessage("A message is text, not binary.", "invalid_json")
    try:
        if len(text) > MOST_BESIDES:
            _check_items(text)
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadMessage("The message is not JSON.", "invalid_json") from None
    if not isinstance(document, dict):
        raise BadMessage("A message must be a JSON object.", "invalid_json")
    if document.get("type") not in TYPES:
        raise BadMessage(f"type must be one of {', '.join(TYPES)}.", "unknown_type", document)
    try:
        return _MESSAGE.validate_python(document)
    except ValidationError as error:
        sentence = first_problem(error).removeprefix(f"{document['type']}.")
        raise BadMessage(sentence, None, document) from None


def _check_items(text: str) -> None:
    """Refuse millions of items before they are made. Raises BadMessage, ValueError for no JSON.

    Making them takes a second and gigabytes. A thread would be no help: the parser is one step
    that holds Python's lock, and the event loop would wait all the same. Long strings cost little.
    """
    besides, end = 0, 0
    for _ in range(MOST_STRINGS):
        begin = text.find('"', end)
        if begin < 0:
            break
        besides += begin - end
        _, end = _DECODER.raw_decode(text, begin)
    if besides + len(text) - end > MOST_BESIDES:
        raise BadMessage("A large message may hold a few long strings, and little besides.")


def _refuse(constant: str) -> None:
    raise ValueError(constant)
