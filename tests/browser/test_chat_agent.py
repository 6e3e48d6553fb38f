"""A chat with an agent: a real agent and container, and a model on loopback that says its lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from ..sessions.client import Socket
from ..sessions.model_server import ModelServer, calls, says
from ..support.server import Server
from .test_chat import open_chat, say, status, tools


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer().running() as made:
        yield made


@pytest.fixture(scope="module")
def lab_config(model: ModelServer) -> dict[str, dict[str, Any]]:
    settings = {"base_url": model.url, "allowed_models": ["openai:t*"], "model_retries": 0}
    return {"AgentSettings": settings}


def test_an_agent_answers(
    open_lab: Callable[[], Page],
    lab: Server,
    model: ModelServer,
    axe: Callable[..., None],
    screenshots: Path,
) -> None:
    project_id = lab.create("agent", agent_model="openai:test")
    test = "def test_price():\n    assert 3 * 2 == 6\n"
    model.script = [
        calls(execute={"command": "git init -q . && git -c user.name=t -c user.email=t@x commit"
                                  " -q --allow-empty -m one"}),
        says("A repository."),
    ]  # fmt: skip
    page = open_lab()
    open_chat(page, project_id)
    say(page, "Make a repository.")
    expect(page.get_by_text("A repository.", exact=True)).to_be_visible(timeout=60_000)
    expect(status(page)).to_have_text("Ready.")

    model.script = [
        calls(write_file={"file_path": "/workspace/test_shop.py", "content": test}),
        calls(execute={"command": "python3 -m pytest -q -p no:cacheprovider"}),
        says("All **done**."),
    ]
    say(page, "Write a test.")
    expect(page.get_by_role("article").get_by_text("Write a test.")).to_be_visible()
    expect(page.locator("strong", has_text="done")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Tests passed: 1 passed")).to_be_visible()
    expect(page.get_by_text(re.compile(r"files? changed: .*test_shop\.py"))).to_be_visible()
    expect(tools(page)).to_have_count(3)
    ran = tools(page).last
    expect(ran.locator("pre")).to_have_count(0)
    ran.locator("summary").press("Enter")
    expect(ran.get_by_text("1 passed in")).to_be_visible()
    page.screenshot(path=screenshots / "chat-agent.png")
    axe(".jp-MainAreaWidget:has(.jp-CognitionChat)")

    # What is said so far is there before the rest is.
    model.script = [{"content": "I am *thinking*", "pause": 0.2, "hang": 1000}]
    page.get_by_role("textbox", name="Message").focus()
    say(page, "Think.")
    expect(page.locator("em", has_text="thinking")).to_be_visible()
    expect(status(page)).to_have_text("Running…")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text("The turn was cancelled.")).to_be_visible()
    expect(status(page)).to_have_text("Ready.")
    page.get_by_role("button", name="Shut Down Session").click()
    page.get_by_role("dialog").get_by_role("button", name="Shut Down Session").click()
    expect(page.get_by_text("This session has ended.")).to_be_visible()


def test_a_turn_that_waits_for_another_session_says_so(
    open_lab: Callable[[], Page], lab: Server, model: ModelServer, screenshots: Path
) -> None:
    project_id = lab.create("waits", agent_model="openai:test")
    with Socket(lab) as other:
        session_id = other.create(project_id=project_id)["session_id"]
        model.script = [calls(execute={"command": "sleep 1000"}), says("At last.")]
        other.send("user_msg", session_id=session_id, content="Sleep.")
        other.until("tool_start")
        page = open_lab()
        open_chat(page, project_id)
        say(page, "Can you hear me?")
        waiting = f"Waiting for another session of this project ({session_id[:8]})…"
        expect(status(page)).to_have_text(waiting, timeout=60_000)
        page.screenshot(path=screenshots / "chat-waits.png")
        page.get_by_role("button", name="Cancel", exact=True).click()
        expect(page.get_by_text("The turn was cancelled.")).to_be_visible()
        expect(status(page)).to_have_text("Ready.")
        page.get_by_role("textbox", name="Message").focus()
        say(page, "And now?")
        expect(status(page)).to_have_text(waiting)
        other.send("cancel", session_id=session_id)
        expect(page.get_by_text("At last.", exact=True)).to_be_visible(timeout=60_000)
        expect(status(page)).to_have_text("Ready.")
        other.send("close_session", session_id=session_id)
        other.until("session_ended")
