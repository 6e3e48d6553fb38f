"""What tests of the client share."""

from __future__ import annotations

from collections.abc import Callable

import docker
import pytest

from ..kernels.helpers import LEAN
from ..support.coroutines import run_coroutine
from ..support.server import Server
from .cable import Cable


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Coroutines among the tests."""
    return run_coroutine(pyfuncitem)


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
