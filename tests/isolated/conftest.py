"""One server for all tests here."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import nbformat.v4
import pytest

from ..support.server import Server
from .world import CONFIG, SECRET, World, notebook


@pytest.fixture(scope="package")
def world(make_lasting_server: Callable[..., Server]) -> World:
    server = make_lasting_server(start=False, config={"RuntimeChoice": {"runtime": "bubblewrap"}})
    config = server.home / "config" / "jupyter_server_config.py"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG)
    server.start()
    made = World(server, server.create("mine"), server.create("other"))
    for place in made.places:
        place.mkdir(exist_ok=True)
        (place / "secret.txt").write_text(SECRET)
        (place / "secret.ipynb").write_text(nbformat.writes(notebook(SECRET)))
    return made


@pytest.fixture(autouse=True)
def nothing_else_changes(world: World) -> Iterator[None]:
    """Whatever a test asks for, only the project's own workspace is touched, and then emptied."""
    (world.repo / "own.txt").write_text("own")
    before = world.outside()
    yield
    assert world.outside() == before
    subprocess.run(["find", str(world.repo), "-mindepth", "1", "-delete"], check=True)
