"""Sessions over REST, with their limits and the administrator's policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .api import Api
from .conftest import BASE_URL


@pytest.fixture
def live(strict: Api, only_project: str) -> Iterator[dict[str, Any]]:
    """The one session that `strict` may have."""
    path = f"/api/projects/{only_project}/sessions"
    session: dict[str, Any] = strict.call("POST", path, 201, json={})
    yield session
    strict.call("DELETE", f"{path}/{session['session_id']}")


def test_a_session_is_where_the_answer_says(strict: Api, only_project: str) -> None:
    path = f"/api/projects/{only_project}/sessions"
    answer = strict.send("POST", path)
    assert answer.status_code == 201
    session = answer.json()
    assert session["runtime"] == "bubblewrap" and session["isolated"] is True
    assert session["session_id"] == session["kernel_id"] and session["ended_at"] is None
    one = f"{path}/{session['session_id']}"
    assert answer.headers["Location"] == BASE_URL + one
    assert strict.call("GET", one) == session
    listed = strict.call("GET", path)
    assert listed["sessions"][0] == session and listed["total"] == len(listed["sessions"])
    assert strict.call("GET", "/api/sessions/resumable")["sessions"] == []
    assert strict.call("GET", "/api/projects?status=active")["total"] == 1

    ended = strict.call("DELETE", one)
    assert ended["reason"] == "client" and ended["ended_at"] > ended["started_at"]
    assert strict.call("DELETE", one) == ended
    (row,) = strict.call("GET", "/api/sessions/resumable")["sessions"]
    assert row["project_id"] == only_project and row["last_session_duration_seconds"] > 0
    strict.refuse("GET", f"{path}/nonsense", 404, "session_not_found")


def test_a_session_belongs_to_its_project(api: Api) -> None:
    mine, other = api.create("mine"), api.create("other")
    session = api.call("POST", f"/api/projects/{mine}/sessions", 201, json={})
    foreign = f"/api/projects/{other}/sessions/{session['session_id']}"
    api.refuse("GET", foreign, 404, "session_not_found")
    api.refuse("DELETE", foreign, 404, "session_not_found")
    own = f"/api/projects/{mine}/sessions/{session['session_id']}"
    assert api.call("GET", own)["ended_at"] is None
    api.call("PATCH", f"/api/projects/{mine}", json={"network_mode": "ON"})
    later = api.call("POST", f"/api/projects/{mine}/sessions", 201)
    assert later["network_mode"] == "ON"
    assert api.call("GET", own)["network_mode"] == "OFF"
    for project_id in (mine, other):
        api.call("DELETE", f"/api/projects/{project_id}?force=true&permanent=true")


def test_one_session_too_many_is_refused_on_every_way_to_one(
    strict: Api, only_project: str, live: dict[str, Any]
) -> None:
    path = f"/api/projects/{only_project}/sessions"
    message = strict.refuse("POST", path, 409, "session_limit", json={})
    assert "1" in message and "max_sessions" in message

    folder = strict.call("GET", f"/api/projects/{only_project}")["contents_path"]
    notebook = {
        "path": f"{folder}/x.ipynb",
        "name": "x.ipynb",
        "type": "notebook",
        "kernel": {"name": "cognition"},
    }
    answer = strict.server.request("POST", "/api/sessions", json=notebook)
    assert answer.status_code >= 400
    assert message in answer.json()["message"]
    kernel = {"name": "cognition", "path": folder}
    assert strict.server.request("POST", "/api/kernels", json=kernel).status_code >= 400

    assert [k["id"] for k in strict.server.call("GET", "/api/kernels")] == [live["kernel_id"]]
    assert strict.call("GET", f"/api/projects/{only_project}")["active_sessions"] == 1


def test_a_network_that_is_not_allowed(strict: Api, only_project: str) -> None:
    path, on = f"/api/projects/{only_project}", {"network_mode": "ON"}
    for method, place, body in [
        ("POST", f"{path}/sessions", on),
        ("PATCH", path, on),
        ("POST", "/api/projects", {"user_prefix": "a", **on}),
    ]:
        message = strict.refuse(method, place, 403, "network_not_allowed", json=body)
        assert "OFF" in message
    details = strict.call("GET", path)
    assert details["network_mode"] == "OFF" and details["active_sessions"] == 0


def test_an_image_that_was_allowed_once(api: Api) -> None:
    project_id = api.create("image")
    file = api.server.root / project_id / ".project_metadata.json"
    text = file.read_text().replace('"container_image":null', '"container_image":"evil:latest"')
    text = text.replace('"container_image": null', '"container_image": "evil:latest"')
    assert "evil" in text
    file.write_text(text)
    path = f"/api/projects/{project_id}"
    message = api.refuse("POST", f"{path}/sessions", 403, "image_not_allowed", json={})
    assert "evil:latest" in message
    assert api.call("GET", path)["active_sessions"] == 0
    api.call("DELETE", f"{path}?permanent=true")


def test_a_workspace_that_was_replaced_by_a_link(strict: Api, only_project: str) -> None:
    repo = strict.server.root / only_project / "repo"
    moved = repo.with_name("moved")
    repo.rename(moved)
    repo.symlink_to(moved)
    path = f"/api/projects/{only_project}/sessions"
    try:
        strict.refuse("POST", path, 403, "not_in_a_project", json={})
    finally:
        repo.unlink()
        moved.rename(repo)
