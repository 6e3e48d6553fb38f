"""What tests share: one server a runtime, one engine, and no container left behind."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from .support.server import Server

# Settings of the developer's own would change what is tested.
for name in ("MAX_PROJECTS", "PROJECT_CLEANUP_AFTER_DAYS"):
    os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: their driver keeps an event loop running in the main thread."""
    items.sort(key=lambda item: "browser" in Path(item.path).parts)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Tests that are coroutines: each has a loop of its own, and an end.

    No plugin for it: in its strict mode pytest-asyncio wants marks in LangChain's own source.
    """
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    # Far more than any of them takes.
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), 180))
    return True


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The real engine; `make engine` has started it and built the image."""
    client = docker.from_env()
    client.ping()
    yield client
    client.close()


@contextmanager
def servers() -> Iterator[Callable[..., Server]]:
    """What starts servers with their own directories; all of them end with it."""
    made: list[Server] = []

    def make(start: bool = True, **options: Any) -> Server:
        server = Server(Path(tempfile.mkdtemp(prefix="cognition-test-")), **options)
        made.append(server)
        return server.start() if start else server

    try:
        yield make
    finally:
        for server in made:
            try:
                server.close()
            finally:
                shutil.rmtree(server.directory, ignore_errors=True)


@pytest.fixture(scope="module")
def make_server() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the module: idle ones, too, take their part of the machine."""
    with servers() as make:
        yield make


@pytest.fixture(scope="session")
def make_lasting_server() -> Iterator[Callable[..., Server]]:
    """Start servers that several modules share."""
    with servers() as make:
        yield make


@pytest.fixture(scope="session")
def server(make_lasting_server: Callable[..., Server], engine: docker.DockerClient) -> Server:
    """The server that most tests share: docker, default settings."""
    return make_lasting_server()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory in RAM with a path short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="cgn", dir="/dev/shm"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
