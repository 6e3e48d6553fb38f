"""Ids that are none: nothing leaves the root, nothing changes, the answer is one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .api import Api, check_error, raw, tree

BAD_IDS = [
    "..",
    ".",
    "%2e",
    "%2e%2e",
    "%2f",
    "%2e%2e%2f",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "victim-00000000%00",
    "victim-00000000%0a",
    "%ff",
    "%ed%a0%80",
    "%F0%9D%9F%98",
    "a" * 10_000,
    ".trash",
    ".cognition",
    "%2etrash",
    "notaproject",
    "link-00000001",
    "link-00000002",
    "link-00000003",
    "file-00000000",
    "UPPER-00000000",
    "*-00000000",
]
OPERATIONS = [
    ("GET", "", None),
    ("PATCH", "", {"description": "x"}),
    ("DELETE", "", None),
    ("DELETE", "?permanent=true&force=true", None),
    ("POST", "/extend", {"days": 1}),
    ("POST", "/unpin", None),
    ("GET", "/sessions", None),
    ("POST", "/sessions", {}),
    ("GET", "/sessions/x", None),
    ("DELETE", "/sessions/x", None),
]


@pytest.fixture(scope="module")
def surroundings(api: Api) -> Iterator[str]:
    """What an id could be mistaken for; the id of a project that the links lead to."""
    root = api.server.root
    victim = api.create("victim", description="untouched")
    (root / victim / "repo" / "file").write_text("contents")
    (root / "notaproject").mkdir()
    (root / "notaproject" / "file").write_text("contents")
    (root / "file-00000000").write_text("no directory")
    (root / "link-00000001").symlink_to(victim)
    (root / "link-00000002").symlink_to(api.server.directory)
    (root / "link-00000003").symlink_to("nowhere")
    api.call("GET", "/api/projects")
    yield victim
    for name in ("link-00000001", "link-00000002", "link-00000003", "file-00000000"):
        (root / name).unlink()
    (root / "notaproject" / "file").unlink()
    (root / "notaproject").rmdir()
    api.call("DELETE", f"/api/projects/{victim}?permanent=true")


@pytest.mark.parametrize("bad", BAD_IDS, ids=lambda bad: bad[:24])
def test_what_is_no_project_is_refused_and_left_alone(
    api: Api, surroundings: str, bad: str
) -> None:
    before = tree(api.server.directory / "files")
    for method, rest, body in OPERATIONS:
        data = b"" if body is None else json.dumps(body).encode()
        answer = raw(api.server, method, f"/api/projects/{bad}{rest}", data)
        assert 400 <= answer.status < 500, (method, rest, answer)
        check_error(answer.json())
    assert tree(api.server.directory / "files") == before
    assert api.call("GET", f"/api/projects/{surroundings}")["description"] == "untouched"


@pytest.mark.parametrize("bad", ["..", "%2e%2e%2fx", "%00", "a" * 10_000, "%22", "%0a", "%C3%BC"])
def test_what_is_no_session_is_refused(api: Api, surroundings: str, bad: str) -> None:
    for method in ("GET", "DELETE"):
        answer = raw(api.server, method, f"/api/projects/{surroundings}/sessions/{bad}")
        assert answer.status == 404
        check_error(answer.json(), "session_not_found")


@pytest.mark.parametrize("bad", ["%ff", "%ed%a0%80"])
def test_a_session_id_that_is_no_text_is_refused(api: Api, surroundings: str, bad: str) -> None:
    answer = raw(api.server, "GET", f"/api/projects/{surroundings}/sessions/{bad}")
    assert answer.status == 400
    check_error(answer.json(), "bad_request")


def test_bytes_that_are_no_url_are_refused(api: Api, surroundings: str) -> None:
    for target in (b"/api/projects/\xff", b"/api/projects/\xed\xa0\x80", b"/api/projects/\x00"):
        assert 400 <= raw(api.server, "GET", target).status < 500


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/projects/"),
        ("POST", "/api/projects/"),
        ("GET", "/api/projects//"),
        ("GET", "/api/projects/victim-00000000/"),
        ("GET", "/api/projects/victim-00000000/nonsense"),
        ("PUT", "/api/projects/victim-00000000/sessions/x/y/z"),
    ],
)
def test_below_our_paths_what_is_no_route_is_answered_in_json(
    api: Api, method: str, path: str
) -> None:
    answer = raw(api.server, method, path)
    assert answer.status == 404 and answer.headers["Content-Type"] == "application/json"
    check_error(answer.json(), "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/projects", {"GET", "POST", "OPTIONS"}),
        ("DELETE", "/api/projects", {"GET", "POST", "OPTIONS"}),
        ("POST", "/api/projects/victim-00000000", {"GET", "PATCH", "DELETE", "OPTIONS"}),
        ("GET", "/api/projects/victim-00000000/extend", {"POST", "OPTIONS"}),
        ("PATCH", "/api/projects/victim-00000000/sessions/x", {"GET", "DELETE", "OPTIONS"}),
        ("POST", "/api/sessions/resumable", {"GET", "OPTIONS"}),
        ("POST", "/health", {"GET", "OPTIONS"}),
    ],
)
def test_other_methods_are_refused_with_those_allowed(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    answer = raw(api.server, method, path)
    assert answer.status == 405
    check_error(answer.json(), "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed
