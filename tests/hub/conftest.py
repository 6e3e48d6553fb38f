"""One Hub for all these tests, with the servers of two users."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import docker
import pytest

from .hub import Hub, User


@pytest.fixture(scope="session")
def hub(engine: docker.DockerClient) -> Iterator[Hub]:
    made = Hub()
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture(scope="session")
def alice(hub: Hub) -> User:
    user = hub.user("alice")
    user.start()
    return user


@pytest.fixture(scope="session")
def bob(hub: Hub) -> User:
    user = hub.user("bob")
    user.start()
    return user


@pytest.fixture(scope="session")
def scoped(alice: User) -> Callable[[str], str]:
    """A token for alice's server: `none` to get in, or with one of our scopes besides."""
    made: dict[str, str] = {}

    def token(level: str) -> str:
        if level not in made:
            ours = [] if level == "none" else [f"custom:cognition:{level}!user=alice"]
            made[level] = alice.token("access:servers!user=alice", *ours)
        return made[level]

    return token
