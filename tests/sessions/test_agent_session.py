"""An agent's session as a client of `/ws` has it: a real server, container and model client."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from ..kernels.helpers import LEAN
from ..support.server import Server
from .client import Socket
from .model_server import KEY, ModelServer, calls, says


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer().running() as made:
        yield made


@pytest.fixture(scope="module")
def agents(make_server: Callable[..., Server], model: ModelServer) -> Server:
    config = LEAN | {
        "AgentSettings": {
            "base_url": model.url,
            "allowed_models": ["openai:t*"],
            "model_retries": 0,
        }
    }
    return make_server(config=config, environment={"OPENAI_API_KEY": KEY})


def of(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def test_work_in_one_session_and_memory_in_the_next(agents: Server, model: ModelServer) -> None:
    project_id = agents.create("agent", agent_model="openai:test")
    repo = agents.root / project_id / "repo"
    (repo / "shop.py").write_text("def price(n):\n    return 3 * n\n")
    test = "from shop import price\n\n\ndef test_price():\n    assert price(2) == 6\n"
    look = 'python3 -c "import os, socket; print(sorted(os.environ), socket.if_nameindex())"'
    with Socket(agents) as socket:
        started = socket.create(project_id=project_id)
        assert started["network_mode"] == "OFF"
        session_id = started["session_id"]
        model.script = [
            calls(read_file={"file_path": "/workspace/shop.py"}),
            calls(write_file={"file_path": "/workspace/test_shop.py", "content": test}),
            calls(execute={"command": "git init -q . && git add shop.py"}),
            calls(execute={"command": "python3 -m pytest -q -p no:cacheprovider"}),
            calls(
                write_file={"file_path": "/memories/hot/AGENTS.md", "content": "Prices: shells."}
            ),
            calls(execute={"command": look}),
            says("All done, and remembered."),
        ]
        events = socket.run(session_id, "Write a test.", "user_msg")
        assert (events[0]["event"], events[0]["content"]) == ("user_message", "Write a test.")
        assert not of(events, "error"), of(events, "error")
        assert [e["exit_code"] for e in of(events, "tool_end")] == [0] * 6
        assert of(events, "tests_finished")[0]["summary"].startswith("1 passed")
        assert of(events, "assistant_message")[-1]["content"] == "All done, and remembered."
        environment = of(events, "tool_output")[-1]["chunk"]
        assert "lo" in environment and "eth" not in environment and "KEY" not in environment
        # A model that fails is an error, and the session lives on.
        model.script = [{"status": 401}, says("Better.")]
        events = socket.run(session_id, "Again.", "user_msg")
        assert [(e["event"], e.get("code")) for e in events] == [
            ("user_message", None),
            ("error", "model_failed"),
            ("done", None),
        ]
        assert "SECRET" not in str(events)
        assert of(socket.run(session_id, "And?", "user_msg"), "assistant_message")
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")
    shutil.rmtree(agents.root / project_id / ".agent")  # only memory is left
    with Socket(agents) as socket:
        session_id = socket.create(project_id=project_id)["session_id"]
        model.script = [
            calls(read_file={"file_path": "/memories/hot/AGENTS.md"}),
            says("They are in shells."),
        ]
        events = socket.run(session_id, "What are prices in?", "user_msg")
        assert "shells" in model.asked[-2]["messages"][0]["content"]
        assert "Prices: shells." in of(events, "tool_output")[0]["chunk"]
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")
    assert "SECRET" not in agents.log.read_text()
    assert b"SECRET" not in b"".join(
        file.read_bytes() for file in Path(agents.root, project_id).rglob("*") if file.is_file()
    )


def test_changes_are_told_and_a_turn_can_be_cancelled(agents: Server, model: ModelServer) -> None:
    project_id = agents.create("cancel", agent_model="openai:test")
    with Socket(agents) as socket:
        session_id = socket.create(project_id=project_id)["session_id"]
        commit = "git -c user.name=t -c user.email=t@x commit -q --allow-empty -m one"
        model.script = [calls(execute={"command": f"git init -q . && {commit}"}), says("Made.")]
        socket.run(session_id, "Make a repository.", "user_msg")
        model.script = [
            calls(write_file={"file_path": "/workspace/new.py", "content": "x = 1\n"}),
            says("Written."),
        ]
        events = socket.run(session_id, "Write.", "user_msg")
        assert of(events, "diff_applied")[0]["files_changed"] == ["new.py"]
        model.script = [calls(execute={"command": "sleep 1000"}), says("Here.")]
        socket.send("user_msg", session_id=session_id, content="Sleep.")
        socket.until("tool_start")
        socket.send("cancel", session_id=session_id)
        assert socket.until("error")["code"] == "cancelled"
        socket.until("done")
        assert of(socket.run(session_id, "There?", "user_msg"), "assistant_message")
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")


def test_sessions_see_that_their_turns_wait_for_each_other(
    agents: Server, model: ModelServer
) -> None:
    project_id = agents.create("waits", agent_model="openai:test")
    with Socket(agents) as one, Socket(agents) as other, Socket(agents) as later:
        first = one.create(project_id=project_id)["session_id"]
        second = other.create(project_id=project_id)["session_id"]
        model.script = [calls(execute={"command": "sleep 1000"}), says("Only the second's.")]
        one.send("user_msg", session_id=first, content="Sleep.")
        one.until("tool_start")
        other.send("user_msg", session_id=second, content="Wait.")
        assert other.until("user_message")["content"] == "Wait."
        waiting = other.until("turn_waiting")
        assert (waiting["is_waiting"], waiting["waits_for"]) == (True, first)
        # Who comes then has it from the journal.
        later.create(project_id=project_id, session_id=second, since=0)
        assert later.until("turn_waiting")["seq"] == waiting["seq"]
        # Cancelled, it waits no more, and the turn that it waited for goes on.
        other.send("user_msg", session_id=second, content="Never.")
        other.send("cancel", session_id=second)
        assert other.until("error")["code"] == "cancelled"
        other.until("done")
        other.send("user_msg", session_id=second, content="Wait again.")
        assert other.until("user_message")["content"] == "Wait again."
        assert other.until("turn_waiting")["waits_for"] == first
        assert "Wait" not in model.told()
        one.send("cancel", session_id=first)
        one.until("done")
        assert not of(one.seen, "turn_waiting")
        ended = other.until("turn_waiting")
        assert (ended["is_waiting"], ended["waits_for"]) == (False, None)
        assert other.until("assistant_message", is_complete=True)["content"] == "Only the second's."
        other.until("done")
        assert "Never." not in str(model.asked)
        # A session that ends while its turn waits ends at once.
        model.script = [calls(execute={"command": "sleep 1000"})]
        one.send("user_msg", session_id=first, content="Sleep.")
        one.until("tool_start")
        other.send("user_msg", session_id=second, content="Wait.")
        other.until("turn_waiting", waits_for=first)
        for socket, session_id in ((other, second), (one, first)):
            socket.send("close_session", session_id=session_id)
            socket.until("session_ended")


def test_a_model_that_is_not_allowed(agents: Server) -> None:
    project_id = agents.create("denied", agent_model="anthropic:claude-opus")
    with Socket(agents) as socket:
        session_id = socket.create(project_id=project_id)["session_id"]
        events = socket.run(session_id, "Hello", "user_msg")
        assert [(e["event"], e.get("code")) for e in events] == [
            ("user_message", None),
            ("error", "agent_model_not_allowed"),
            ("done", None),
        ]
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")
