"""Turns of an agent, with a model that says what the test has written."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from cognition_jupyter.exceptions import Conflict
from cognition_jupyter.sessions.responders.base import CommandResult

from ..memory.memory_support import Place, fails
from .agent_support import Events, Scripted, agent, context, run, turn
from .container import Container, container
from .model_server import KEY, ModelServer, calls, says

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def started() -> Iterator[Container]:
    with container() as made:
        yield made


WORK = (
    ("read_file", {"file_path": "/workspace/shop.py"}),
    (
        "write_file",
        {
            "file_path": "/workspace/test_shop.py",
            "content": "from shop import price\n\n\ndef test_price():\n    assert price(2) == 6\n",
        },
    ),
    ("execute", {"command": "python3 -m pytest -q -p no:cacheprovider"}),
    (
        "write_file",
        {"file_path": "/memories/hot/AGENTS.md", "content": "Prices are in tripled shells.\n"},
    ),
)


def check_work(events: Events, where: Container) -> None:
    tools = [e["tool"] for e in events.of("tool_start")]
    assert tools == [name for name, _ in WORK]
    assert [e["exit_code"] for e in events.of("tool_end")] == [0, 0, 0, 0]
    assert "return 3 * n" in events.of("tool_output", tool="read_file")[0]["chunk"]
    (tests,) = events.of("tests_finished")
    assert tests["exit_code"] == 0 and tests["summary"].startswith("1 passed")
    assert events.of("assistant_message", is_complete=True)[-1]["content"] == "All done."
    assert events.said.endswith("All done.")
    assert where.sh("cat /memories/hot/AGENTS.md") == "Prices are in tripled shells."


def prepare(where: Container) -> None:
    where.sh("rm -rf /workspace/*.py /workspace/__pycache__ /memories/hot/*")
    where.sh("printf 'def price(n):\\n    return 3 * n\\n' > /workspace/shop.py")
    for file in where.place.paths.agent.glob("*"):
        file.unlink()


def test_a_turn_that_reads_writes_tests_and_remembers(started: Container) -> None:
    prepare(started)
    given = context(started.place, started.run, started.memory)
    events = turn(agent(given, Scripted.of(*WORK, "All done.")), "Write a test.")
    check_work(events, started)
    # A later session finds the fact, without asking for it, and the conversation.
    later = Scripted.of("I remember.")
    turn(agent(given, later), "What are prices in?")
    assert "tripled shells" in later.told[0][0].text
    assert "Write a test." in later.prompt() and "All done." in later.prompt()


def test_the_same_over_http(started: Container, model_server: ModelServer) -> None:
    prepare(started)
    given = context(started.place, started.run, started.memory, "openai:test")
    model_server.script = [
        *(calls(**{name: arguments}) for name, arguments in WORK[:2]),
        {**says("Now the tests:"), **calls(execute=WORK[2][1])},
        calls(write_file=WORK[3][1]),
        says("All done."),
    ]
    events = turn(agent(given, base_url=model_server.url), "Write a test.")
    check_work(events, started)
    first = events.of("assistant_message", is_complete=True)[0]
    assert first["content"] == "Now the tests:"
    assert events.index(first) < events.index(events.of("tool_start", tool="execute")[0])
    assert set(model_server.keys) == {KEY}
    assert all(request["model"] == "test" for request in model_server.asked)
    model_server.script = [says("In shells.")]
    events = turn(agent(given, base_url=model_server.url), "What are prices in?")
    assert "tripled shells" in model_server.asked[-1]["messages"][0]["content"]
    assert "Write a test." in model_server.told()
    assert events.names == ["assistant_message"]


def test_tokens_come_one_after_the_other(here: Place, model_server: ModelServer) -> None:
    model_server.script = [{**says("one two three four five six"), "pause": 0.06}]
    given = context(here, agent_model="openai:test")
    events = turn(agent(given, base_url=model_server.url), "Count.")
    parts = [e["content"] for e in events.of("assistant_message", is_complete=False)]
    assert len(parts) > 3 and "".join(parts) == "one two three four five six"
    assert events[-1] == {
        "event": "assistant_message",
        "content": "one two three four five six",
        "is_complete": True,
    }


def test_a_subagent_works_with_the_same_tools_and_its_tools_are_told(here: Place) -> None:
    model = Scripted.of(
        ("task", {"description": "Write it.", "subagent_type": "general-purpose"}),
        ("write_file", {"file_path": "/workspace/x.txt", "content": "x"}),
        "Written.",
        "Finished.",
    )
    events = turn(agent(here, model), "Go.")
    told = [(e["event"], e["tool"]) for e in events if "tool" in e]
    assert told[0] == ("tool_start", "task") and told[-1] == ("tool_end", "task")
    assert ("tool_start", "write_file") in told
    assert (here.paths.repo / "x.txt").read_text() == "x"
    complete = [e["content"] for e in events.of("assistant_message", is_complete=True)]
    assert complete == ["Finished."]


def test_tools_asked_for_at_once_run_one_after_the_other(
    here: Place, model_server: ModelServer
) -> None:
    async def slow(command: str, timeout: float | None = None) -> CommandResult:
        await asyncio.sleep(0.1)
        return CommandResult(f"said {command}", len(command))

    both = (
        calls(execute={"command": "one"})["tool_calls"]
        + calls(execute={"command": "three"})["tool_calls"]
    )
    both[1]["id"] = "call_other"
    model_server.script = [{"tool_calls": both}, says("Done.")]
    given = context(here, slow, agent_model="openai:test")
    events = turn(agent(given, base_url=model_server.url), "Go")
    assert events.names[:-1] == ["tool_start", "tool_output", "tool_end"] * 2
    assert [e["exit_code"] for e in events.of("tool_end")] == [3, 5]
    assert "said three" in model_server.told()


def test_a_tool_that_fails_is_told_and_the_turn_goes_on(here: Place) -> None:
    model = Scripted.of(("read_file", {"file_path": "/workspace/none.txt"}), "It is not there.")
    events = turn(agent(here, model), "Read it.")
    assert events.of("tool_end")[0]["exit_code"] == 1
    assert "no /workspace/none.txt" in events.of("tool_output")[0]["chunk"]
    assert events.of("assistant_message", is_complete=True)


def test_a_session_without_container_ends_the_turn(here: Place) -> None:
    async def gone(command: str, timeout: float | None = None) -> CommandResult:
        raise Conflict("The session has no container any more.", "no_container")

    responder, events = agent(here, Scripted.of(("execute", {"command": "ls"})), gone), Events()
    with fails("no_container"):
        run(responder.respond("Go", events))
    run(responder.close())
    assert events.of("tool_end")[0]["exit_code"] is None


def test_long_inputs_and_outputs_of_tools_are_cut_for_clients(here: Place) -> None:
    async def loud(command: str, timeout: float | None = None) -> CommandResult:
        return CommandResult("y" * 500_000, 0, True)

    model = Scripted.of(
        ("write_file", {"file_path": "/workspace/long.txt", "content": "x" * 300_000}),
        ("execute", {"command": "yes"}),
        "Done.",
    )
    events = turn(agent(here, model, loud), "Go")
    assert all(len(json.dumps(event)) < 60_000 for event in events)
    assert len((here.paths.repo / "long.txt").read_text()) == 300_000
    assert len(model.prompt()) < 200_000  # what is too long is put aside, and can be read
    assert [*(here.tmp / ".agent").rglob("*")]


def test_limits_of_a_turn(here: Place) -> None:
    again = Scripted.of(*[("ls", {"path": "/workspace"})] * 30)
    with fails("turn_limit"):
        turn(agent(here, again, max_steps=15), "For ever.")

    async def slow(command: str, timeout: float | None = None) -> CommandResult:
        await asyncio.sleep(60)
        return CommandResult("", 0)

    began = time.monotonic()
    with fails("turn_limit"):
        turn(agent(here, Scripted.of(("execute", {"command": "x"})), slow, turn_timeout=1.0), "Go")
    assert time.monotonic() - began < 50


# -- cancelling ----------------------------------------------------------------------------


async def cancelled(responder: Any, content: str, events: Events, until: Any) -> float:
    """Cancel a turn as soon as `until()`; how long that took."""
    task = asyncio.ensure_future(responder.respond(content, events))
    while not until():
        assert not task.done(), task
        await asyncio.sleep(0.01)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - began


def test_cancel_while_a_command_runs(started: Container) -> None:
    prepare(started)
    given = context(started.place, started.run, started.memory)
    model = Scripted.of(("execute", {"command": "echo $$ >/tmp/pid; sleep 1000"}), "And on.")
    responder, events = agent(given, model), Events()

    async def go() -> None:
        pid = started.place.tmp / "pid"
        took = await cancelled(responder, "Sleep.", events, lambda: pid.exists())
        assert took < 50
        await responder.respond("Go on.", events)
        await responder.close()

    run(go())
    assert "sleep 1000" not in started.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert events.of("assistant_message", is_complete=True)[0]["content"] == "And on."
    assert "cancelled" in model.prompt()  # the call without an answer has been given one


def test_cancel_while_the_model_speaks(here: Place, model_server: ModelServer) -> None:
    model_server.script = [{**says("I begin to"), "hang": 60}, says("Yes?")]
    responder = agent(context(here, agent_model="openai:test"), base_url=model_server.url)
    events = Events()

    async def go() -> None:
        took = await cancelled(responder, "Speak.", events, lambda: events.said)
        assert took < 50
        while not model_server.streams_closed:  # noqa: ASYNC110 - set in another thread
            await asyncio.sleep(0.01)
        await responder.respond("Again.", events)
        await responder.close()

    run(asyncio.wait_for(go(), 120))
    complete = [e["content"] for e in events.of("assistant_message", is_complete=True)]
    assert complete == ["Yes?"]


# -- the first turn of a server ------------------------------------------------------------


FIRST_TURN = """
import asyncio, sys
from cognition_jupyter.models import ProjectConfig
from cognition_jupyter.sessions.responders.agent import AgentResponder
from cognition_jupyter.sessions.responders.agent_settings import AgentSettings
from cognition_jupyter.sessions.responders.base import ResponderContext
from tests.memory.memory_support import SESSION, place
from tests.support.clock import unhindered

class Turn:
    async def emit(self, event, **fields):
        pass

async def watch(late):
    while True:
        began = unhindered()
        await asyncio.sleep(0.005)
        late.append(unhindered() - began)

async def first_turn(here):
    memory = here.memory().for_session(SESSION)
    config = ProjectConfig(agent_model="openai:test")
    given = ResponderContext("a-0", SESSION, config, here.paths.agent, memory, None, None)
    responder = AgentResponder(given, settings=AgentSettings(base_url=sys.argv[1]))
    assert "langchain_core" not in sys.modules
    late = []
    watcher = asyncio.ensure_future(watch(late))
    await responder.respond("Hello", Turn())
    await responder.close()
    print(len(late), max(late))

with place() as here:
    asyncio.run(first_turn(here))
"""


def test_the_loop_is_never_blocked(model_server: ModelServer) -> None:
    """Also at the first turn of a server, which imports all that agents are made of."""
    model_server.script = [says("Hello.")]
    command = [sys.executable, "-c", FIRST_TURN, model_server.url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    number, longest = done.stdout.split()
    assert int(number) > 20 and float(longest) < 0.5


def test_the_extra_is_not_imported_before_it_is_needed() -> None:
    code = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("deepagents", "langchain", "langgraph", "langchain_core"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Gone())
import asyncio
from cognition_jupyter.sessions.responders.agent import AgentResponder
from tests.memory.memory_support import place
from cognition_jupyter.models import ProjectConfig
from cognition_jupyter.sessions.responders.base import ResponderContext
with place() as p:
    given = ResponderContext("a-11111111", "s", ProjectConfig(agent_model="openai:x"),
                             p.paths.agent, p.memory(), None, None)
    try:
        asyncio.run(AgentResponder(given).respond("Hello", None))
    except Exception as error:
        print(error.code, error.status, error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("agent_unavailable 503"), done.stderr
    assert "cognition-jupyter[agent]" in done.stdout
