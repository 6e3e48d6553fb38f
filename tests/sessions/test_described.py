"""`docs/websocket.md` names each message and event with its fields, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from cognition_jupyter.sessions import messages
from cognition_jupyter.sessions.events import FIELDS

PAGE = (Path(__file__).parents[2] / "docs/websocket.md").read_text()


def table(heading: str) -> dict[str, set[str]]:
    """First and second column of the table below a heading."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) (?<!\\)\|", part, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)\??`", fields)) for name, fields in rows}


def test_messages() -> None:
    models = (
        messages.CreateSession,
        messages.UserMessage,
        messages.Execute,
        messages.Cancel,
        messages.CloseSession,
    )
    taken = {
        str(model.model_fields["type"].annotation).split("'")[1]: model.model_fields.keys()
        - {"type"}
        for model in models
    }
    rows = re.sub(r"`project_id` \\\| `user_prefix`", "`project_id`, `user_prefix`", PAGE)
    assert set(taken) == set(messages.TYPES) == set(table("What clients send"))
    for name, fields in taken.items():
        (row,) = re.findall(rf"^\| `{name}` \| (.*?) \| ", rows, re.MULTILINE)
        assert set(re.findall(r"`(\w+)\??`", row)) == fields, name


def test_events() -> None:
    described = table("What the server sends")
    assert set(described) | {"ping"} == set(FIELDS)
    for name, fields in FIELDS.items():
        values = {"stdout", "stderr", "clone", "container"}
        assert described.get(name, set()) - values == set(fields), name
