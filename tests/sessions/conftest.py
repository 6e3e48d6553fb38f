"""What tests of sessions share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..memory.memory_support import Place, place
from .model_server import KEY, ModelServer


@pytest.fixture
def here() -> Iterator[Place]:
    """A project's directories, without a server."""
    with place() as made:
        yield made


@pytest.fixture
def model_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A server of models whose key is in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ModelServer().running() as made:
        yield made
