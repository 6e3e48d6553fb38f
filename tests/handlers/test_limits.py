"""The limit of projects, wrong settings, and what happens when something of ours breaks."""

from __future__ import annotations

from collections.abc import Callable

from ..support.server import Server
from .api import Api


def test_one_project_too_many(strict: Api, only_project: str) -> None:
    message = strict.refuse(
        "POST", "/api/projects", 409, "project_limit", json={"user_prefix": "a"}
    )
    assert "1" in message and "max_projects" in message
    assert strict.call("GET", "/api/projects")["total"] == 1
    assert not list((strict.server.root / ".cognition" / "incoming").iterdir())


def test_a_wrong_limit_stops_the_start(make_server: Callable[..., Server]) -> None:
    server = make_server(start=False, environment={"MAX_PROJECTS": "banana"}).start(wait=False)
    assert server.process is not None
    assert server.process.wait(60) != 0
    assert "MAX_PROJECTS must be" in server.tail() and "banana" in server.tail()


def test_a_fault_says_nothing_about_the_inside(strict: Api, only_project: str) -> None:
    locks = strict.server.root / ".cognition" / "locks"
    away = locks.with_name("locks-away")
    locks.rename(away)
    path = f"/api/projects/{only_project}"
    try:
        answer = strict.send("PATCH", path, json={"description": "x"})
    finally:
        away.rename(locks)
    assert answer.status_code == 500
    assert answer.json() == {
        "message": "Internal Server Error.",
        "error": "internal_server_error",
    }
    assert "FileNotFoundError" in strict.server.tail()
    assert strict.call("PATCH", path, json={"description": "y"})["description"] == "y"
