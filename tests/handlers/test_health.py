"""`/health` says what the server has."""

from __future__ import annotations

from collections.abc import Callable

from ..kernels.helpers import LEAN
from ..support.server import Server
from .api import Api


def test_an_agent_s_model_is_named(make_server: Callable[..., Server], api: Api) -> None:
    assert api.call("GET", "/health")["agent"] == {"configured": False, "model": None}
    settings = {"default_model": "openai:gpt-x"}
    configured = Api(make_server(config=LEAN | {"AgentSettings": settings}))
    assert configured.call("GET", "/health")["agent"] == {
        "configured": True,
        "model": "openai:gpt-x",
    }
