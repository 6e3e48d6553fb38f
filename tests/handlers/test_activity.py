"""A panel that polls must not keep an idle server from being culled."""

from __future__ import annotations

import time

import pytest

from .api import Api


def last_activity(api: Api) -> str:
    return str(api.server.call("GET", "/api/status")["last_activity"])


@pytest.fixture(scope="module")
def path(api: Api) -> str:
    return f"/api/projects/{api.create('activity')}"


def test_reading_is_no_activity_of_the_server(api: Api, path: str) -> None:
    before = last_activity(api)
    time.sleep(0.01)
    for place in (
        "/api/projects",
        "/api/projects?status=trashed",
        path,
        f"{path}/sessions",
        "/api/sessions/resumable",
        "/health",
    ):
        api.call("GET", place)
    api.refuse("GET", f"{path}/sessions/none", 404, "session_not_found")
    api.refuse("GET", "/api/projects?limit=x", 400, "invalid_input")
    api.server.request("GET", f"{path}/none")
    api.server.request("OPTIONS", path)
    assert last_activity(api) == before


def test_changing_is_activity(api: Api, path: str) -> None:
    for method, place, body in [
        ("PATCH", path, {"description": "x"}),
        ("POST", f"{path}/extend", {"days": 1}),
        ("DELETE", path, None),
    ]:
        before = last_activity(api)
        api.call(method, place, json=body)
        assert last_activity(api) > before
