"""Large messages: long strings are read, and many items refused before any is made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cognition_jupyter.sessions import messages
from cognition_jupyter.sessions.messages import (
    MAX_MESSAGE_BYTES,
    MOST_BESIDES,
    MOST_STRINGS,
    BadMessage,
    Execute,
    parse_message,
)

SIZE = MAX_MESSAGE_BYTES - 100
HEAD = '{"type":"execute","session_id":"x"'


@pytest.mark.parametrize(
    "piece", ["x", '"', "\\", "\n", "[]{},:", "\u20ac", "\ud800", "\U0001f680"]
)
def test_long_strings_are_what_they_were(piece: str) -> None:
    code = piece * (SIZE // len(json.dumps(piece)))
    text = json.dumps({"type": "execute", "session_id": "x", "code": code})
    assert parse_message(text) == Execute(type="execute", session_id="x", code=code)


MANY = {
    "lists": HEAD + ',"code":[' + "[]," * (SIZE // 3) + "0]}",
    "deep": HEAD + ',"code":' + "[" * SIZE,
    "numbers": HEAD + ',"code":[' + "0," * (SIZE // 2) + "0]}",
    "strings": HEAD + ',"code":[' + '"",' * (SIZE // 3) + "0]}",
    "strings without commas": HEAD + ',"code":[' + '""' * (SIZE // 2) + "]}",
    "keys": HEAD + "".join(f',"{n}":0' for n in range(SIZE // 14)) + "}",
    "behind a long string": HEAD + ',"code":"' + "x" * 100_000 + '","more":[' + "0," * 100_000,
    "before it": '{"more":[' + "0," * 100_000 + '0],"code":"' + "x" * 100_000 + '"}',
    "in between": HEAD + "".join(f',"{n}":[{"0," * 30_000}0]' for n in range(20)) + "}",
    "space": HEAD + " " * SIZE + "}",
    "digits": HEAD + ',"code":1.' + "1" * SIZE + "}",
}


@pytest.mark.parametrize("name", MANY)
def test_many_items_are_refused_unread(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(messages.json, "loads", read)
    with pytest.raises(BadMessage, match="and little besides") as caught:
        parse_message(MANY[name])
    assert caught.value.code == "invalid_input"


def test_the_limits_are_where_they_are_said() -> None:
    long = HEAD + ',"code":"' + "x" * MOST_BESIDES + '"'
    least = sum(map(long.count, ("{", ":", ","))) + 1  # the closing brace
    text = long + " " * (MOST_BESIDES - least) + "}"
    assert isinstance(parse_message(text), Execute)
    with pytest.raises(BadMessage, match="little besides"):
        parse_message(text.replace(" ", "  ", 1))
    # Too many fields are a mistake of another kind, as long as they are few enough to be read.
    keys = (MOST_STRINGS - 6) // 2
    with pytest.raises(BadMessage, match="Extra inputs"):
        parse_message(long + "".join(f',"{n}":"{n}"' for n in range(keys)) + "}")


@pytest.mark.parametrize("end", ['"', '\\"}', '\n"}', '\\x"}', "", '" }}', '"} "', '"};'])
def test_a_large_message_that_is_no_json(end: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse_message(HEAD + ',"code":"' + "x" * MOST_BESIDES + end)
    assert caught.value.code == "invalid_json"
