"""No link leads out of a project."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ..handlers.api import raw
from .world import SECRET, World, notebook, refused


def targets(world: World) -> dict[str, str]:
    """Ways to places with a secret, as a link in the workspace can say them."""
    other = world.server.root / world.other
    return {
        "relative": f"../../{world.other}/repo",
        "absolute": str(other / "repo"),
        "host": str(world.server.directory / "host"),
        "no-project": "../../../notes",
        "agent": "../.agent",
        "memory": str(other / ".memories/persistent"),
        "chain": "first",
        "proc": f"/proc/self/root{other}/repo",
        "detour": f"sub/../../../{world.other}/repo/../repo",
    }


TARGETS = ["relative", "absolute", "host", "no-project", "agent", "memory", "chain", "proc"]
TARGETS.append("detour")


def attempts(world: World, text: str, book: str) -> list[tuple[str, str, Any]]:
    """Everything that can be asked about a file and a notebook."""
    file = {"type": "file", "format": "text", "content": "overwritten"}
    later = {"type": "file", "format": "base64", "content": base64.b64encode(b"more").decode()}
    content = {"type": "notebook", "format": "json", "content": notebook("overwritten")}
    checkpoints = f"{world.api(book)}/checkpoints"
    return [
        ("GET", world.api(text), None),
        ("GET", world.api(text) + "?content=0", None),
        ("GET", world.api(text) + "?content=0&hash=1", None),
        ("GET", world.api(text) + "?type=file&format=base64", None),
        ("GET", world.api(book), None),
        ("GET", f"/files/{world.path(text)}", None),
        ("GET", f"/files/{world.path(book)}?download=1", None),
        ("GET", f"/nbconvert/html/{world.path(book)}", None),
        ("PUT", world.api(text), file),
        *(("PUT", world.api(text), {**later, "chunk": chunk}) for chunk in (1, 2, -1)),
        ("PUT", world.api(book), content),
        ("PATCH", world.api(text), {"path": world.path("stolen.txt")}),
        ("POST", world.api(""), {"copy_from": world.path(text)}),
        ("POST", world.api(""), {"copy_from": world.path(book)}),
        ("DELETE", world.api(text), None),
        ("GET", checkpoints, None),
        ("POST", checkpoints, None),
        ("POST", f"{checkpoints}/checkpoint", None),
        ("DELETE", f"{checkpoints}/checkpoint", None),
        ("POST", f"{world.api(book)}/trust", None),
    ]


@pytest.mark.parametrize("name", TARGETS)
def test_a_link_to_a_directory_leads_nowhere(world: World, name: str) -> None:
    (world.repo / "sub").mkdir()
    (world.repo / "first").symlink_to(f"../../{world.other}/repo")
    (world.repo / "link").symlink_to(targets(world)[name])
    assert (world.repo / "link" / "secret.txt").read_text() == SECRET
    directory = [
        ("GET", world.api("link"), None),
        ("POST", world.api("link"), {"type": "notebook"}),
        ("POST", world.api("link"), {"copy_from": world.path("own.txt")}),
        ("POST", world.api(""), {"copy_from": world.path("link")}),
        ("PUT", world.api("link/new"), {"type": "directory"}),
        ("PATCH", world.api("own.txt"), {"path": world.path("link/new.txt")}),
        ("PATCH", world.api("link"), {"path": world.path("stolen")}),
        ("DELETE", world.api("link"), None),
    ]
    refused(world, attempts(world, "link/secret.txt", "link/secret.ipynb") + directory)


@pytest.mark.parametrize("name", TARGETS)
def test_a_link_to_a_file_leads_nowhere(world: World, name: str) -> None:
    (world.repo / "sub").mkdir()
    (world.repo / "first").symlink_to(f"../../{world.other}/repo")
    for kind in ("txt", "ipynb"):
        (world.repo / f"link.{kind}").symlink_to(f"{targets(world)[name]}/secret.{kind}")
    refused(world, attempts(world, "link.txt", "link.ipynb"))


def test_a_link_in_a_deeper_directory_leads_nowhere(world: World) -> None:
    (world.repo / "a/b").mkdir(parents=True)
    (world.repo / "a/b/link").symlink_to(f"../../../../{world.other}/repo")
    refused(world, attempts(world, "a/b/link/secret.txt", "a/b/link/secret.ipynb"))


def test_a_link_to_what_is_not_there_makes_nothing(world: World) -> None:
    for kind in ("txt", "ipynb"):
        (world.repo / f"new.{kind}").symlink_to(f"../../{world.other}/repo/new.{kind}")
    refused(world, attempts(world, "new.txt", "new.ipynb"))


@pytest.mark.parametrize("dots", ["..", "%2e%2e", "%2E."])
def test_dots_lead_nowhere(world: World, dots: str) -> None:
    base = f"/workspaces/{world.mine}/repo/{dots}/{dots}/{world.other}/repo"
    for name in ("/secret.txt", "/secret.ipynb", ""):
        answer = raw(world.server, "GET", f"/api/contents{base}{name}")
        assert answer.status == 403 and SECRET.encode() not in answer.body
    body = json.dumps({"type": "file", "format": "text", "content": "x"}).encode()
    assert raw(world.server, "PUT", f"/api/contents{base}/secret.txt", body).status == 403
    assert raw(world.server, "DELETE", f"/api/contents{base}/secret.txt").status == 403
    up = raw(world.server, "GET", f"/files/workspaces/{dots}/{dots}/host/secret.txt")
    assert up.status in (403, 404)


def test_of_a_root_only_the_workspaces_are_shown(world: World) -> None:
    for place in (
        ".cognition",
        ".cognition/root.json",
        ".trash",
        f"{world.mine}/.project_metadata.json",
        f"{world.mine}/.agent/secret.txt",
        f"{world.other}/.memories/persistent/secret.txt",
    ):
        for path in (f"/api/contents/workspaces/{place}", f"/files/workspaces/{place}"):
            answer = world.server.request("GET", path)
            assert answer.status_code in (403, 404), path
    listed = world.server.call("GET", "/api/contents/workspaces")["content"]
    assert {entry["name"] for entry in listed} == {world.mine, world.other}
    (entry,) = world.server.call("GET", f"/api/contents/workspaces/{world.mine}")["content"]
    assert entry["name"] == "repo"


def test_projects_are_not_moved_or_deleted_as_folders(world: World) -> None:
    calls: list[tuple[str, str, Any]] = []
    for place in ("workspaces", f"workspaces/{world.other}", f"workspaces/{world.other}/repo"):
        calls.append(("DELETE", f"/api/contents/{place}", None))
        calls.append(("PATCH", f"/api/contents/{place}", {"path": "stolen"}))
    calls.append(("PUT", "/api/contents/workspaces/made-00000000", {"type": "directory"}))
    calls.append(("PUT", f"/api/contents/workspaces/{world.mine}/x", {"type": "directory"}))
    refused(world, calls)


def test_a_link_in_place_of_a_project_leads_nowhere(world: World) -> None:
    link = world.server.root / "link-00000000"
    link.symlink_to(world.other)
    try:
        for path in ("link-00000000", "link-00000000/repo", "link-00000000/repo/secret.txt"):
            for kind in ("api/contents", "files"):
                answer = world.server.request("GET", f"/{kind}/workspaces/{path}")
                assert answer.status_code in (403, 404), path
    finally:
        link.unlink()
