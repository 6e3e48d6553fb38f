"""Turns of an agent, with a model that says what the test has written."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from cognition_jupyter.exceptions import CognitionError, Conflict
from cognition_jupyter.sessions.responders.base import CommandResult

from ..memory.memory_support import Place, fails, place
from .agent_support import Events, Scripted, agent, context, run, turn
from .container import Container, container
from .model_server import KEY, ModelServer, calls, says

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture(scope="module")
def started() -> Iterator[Container]:
    with container() as made:
        yield made


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ModelServer().running() as made:
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


def test_the_same_over_http(started: Container, server: ModelServer) -> None:
    prepare(started)
    given = context(started.place, started.run, started.memory, "openai:test")
    server.script = [
        *(calls(**{name: arguments}) for name, arguments in WORK[:2]),
        {**says("Now the tests:"), **calls(execute=WORK[2][1])},
        calls(write_file=WORK[3][1]),
        says("All done."),
    ]
    events = turn(agent(given, base_url=server.url), "Write a test.")
    check_work(events, started)
    first = events.of("assistant_message", is_complete=True)[0]
    assert first["content"] == "Now the tests:"
    assert events.index(first) < events.index(events.of("tool_start", tool="execute")[0])
    assert set(server.keys) == {KEY}
    assert all(request["model"] == "test" for request in server.asked)
    server.script = [says("In shells.")]
    events = turn(agent(given, base_url=server.url), "What are prices in?")
    assert "tripled shells" in server.asked[-1]["messages"][0]["content"]
    assert "Write a test." in server.told()
    assert events.names == ["assistant_message"]


def test_tokens_come_one_after_the_other(here: Place, server: ModelServer) -> None:
    server.script = [{**says("one two three four five six"), "pause": 0.06}]
    given = context(here, agent_model="openai:test")
    events = turn(agent(given, base_url=server.url), "Count.")
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


def test_tools_asked_for_at_once_run_one_after_the_other(here: Place, server: ModelServer) -> None:
    async def slow(command: str, timeout: float | None = None) -> CommandResult:
        await asyncio.sleep(0.1)
        return CommandResult(f"said {command}", len(command))

    both = (
        calls(execute={"command": "one"})["tool_calls"]
        + calls(execute={"command": "three"})["tool_calls"]
    )
    both[1]["id"] = "call_other"
    server.script = [{"tool_calls": both}, says("Done.")]
    given = context(here, slow, agent_model="openai:test")
    events = turn(agent(given, base_url=server.url), "Go")
    assert events.names[:-1] == ["tool_start", "tool_output", "tool_end"] * 2
    assert [e["exit_code"] for e in events.of("tool_end")] == [3, 5]
    assert "said three" in server.told()


def test_a_tool_that_fails_is_told_and_the_turn_goes_on(here: Place) -> None:
    model = Scripted.of(("read_file", {"file_path": "/workspace/none.txt"}), "It is not there.")
    events = turn(agent(here, model), "Read it.")
    assert events.of("tool_end")[0]["exit_code"] == 1
    assert "no /workspace/none.txt" in events.of("tool_output")[0]["chunk"]
    assert events.of("assistant_message", is_complete=True)


def test_a_session_without_container_ends_the_turn(here: Place) -> None:
    async def gone(command: str, timeout: float | None = None) -> CommandResult:
        raise Conflict("The session has no container any more.", "no_container")

    events = Events()
    with fails("no_container"):
        run(agent(here, Scripted.of(("execute", {"command": "ls"})), gone).respond("Go", events))
    assert events.of("tool_end")[0]["exit_code"] is None


# -- models that fail ----------------------------------------------------------------------


def everything(*found: Any) -> str:
    return json.dumps(found, default=repr)


@pytest.mark.parametrize("status", [401, 400, 404])
def test_a_failing_model_is_an_error_without_secrets(
    here: Place, server: ModelServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script = [{"status": status}, says("Better now.")]
    given = context(here, agent_model="openai:test")
    responder, events = agent(given, base_url=server.url), Events()

    async def two() -> CognitionError:
        with fails("model_failed", 502) as caught:
            await responder.respond("Hello", events)
        await responder.respond("Again", events)  # the session lives on
        await responder.close()
        error: CognitionError = caught.value
        return error

    error = run(two())
    assert error.message == f"The model openai:test failed: HTTP {status}."
    assert error.__cause__ is None and error.__suppress_context__
    assert events.of("assistant_message", is_complete=True)[0]["content"] == "Better now."
    assert server.keys[0] == KEY
    kept = b"".join(file.read_bytes() for file in here.paths.agent.iterdir())
    said = everything(events, error.message, [r.getMessage() for r in caplog.records])
    assert "SECRET" not in said and b"SECRET" not in kept


def test_a_server_that_is_not_there(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    given = context(here, agent_model="local-model")
    responder = agent(given, base_url="http://127.0.0.1:9/v1", model_retries=0)
    with fails("model_failed"):
        turn(responder, "Hello")


def test_a_server_without_keys_of_ones_own(
    here: Place, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    server.script = [says("Hello.")]
    turn(agent(context(here, agent_model="qwen-3"), base_url=server.url), "Hello")
    assert server.keys == ["none"] and server.asked[0]["model"] == "qwen-3"


@pytest.mark.parametrize(
    ("asked", "code", "traits"),
    [
        (None, "model_unavailable", {}),
        ("openai:gpt-4o", "model_unavailable", {}),  # no key
        ("mistralai:large", "model_unavailable", {}),  # not installed
        ("no such model", "invalid_agent_model", {}),
        ("nobody-knows-this", "model_unavailable", {}),
        ("openai:gpt-4o", "agent_model_not_allowed", {"allowed_models": ["openai:gpt-3*"]}),
    ],
)
def test_models_that_can_not_be_had(
    here: Place, monkeypatch: pytest.MonkeyPatch, asked: str, code: str, traits: Any
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with fails(code):
        turn(agent(context(here, agent_model=asked), **traits), "Hello")


def test_the_default_model_is_always_allowed(here: Place, server: ModelServer) -> None:
    server.script = [says("Hello.")]
    traits = {"default_model": "openai:main", "allowed_models": [], "base_url": server.url}
    turn(agent(here, **traits), "Hello")
    assert server.asked[0]["model"] == "main"


def test_a_project_can_not_choose_the_server(
    here: Place, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that a project says reaches another server: not by its model's name or its files."""
    with ModelServer().running() as other:
        (here.paths.repo / ".env").write_text(f"OPENAI_BASE_URL={other.url}\n")
        (here.paths.repo / "AGENTS.md").write_text(f"base_url: {other.url}\n")
        monkeypatch.chdir(here.paths.repo)
        for name in (f"openai:{other.url}", f"openai:x@{other.url}", "openai:test"):
            server.script = [says("Here.")]
            turn(agent(context(here, agent_model=name), base_url=server.url), "Hello")
        assert len(server.asked) == 3 and not other.asked


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
    assert time.monotonic() - began < 10


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
        assert took < 5
        await responder.respond("Go on.", events)
        await responder.close()

    run(go())
    assert "sleep 1000" not in started.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert events.of("assistant_message", is_complete=True)[0]["content"] == "And on."
    assert "cancelled" in model.prompt()  # the call without an answer has been given one


def test_cancel_while_the_model_speaks(here: Place, server: ModelServer) -> None:
    server.script = [{**says("I begin to"), "hang": 60}, says("Yes?")]
    responder = agent(context(here, agent_model="openai:test"), base_url=server.url)
    events = Events()

    async def go() -> None:
        took = await cancelled(responder, "Speak.", events, lambda: events.said)
        assert took < 5
        while not server.streams_closed:  # noqa: ASYNC110 - set in another thread
            await asyncio.sleep(0.01)
        await responder.respond("Again.", events)
        await responder.close()

    run(asyncio.wait_for(go(), 30))
    complete = [e["content"] for e in events.of("assistant_message", is_complete=True)]
    assert complete == ["Yes?"]


# -- the conversation ----------------------------------------------------------------------


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
    async def slow(command: str, timeout: float | None = None) -> CommandResult:
        await asyncio.sleep(1.5)
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
        await working
        for responder in (first, *others):
            await responder.close()

    run(go())
    assert turn(agent(here, Scripted.of("Free.")), "Free?").of("assistant_message")


FIRST_TURN = """
import asyncio, sys, time
from cognition_jupyter.models import ProjectConfig
from cognition_jupyter.sessions.responders.agent import AgentResponder
from cognition_jupyter.sessions.responders.agent_settings import AgentSettings
from cognition_jupyter.sessions.responders.base import ResponderContext
from tests.memory.memory_support import SESSION, place

class Turn:
    async def emit(self, event, **fields):
        pass

async def watch(late):
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.005)
        late.append(time.monotonic() - began)

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


def test_the_loop_is_never_blocked(server: ModelServer) -> None:
    """Also at the first turn of a server, which imports all that agents are made of."""
    server.script = [says("Hello.")]
    command = [sys.executable, "-c", FIRST_TURN, server.url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    number, longest = done.stdout.split()
    assert int(number) > 20 and float(longest) < 0.25


def test_a_conversation_that_is_too_long_is_made_shorter_and_kept(
    here: Place, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = context(here, agent_model="openai:test")
    too_long = {"status": 400, "message": "This model's maximum context length is 1000 tokens"}
    server.script = [says(f"Answer {n}. " + "x" * 20_000) for n in range(6)]
    for n in range(6):
        turn(agent(given, base_url=server.url), f"Question {n}.")
    server.script = [too_long, says("SUMMARY of it all."), says("Answer 6.")]
    events = turn(agent(given, base_url=server.url), "Question 6.")
    assert [e["content"] for e in events.of("assistant_message", is_complete=True)] == ["Answer 6."]
    assert "SUMMARY" not in events.said
    assert "SUMMARY" in server.told() and "Question 0." not in server.told()
    server.script = [says("Answer 7.")]
    turn(agent(given, base_url=server.url), "Question 7.")
    assert "SUMMARY" in server.told() and "Question 0." not in server.told()
    # When the summary fails, or does not help.
    server.script = [too_long, {"status": 401}]
    with fails("model_failed") as caught:
        turn(agent(given, base_url=server.url, model_retries=0), "Question 8.")
    server.script = [too_long] * 4
    with fails("model_failed"):
        turn(agent(given, base_url=server.url, model_retries=0), "Question 9.")
    kept = b"".join(file.read_bytes() for file in here.paths.agent.iterdir())
    said = everything(caught.value.message, [r.getMessage() for r in caplog.records])
    assert "SECRET" not in said and b"SECRET" not in kept


# -- hostile content -----------------------------------------------------------------------


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
    assert time.monotonic() - began < 10
    assert "BEGIN {agent_memory} {0}" in prompt and "Cut after 1000 bytes" in prompt
    assert "SECRET outside" not in prompt and len(prompt) < 20_000
    assert "/memories/hot/AGENTS.md can't be read" in prompt and "and 151 more" in prompt
    prompt.encode()


def test_a_directory_in_place_of_a_memory_file(here: Place) -> None:
    (here.paths.repo / "AGENTS.md").mkdir()
    assert turn(agent(here, Scripted.of("Hello.")), "Hello").of("assistant_message")


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
