"""What tests of sessions share. Coroutines among the tests, LangChain's, run on their own loops."""

from __future__ import annotations

import asyncio
import inspect
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


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """No plugin for it: in its strict mode pytest-asyncio wants marks in LangChain's own source."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
