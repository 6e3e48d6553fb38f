"""The kept conversation loses what it does not need any more, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

import aiosqlite

from cognition_jupyter.sessions.responders import kept_conversation
from cognition_jupyter.sessions.responders.base import CommandResult
from cognition_jupyter.sessions.responders.pruning import prune
from cognition_jupyter.sessions.responders.strict_serializer import StrictSerializer

from ..memory.memory_support import Place
from .agent_support import PROJECT, Events, Scripted, agent, run, turn

SUBAGENT = ("task", {"description": "Look.", "subagent_type": "general-purpose"})
LOOK = ("ls", {"path": "/workspace"})


def kept(here: Place) -> list[bool]:
    """Of each checkpoint that is kept, oldest first, whether it holds all messages."""
    with closing(sqlite3.connect(here.paths.agent / "conversation.sqlite")) as base:
        query = "SELECT type, checkpoint FROM checkpoints WHERE checkpoint_ns = ? ORDER BY "
        rows = base.execute(query + "checkpoint_id", ("",)).fetchall()
        (others,) = base.execute("SELECT count(*) FROM checkpoints").fetchone()
        assert others == len(rows), "checkpoints of subagents"
        (lost,) = base.execute(
            "SELECT count(*) FROM writes WHERE checkpoint_id NOT IN "
            "(SELECT checkpoint_id FROM checkpoints)"
        ).fetchone()
        assert lost == 0, "what steps of no checkpoint have written"
    return ["messages" in StrictSerializer().loads_typed(row)["channel_values"] for row in rows]


def test_a_long_conversation_in_changing_sessions_loses_nothing(here: Place) -> None:
    most = shrunk = 0
    for number in range(40):
        turn(agent(here, Scripted.of(LOOK, f"Answer {number}.")), f"Question {number}.")
        found = kept(here)
        assert not any(found[1:])  # only the first may hold all: nothing is older than that
        shrunk += len(found) < most
        most = max(most, len(found))
    assert shrunk and most < 120  # of 240
    model = Scripted.of("Yes.")
    turn(agent(here, model), "All?")
    said = [f"Question {n}." for n in range(40)] + [f"Answer {n}." for n in range(40)]
    assert all(text in model.prompt() for text in said)


def test_sessions_that_are_open_at_the_same_time(here: Place) -> None:
    """Each goes on from what the others have said and pruned meanwhile."""
    answers = [[f"Session {s}, answer {n}." for n in range(15)] for s in range(3)]
    models = [Scripted.of(*(part for text in own for part in (LOOK, text))) for own in answers]

    async def session(number: int) -> None:
        responder = agent(here, models[number])
        for n in range(15):
            await responder.respond(f"Session {number}, question {n}.", Events())
        await responder.close()

    async def all_of_them() -> None:
        await asyncio.gather(*map(session, range(3)))

    run(all_of_them())
    assert len(kept(here)) < 120 and not any(kept(here)[1:])
    model = Scripted.of("Yes.")
    turn(agent(here, model), "All?")
    questions = [f"Session {s}, question {n}." for s in range(3) for n in range(15)]
    assert all(
        text in model.prompt() for text in questions + [text for own in answers for text in own]
    )


def test_nothing_is_left_of_subagents(here: Place) -> None:
    turn(agent(here, Scripted.of(SUBAGENT, LOOK, "Looked.", "Done.")), "Go.")
    assert kept(here)


def test_a_turn_that_was_cancelled_in_a_subagent(here: Place) -> None:
    running = asyncio.Event()

    async def endless(command: str, timeout: float | None = None) -> CommandResult:
        running.set()
        await asyncio.sleep(3600)
        return CommandResult("", 0)

    model = Scripted.of(SUBAGENT, ("execute", {"command": "x"}), "On.")

    async def go() -> None:
        responder = agent(here, model, endless)
        working = asyncio.ensure_future(responder.respond("Begin.", Events()))
        await running.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert kept(here)
        await responder.respond("Go on.", Events())
        await responder.close()

    run(go())
    assert "Begin." in model.prompt() and "Go on." in model.prompt()
    assert kept(here)


def test_a_turn_cancelled_while_it_writes(
    here: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At each of its writes, one after the other; LangGraph goes on with some of them."""
    commit, commits, reached = aiosqlite.Connection.commit, 0, asyncio.Event()

    async def slow(self: aiosqlite.Connection) -> None:
        nonlocal commits
        commits -= 1
        if commits == 0:
            reached.set()
            await asyncio.sleep(0.05)
        await commit(self)

    monkeypatch.setattr(aiosqlite.Connection, "commit", slow)

    async def go() -> int:
        nonlocal commits
        first = agent(here, Scripted.of(*[LOOK, "Looked."] * 30))
        other = agent(here, Scripted.of(*["Yes."] * 30))
        for moment in range(1, 30):
            commits = moment
            reached.clear()
            working = asyncio.ensure_future(first.respond(f"Write {moment}.", Events()))
            waiting = asyncio.ensure_future(reached.wait())
            await asyncio.wait([working, waiting], return_when=asyncio.FIRST_COMPLETED)
            if working.done():  # there are no more
                waiting.cancel()
                break
            working.cancel()
            await asyncio.wait([working])
            commits = 0
            await other.respond(f"And {moment}?", Events())
        for responder in (first, other):
            await responder.close()
        return moment

    moments = run(go())
    assert moments > 8 and "is not pruned" not in caplog.text
    model = Scripted.of("Yes.")
    turn(agent(here, model), "All?")
    assert all(f"And {n}?" in model.prompt() for n in range(1, moments))
    assert not any(kept(here)[1:])


def test_a_pruning_that_fails_is_no_failure_of_the_turn(
    here: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(kept_conversation, "prune", full)
    events = turn(agent(here, Scripted.of("Hello.")), "Hello")
    assert events.of("assistant_message", is_complete=True)
    assert "is not pruned: OperationalError" in caplog.text
    monkeypatch.undo()
    turn(agent(here, Scripted.of("Hello.")), "Hello")
    assert not any(kept(here)[1:])


def test_only_the_conversation_itself_is_pruned(here: Place) -> None:
    turn(agent(here, Scripted.of("Hello.")), "Hello")
    database = here.paths.agent / "conversation.sqlite"
    before = kept(here)
    prune(database, "somebody-else-00000000", ["messages"])
    assert kept(here) == before
    with closing(sqlite3.connect(database)) as base, base:  # ancestors in a circle
        base.execute("UPDATE checkpoints SET parent_checkpoint_id = checkpoint_id")
    prune(database, PROJECT, ["messages"])
    assert len(kept(here)) == 1
    with pytest.raises(sqlite3.OperationalError):
        prune(Path(f"{database}.none"), PROJECT, ["messages"])
    assert not Path(f"{database}.none").exists()
