"""Projects over REST: what the calls do, beyond the shapes that `openapi.yaml` fixes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from ..support.server import unique
from .api import Api


@pytest.fixture
def project_id(api: Api) -> Iterator[str]:
    made = api.create("rest")
    yield made
    api.send("DELETE", f"/api/projects/{made}?force=true&permanent=true")


def cleanup_at(details: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(details["cleanup_at"].replace("Z", "+00:00"))


def test_a_new_project_is_where_the_answer_says(api: Api) -> None:
    body = {"user_prefix": "my-api", "network_mode": "ON", "tags": ["a", "b"], "description": "d"}
    answer = api.send("POST", "/api/projects", json=body)
    assert answer.status_code == 201
    details = answer.json()
    location = answer.headers["Location"]
    assert location == f"/api/projects/{details['project_id']}"
    assert api.call("GET", location) == details
    assert details["user_prefix"] == "my-api" and details["tags"] == ["a", "b"]
    assert details["description"] == "d" and details["network_mode"] == "ON"
    assert details["status"] == "idle" and not details["pinned"] and details["sessions"] == []
    folder = api.call("GET", "/api/projects")["projects"][0]["contents_path"]
    assert api.server.call("GET", f"/api/contents/{folder}")["type"] == "directory"
    api.call("DELETE", location)


def test_the_list_is_filtered_and_paged(api: Api) -> None:
    one, tag = unique(), unique("tag")
    made = [api.create(one, tags=[tag, f"n{n}"]) for n in range(3)]
    made.append(api.create(unique(), tags=[tag, " spaced "]))

    def ids(query: str) -> list[str]:
        return [p["project_id"] for p in api.call("GET", f"/api/projects?{query}")["projects"]]

    assert ids(f"tags={tag}") == made[::-1]
    assert ids(f"prefix={one}") == made[2::-1]
    assert ids(f"prefix={one}&tags=n0&tags=n2") == [made[2], made[0]]
    assert ids(f"tags={tag}&limit=2") == made[:1:-1]
    assert ids(f"tags={tag}&limit=2&offset=3") == [made[0]]
    assert ids(f"tags={tag}&offset=10000000") == []
    assert ids("tags=%20spaced%20") == [made[3]]
    page = api.call("GET", f"/api/projects?tags={tag}&limit=0")
    assert page == {"projects": [], "total": 4}
    api.call("POST", f"/api/projects/{made[1]}/extend", json={"pin": True})
    assert ids(f"tags={tag}&status=pinned") == [made[1]]
    assert ids(f"tags={tag}&status=resumable") == ids(f"tags={tag}&status=idle") == made[::-1]
    assert ids(f"tags={tag}&status=active") == ids(f"tags={tag}&status=broken") == []
    for project_id in made:
        api.call("DELETE", f"/api/projects/{project_id}")
    assert ids(f"tags={tag}") == []
    assert sorted(ids(f"tags={tag}&status=trashed")) == sorted(made)


def test_a_project_that_cannot_be_read_is_listed_with_its_reason(api: Api, project_id: str) -> None:
    file = api.server.root / project_id / ".project_metadata.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    path = f"/api/projects/{project_id}"
    message = api.refuse("GET", path, 409, "project_broken")
    assert project_id in message and str(api.server.root) not in message
    for method, place in [
        ("PATCH", path),
        ("DELETE", path),
        ("DELETE", f"{path}?force=true&permanent=true"),
        ("POST", f"{path}/unpin"),
        ("GET", f"{path}/sessions"),
        ("POST", f"{path}/sessions"),
        ("GET", f"{path}/sessions/x"),
        ("DELETE", f"{path}/sessions/x"),
    ]:
        api.refuse(method, place, 409, "project_broken", json={})
    assert file.read_bytes() == whole[:-10]
    file.write_bytes(whole)
    assert api.call("GET", path)["status"] == "idle"


def test_days_are_added_exactly(api: Api, project_id: str) -> None:
    path = f"/api/projects/{project_id}"
    before = cleanup_at(api.call("GET", path))
    after = api.call("POST", f"{path}/extend", json={"days": 7})
    assert cleanup_at(after) - before == timedelta(days=7)
    again = api.call("POST", f"{path}/extend", json={"days": 3650})
    assert cleanup_at(again) - before == timedelta(days=3657)
    assert again["cleanup_in_days"] == 30 + 3657
    assert again["last_accessed"] == after["last_accessed"]


def test_a_pin_takes_the_date_away_and_unpin_gives_it_back(api: Api, project_id: str) -> None:
    path = f"/api/projects/{project_id}"
    before = api.call("GET", path)["cleanup_at"]
    pinned = api.call("POST", f"{path}/extend", json={"pin": True})
    assert pinned["pinned"] and pinned["cleanup_at"] is None and pinned["cleanup_in_days"] is None
    assert api.call("POST", f"{path}/unpin")["cleanup_at"] == before
    both = api.call("POST", f"{path}/extend", json={"days": 1, "pin": True})
    assert both["pinned"]
    unpinned = api.call("POST", f"{path}/extend", json={"pin": False})
    assert cleanup_at(unpinned) - cleanup_at({"cleanup_at": before}) == timedelta(days=1)


def test_changes(api: Api, project_id: str) -> None:
    path = f"/api/projects/{project_id}"
    before = api.call("GET", path)
    fields = {
        "description": "ä\n𝄞",
        "tags": ["x"],
        "network_mode": "ON",
        "agent_model": "m",
        "keep_packages": False,
        "cleanup_after_days": 3,
    }
    after = api.call("PATCH", path, json=fields)
    assert after["description"] == "ä\n𝄞" and after["tags"] == ["x"]
    assert after["network_mode"] == after["config"]["network_mode"] == "ON"
    assert after["config"]["agent_model"] == "m" and after["config"]["keep_packages"] is False
    assert after["cleanup_after_days"] == 3 and after["cleanup_in_days"] == 3
    assert after["last_accessed"] > before["last_accessed"]
    assert api.call("GET", path) == after
    nothing = api.call("PATCH", path, json={})
    assert nothing | {"last_accessed": 0, "cleanup_at": 0} == after | {
        "last_accessed": 0,
        "cleanup_at": 0,
    }
    reset = api.call("PATCH", path, json={"agent_model": None, "cleanup_after_days": None})
    assert reset["config"]["agent_model"] is None and reset["cleanup_after_days"] == 30


def test_reading_is_no_access(api: Api, project_id: str) -> None:
    path = f"/api/projects/{project_id}"
    before = api.call("GET", path)["last_accessed"]
    for place in (f"{path}/sessions", "/api/projects", "/api/sessions/resumable", "/health"):
        api.call("GET", place)
    assert api.call("GET", path)["last_accessed"] == before


def test_a_deleted_project_goes_to_the_trash(api: Api) -> None:
    project_id = api.create("trash-me", tags=[unique("tag")])
    path = f"/api/projects/{project_id}"
    tag = api.call("GET", path)["tags"][0]
    answer = api.call("DELETE", path)
    assert answer["project_id"] == project_id and project_id in answer["message"]
    assert (api.server.root / ".trash" / project_id / "repo").is_dir()
    assert not (api.server.root / project_id).exists()
    assert api.call("GET", f"/api/projects?tags={tag}")["total"] == 0
    (row,) = api.call("GET", f"/api/projects?status=trashed&tags={tag}")["projects"]
    assert row["project_id"] == project_id and row["status"] == "trashed"
    assert row["contents_path"] is None
    assert row["trashed_reason"] == "client" and 0 < row["disk_bytes"] < 1 << 20
    assert moment(row["deletion_at"]) - moment(row["trashed_at"]) == timedelta(days=7)
    details = api.call("GET", path)
    assert {name: details[name] for name in row} == row
    assert details["workspace_path"] == str(api.server.root / ".trash" / project_id / "repo")
    for query in ("", "?force=true"):
        api.refuse("DELETE", f"{path}{query}", 409, "in_trash")
    api.refuse("POST", f"{path}/sessions", 404, "project_not_found", json={})
    assert (api.server.root / ".trash" / project_id).exists()


def test_a_project_comes_back_from_the_trash(api: Api) -> None:
    project_id = api.create("back")
    path = f"/api/projects/{project_id}"
    (api.server.root / project_id / "repo/file").write_text("kept")
    api.call("PUT", f"{path}/memory/memories/hot/note", 201, data=b"in RAM")
    api.refuse("POST", f"{path}/restore", 409, "project_exists")
    api.call("DELETE", path)
    before = api.call("GET", path)
    after = api.call("POST", f"{path}/restore")
    assert after["status"] == "idle" and after["last_accessed"] > before["last_accessed"]
    assert "trashed_at" not in after
    assert (api.server.root / project_id / "repo/file").read_text() == "kept"
    assert api.server.request("GET", f"{path}/memory/memories/hot/note").content == b"in RAM"
    api.refuse("POST", f"{path}/restore", 409, "project_exists")


@pytest.mark.parametrize("query", ["", "&force=true"])
def test_what_is_in_the_trash_can_be_removed_for_good(api: Api, query: str) -> None:
    project_id = api.create("away")
    path = f"/api/projects/{project_id}"
    api.call("DELETE", path)
    assert "for good" in api.call("DELETE", f"{path}?permanent=true{query}")["message"]
    assert not list(api.server.root.glob(f"**/{project_id}*"))
    for method, place in (("GET", path), ("POST", f"{path}/restore"), ("DELETE", path)):
        api.refuse(method, place, 404, "project_not_found")


def test_permanently_deleted_is_gone(api: Api) -> None:
    project_id = api.create("gone")
    path = f"/api/projects/{project_id}"
    assert "for good" in api.call("DELETE", f"{path}?permanent=true")["message"]
    assert not list(api.server.root.glob(f"**/{project_id}"))
    api.refuse("DELETE", f"{path}?permanent=true", 404, "project_not_found")
    api.refuse("GET", path, 404, "project_not_found")


def test_live_sessions_stand_against_a_delete_but_for_force(api: Api) -> None:
    project_id = api.create("busy")
    path = f"/api/projects/{project_id}"
    session = api.call("POST", f"{path}/sessions", 201, json={})
    for query in ("", "?permanent=true", "?force=false"):
        message = api.refuse("DELETE", f"{path}{query}", 409, "active_sessions")
        assert "force" in message
    assert api.call("GET", path)["active_sessions"] == 1
    api.call("DELETE", f"{path}?force=true")
    kernels = {kernel["id"] for kernel in api.server.call("GET", "/api/kernels")}
    assert session["kernel_id"] not in kernels
    assert (api.server.root / ".trash" / project_id).exists()
    tag = {"status": "trashed", "prefix": "busy"}
    (row,) = (
        row
        for row in api.call("GET", "/api/projects", params=tag)["projects"]
        if row["project_id"] == project_id
    )
    assert row["active_sessions"] == 0


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
