"""A server with the isolated profile, two projects and secrets all around them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat.v4
import requests

from ..handlers.api import tree
from ..support.server import Server

SECRET = "what-the-others-must-not-see"
# Jupyter's own check of hidden files is no wall here: everything must hold without it.
CONFIG = """
from cognition_jupyter.isolated import configure
configure(c)
c.ContentsManager.allow_hidden = True
"""


def notebook(source: str) -> dict[str, Any]:
    cells = [nbformat.v4.new_markdown_cell(source)]
    made: dict[str, Any] = nbformat.v4.new_notebook(cells=cells)
    return made


@dataclass
class World:
    server: Server
    mine: str
    other: str

    @property
    def repo(self) -> Path:
        return self.server.root / self.mine / "repo"

    @property
    def places(self) -> list[Path]:
        """Where something secret is."""
        root, other = self.server.root, self.server.root / self.other
        outside = [self.server.directory / "host", self.server.root_dir / "notes"]
        return [
            *outside,
            other / "repo",
            other / ".memories/persistent",
            root / self.mine / ".agent",
        ]

    def api(self, name: str) -> str:
        return f"/api/contents/workspaces/{self.mine}/repo/{name}".rstrip("/")

    def path(self, name: str) -> str:
        return f"workspaces/{self.mine}/repo/{name}"

    def outside(self) -> dict[str, Any]:
        """All that nothing may change."""
        kept = {str(place): tree(place) for place in self.places}
        return kept | {"mine": sorted(os.listdir(self.server.root / self.mine))}

    def get(self, name: str) -> Any:
        return self.server.call("GET", self.api(name))


def save(world: World, name: str, source: str) -> requests.Response:
    body = {"type": "notebook", "format": "json", "content": notebook(source)}
    return world.server.request("PUT", world.api(name), json=body)


def refused(world: World, calls: list[tuple[str, str, Any]]) -> None:
    for method, path, body in calls:
        answer = world.server.request(method, path, json=body, timeout=20)
        assert 400 <= answer.status_code < 500, (method, path, body, answer.text[:500])
        assert SECRET not in answer.text, (method, path)
        if "json" in answer.headers["Content-Type"]:
            message = answer.json()["message"]
            assert message.endswith(".") or "not exist" in message, message
            assert str(world.server.directory) not in message, message
    assert (world.repo / "own.txt").read_text() == "own"
    assert not list(world.repo.glob("**/*stolen*")) and not list(world.repo.glob("*Copy*"))
