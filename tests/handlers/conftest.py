"""Servers that these tests share: the common one, and one with every limit at its lowest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..support.server import Server
from .api import Api

BASE_URL = "/user/me"


@pytest.fixture(scope="session")
def api(server: Server) -> Api:
    """The server of all tests: docker, default settings."""
    return Api(server)


@pytest.fixture(scope="session")
def strict(make_lasting_server: Callable[..., Server]) -> Api:
    """One project, one session, no network; bubblewrap; below a base URL, as in JupyterHub."""
    policy = {"allowed_network_modes": ["OFF"], "max_sessions": 1}
    server = make_lasting_server(
        start=False,
        config={"SessionPolicy": policy, "RuntimeChoice": {"runtime": "bubblewrap"}},
        environment={"MAX_PROJECTS": "1"},
        arguments=(f"--ServerApp.base_url={BASE_URL}",),
    )
    server.start(wait=False)
    server.url += BASE_URL
    server.wait_until_ready()
    return Api(server)


@pytest.fixture(scope="session")
def only_project(strict: Api) -> str:
    """The one project that `strict` may have."""
    return strict.create("only")
