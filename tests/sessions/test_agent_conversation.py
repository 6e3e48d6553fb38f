"""The conversation of a project: shared by its sessions, one turn at a time, and kept."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from cognition_jupyter.projects.files import try_lock, unlock
from cognition_jupyter.sessions.responders.base import CommandResult
from cognition_jupyter.sessions.responders.turn_lock import LOCK

from ..memory.memory_support import SESSION, Place, fails
from .agent_support import Events, Scripted, agent, context, everything, run, turn
from .model_server import ModelServer, says


def test_sessions_of_a_project_take_turns(here: Place) -> None:
    running = [0, 0]

    async def slow(command: str, timeout: float | None = None) -> CommandResult:
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(0.2)
        running[0] -= 1
        return CommandResult("ok", 0)

    models = [Scripted.of(("execute", {"command": "x"}), f"Done {n}.") for n in range(3)]

    async def go() -> None:
        responders = [agent(here, model, slow) for model in models]
        await asyncio.gather(*(r.respond(f"Do {n}.", Events()) for n, r in enumerate(responders)))
        for responder in responders:
            await responder.close()

    run(go())
    assert running[1] == 1
    later = Scripted.of("Yes.")
    turn(agent(here, later), "All?")
    assert all(f"Do {n}." in later.prompt() and f"Done {n}." in later.prompt() for n in range(3))
    assert [*here.paths.agent.glob("*.lock")] == []


def test_cancelled_while_another_session_has_the_turn(here: Place) -> None:
    finish = asyncio.Event()

    async def slow(command: str, timeout: float | None = None) -> CommandResult:
        await finish.wait()
        return CommandResult("ok", 0)

    async def go() -> None:
        first = agent(here, Scripted.of(("execute", {"command": "x"}), "Done."), slow)
        others = [agent(here, Scripted.of("Never.")) for _ in range(5)]
        working = asyncio.ensure_future(first.respond("Work.", Events()))
        while not [*here.paths.agent.glob("*.lock")]:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        waiting = [asyncio.ensure_future(r.respond("Wait.", Events())) for r in others]
        for number, task in enumerate(waiting):
            await asyncio.sleep(0.03 * number)
            task.cancel()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(error, asyncio.CancelledError) for error in done)
        assert not working.done()
        finish.set()
        await working
        for responder in (first, *others):
            await responder.close()

    run(go())
    assert turn(agent(here, Scripted.of("Free.")), "Free?").of("assistant_message")


def test_a_turn_that_waits_says_for_whom_and_when_it_goes_on(here: Place) -> None:
    ids = ["first", "second"]
    agents = {
        name: agent(replace(context(here), session_id=name), Scripted.of("A.")) for name in ids
    }
    told = {name: Events() for name in ids}
    lock = here.paths.agent / LOCK

    async def happened(name: str, waits_for: str | None) -> None:
        while not told[name].of("turn_waiting", is_waiting=True, waits_for=waits_for):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def go() -> None:
        # Of a process that was killed, and none that says who it is (as of an older version).
        lock.parent.mkdir(exist_ok=True)
        lock.write_text("no-session-" * 20)
        held = try_lock(lock)
        assert held is not None
        turns = {n: asyncio.ensure_future(r.respond("Q.", told[n])) for n, r in agents.items()}
        for name in ids:
            await happened(name, None)
        lock.write_text("third")
        for name in ids:
            await happened(name, "third")
        unlock(lock, held)
        await asyncio.wait_for(asyncio.gather(*turns.values()), 60)
        for responder in agents.values():
            await responder.close()

    run(go())
    for name, events in told.items():
        assert events.names[-1] == "assistant_message" and events.names[0] == "turn_waiting"
        waits = events.of("turn_waiting")
        assert [e["is_waiting"] for e in waits] == [True] * (len(waits) - 1) + [False]
        assert {e["waits_for"] for e in waits} <= {None, "third", *ids} - {name}
    # With nobody to wait for nothing is told, and whoever stood in the file does no more.
    held_by: list[str] = []

    async def look(command: str, timeout: float | None = None) -> CommandResult:
        held_by.append(lock.read_text())
        return CommandResult("ok", 0)

    lock.write_text("x" * 200)
    model = Scripted.of(("execute", {"command": "x"}), "Free.")
    assert turn(agent(here, model, look), "Free?").of("turn_waiting") == []
    assert held_by == [SESSION]


def test_a_conversation_that_is_too_long_is_made_shorter_and_kept(
    here: Place, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = context(here, agent_model="openai:test")
    too_long = {"status": 400, "message": "This model's maximum context length is 1000 tokens"}
    model_server.script = [says(f"Answer {n}. " + "x" * 20_000) for n in range(6)]
    for n in range(6):
        turn(agent(given, base_url=model_server.url), f"Question {n}.")
    model_server.script = [too_long, says("SUMMARY of it all."), says("Answer 6.")]
    events = turn(agent(given, base_url=model_server.url), "Question 6.")
    assert [e["content"] for e in events.of("assistant_message", is_complete=True)] == ["Answer 6."]
    assert "SUMMARY" not in events.said
    assert "SUMMARY" in model_server.told() and "Question 0." not in model_server.told()
    model_server.script = [says("Answer 7.")]
    turn(agent(given, base_url=model_server.url), "Question 7.")
    assert "SUMMARY" in model_server.told() and "Question 0." not in model_server.told()
    # When the summary fails, or does not help.
    model_server.script = [too_long, {"status": 401}]
    with fails("model_failed") as caught:
        turn(agent(given, base_url=model_server.url, model_retries=0), "Question 8.")
    model_server.script = [too_long] * 4
    with fails("model_failed"):
        turn(agent(given, base_url=model_server.url, model_retries=0), "Question 9.")
    kept = b"".join(file.read_bytes() for file in here.paths.agent.iterdir())
    said = everything(caught.value.message, [r.getMessage() for r in caplog.records])
    assert "SECRET" not in said and b"SECRET" not in kept
