"""Tests of the client are coroutines; each has a loop of its own, and an end."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

import docker
import pytest

from ..kernels.helpers import LEAN
from ..support.server import Server
from .cable import Cable

SECONDS = 180  # far more than any of them takes


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), SECONDS))
    return True


@pytest.fixture(scope="session")
def small(make_server: Callable[..., Server], engine: docker.DockerClient) -> Server:
    """A server whose sessions start quickly and end soon after their last client."""
    config = {"RuntimeChoice": {"runtime": "bubblewrap"}}
    config |= {"Conversations": {"disconnect_grace": 1.0}}
    return make_server(config=LEAN | config)


@pytest.fixture
def cable(small: Server) -> Cable:
    """A way to `small` that can be cut."""
    return Cable(small.url)
