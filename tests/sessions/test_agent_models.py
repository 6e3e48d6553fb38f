"""Models that fail, can not be had or are not allowed; what is said of them has no secrets."""

from __future__ import annotations

import logging
from typing import Any

import pytest

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from cognition_jupyter.exceptions import CognitionError

from ..memory.memory_support import Place, fails
from .agent_support import Events, agent, context, everything, run, turn
from .model_server import KEY, ModelServer, says


@pytest.mark.parametrize("status", [401, 400, 404])
def test_a_failing_model_is_an_error_without_secrets(
    here: Place, model_server: ModelServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    model_server.script = [{"status": status}, says("Better now.")]
    given = context(here, agent_model="openai:test")
    responder, events = agent(given, base_url=model_server.url), Events()

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
    assert model_server.keys[0] == KEY
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
    here: Place, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    model_server.script = [says("Hello.")]
    turn(agent(context(here, agent_model="qwen-3"), base_url=model_server.url), "Hello")
    assert model_server.keys == ["none"] and model_server.asked[0]["model"] == "qwen-3"


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


def test_the_default_model_is_always_allowed(here: Place, model_server: ModelServer) -> None:
    model_server.script = [says("Hello.")]
    traits = {"default_model": "openai:main", "allowed_models": [], "base_url": model_server.url}
    turn(agent(here, **traits), "Hello")
    assert model_server.asked[0]["model"] == "main"


def test_a_project_can_not_choose_the_server(
    here: Place, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that a project says reaches another server: not by its model's name or its files."""
    with ModelServer().running() as other:
        (here.paths.repo / ".env").write_text(f"OPENAI_BASE_URL={other.url}\n")
        (here.paths.repo / "AGENTS.md").write_text(f"base_url: {other.url}\n")
        monkeypatch.chdir(here.paths.repo)
        for name in (f"openai:{other.url}", f"openai:x@{other.url}", "openai:test"):
            model_server.script = [says("Here.")]
            turn(agent(context(here, agent_model=name), base_url=model_server.url), "Hello")
        assert len(model_server.asked) == 3 and not other.asked
