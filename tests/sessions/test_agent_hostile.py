"""Conversations and memory files that somebody has made to do harm."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from ..memory.memory_support import Place, fails
from .agent_support import Scripted, agent, turn


def hostile(path: Path, value: bytes, kind: str = "msgpack") -> None:
    """Put a value into the newest checkpoint of a conversation, as its messages."""
    base = sqlite3.connect(path / "conversation.sqlite")
    base.execute("UPDATE checkpoints SET checkpoint = ?, type = ?", (value, kind))
    base.execute("UPDATE writes SET value = ?, type = ?", (value, kind))
    base.commit()
    base.close()


def evil(target: Path) -> dict[str, tuple[str, bytes]]:
    """Values that would make a file where they were trusted."""
    import ormsgpack

    def packed(code: int, *parts: Any) -> bytes:
        return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts)))

    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {target}",)

    constructor = {"lc": 2, "type": "constructor", "id": ["os", "system"]}
    return {
        "call": ("msgpack", packed(0, "os", "system", f"touch {target}")),
        "arguments": ("msgpack", packed(1, "os", "system", [f"touch {target}"])),
        "keywords": ("msgpack", packed(2, "subprocess", "Popen", {"args": ["touch", str(target)]})),
        "method": ("msgpack", packed(3, "pathlib", "Path", str(target), "touch")),
        "model": ("msgpack", packed(5, "os", "system", {"command": "x"}, "y")),
        "path": ("msgpack", packed(1, "pathlib", "Path", ["x"])),
        "json": ("json", json.dumps(constructor | {"args": [f"touch {target}"]}).encode()),
        "pickle": ("pickle", pickle.dumps(Evil())),
        "damaged": ("msgpack", b"\xc1\xff"),
        "nested": ("msgpack", b"\x91" * 5000),
    }


@pytest.mark.parametrize("name", sorted(evil(Path("x"))))
def test_a_hostile_conversation_is_refused(here: Place, name: str, tmp_path: Path) -> None:
    turn(agent(here, Scripted.of("Hello.")), "Hello")
    target = tmp_path / "made"
    kind, value = evil(target)[name]
    hostile(here.paths.agent, value, kind)
    responder = agent(here, Scripted.of("Never said."))
    for _ in range(2):
        with fails("conversation_refused", 409):
            turn(responder, "Again")
    assert not target.exists()
    (here.paths.agent / "conversation.sqlite").unlink()  # as the sentence says
    assert turn(responder, "Again").of("assistant_message", is_complete=True)


def test_a_damaged_database_is_an_error(here: Place) -> None:
    here.paths.agent.mkdir(exist_ok=True)
    (here.paths.agent / "conversation.sqlite").write_bytes(b"no database at all" * 100)
    with fails("conversation_damaged", 409):
        turn(agent(here, Scripted.of("Hello.")), "Hello")


def test_hostile_memory_files(here: Place) -> None:
    repo, hot, persistent = here.paths.repo, here.hot, here.paths.persistent
    with (repo / "AGENTS.md").open("wb") as file:
        file.write(b"BEGIN {agent_memory} {0}\n\xff\xfe" + b"\0" * 100)
        file.truncate(1 << 40)
    os.mkfifo(hot / "AGENTS.md")
    (persistent / "AGENTS.md").symlink_to(here.outside / "passwd")
    for number in range(200):
        (hot / f"\udcffn{number}").touch()
    model = Scripted.of("Hello.")
    began = time.monotonic()
    turn(agent(here, model, memory_file_bytes=1000), "Hello")
    prompt = model.told[0][0].text
    assert time.monotonic() - began < 60
    assert "BEGIN {agent_memory} {0}" in prompt and "Cut after 1000 bytes" in prompt
    assert "SECRET outside" not in prompt and len(prompt) < 20_000
    assert "/memories/hot/AGENTS.md can't be read" in prompt and "and 151 more" in prompt
    prompt.encode()


def test_a_directory_in_place_of_a_memory_file(here: Place) -> None:
    (here.paths.repo / "AGENTS.md").mkdir()
    assert turn(agent(here, Scripted.of("Hello.")), "Hello").of("assistant_message")
