"""What tests of the client share."""

from __future__ import annotations

from collections.abc import Callable

import docker
import pytest

from ..kernels.helpers import LEAN
from ..support.server import Server
from .cable import Cable


@pytest.fixture(scope="session")
def small(make_lasting_server: Callable[..., Server], engine: docker.DockerClient) -> Server:
    """A server whose sessions start quickly and end soon after their last client."""
    config = {"RuntimeChoice": {"runtime": "bubblewrap"}}
    config |= {"Conversations": {"disconnect_grace": 5.0}}
    return make_lasting_server(config=LEAN | config)


@pytest.fixture
def cable(small: Server) -> Cable:
    """A way to `small` that can be cut."""
    return Cable(small.url)
