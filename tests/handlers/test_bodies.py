"""Bodies and query arguments that are wrong: 400 and a sentence, and nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from .api import Api, check_error, raw

DEEP = b"[" * 100_000 + b"]" * 100_000
WRONG_EVERYWHERE: list[tuple[bytes, str]] = [
    (b"null", "invalid_input"),
    (b"[]", "invalid_input"),
    (b'[{"user_prefix": "a", "days": 1}]', "invalid_input"),
    (b'"text"', "invalid_input"),
    (b"7", "invalid_input"),
    (b"true", "invalid_input"),
    (b'{"unknown": 1}', "invalid_input"),
    (b'{"__proto__": {}}', "invalid_input"),
    (b'{"\\ud800": 1}', "invalid_input"),
    (b'{"a\\nb": 1}', "invalid_input"),
    (b'{"' + b"k" * 100_000 + b'": 1}', "invalid_input"),
    (b"{", "invalid_json"),
    (b"{}{}", "invalid_json"),
    (b"{'days': 1}", "invalid_json"),
    (b'{"days": 1,}', "invalid_json"),
    (b'{"days": NaN}', "invalid_json"),
    (b'{"days": Infinity}', "invalid_json"),
    (b'{"days": -Infinity}', "invalid_json"),
    (b'{"days": 1, "days": 2}', "invalid_json"),
    (b'{"x": {"days": 1, "days": 1}}', "invalid_json"),
    (b'{"days": ' + b"9" * 10_000 + b"}", "invalid_json"),
    (DEEP, "invalid_json"),
    (b'{"description": ' + DEEP + b"}", "invalid_json"),
    (b'{"description": "\xff"}', "invalid_json"),
    (b'{"description": "\xed\xa0\x80"}', "invalid_json"),
    (b"\xff\xfe{\x00}\x00", "invalid_json"),
    (b"\xef\xbb\xbf{}", "invalid_json"),
    (b"user_prefix=a", "invalid_json"),
]
WRONG_CREATE: list[Any] = [
    {},
    {"user_prefix": None},
    {"user_prefix": 7},
    {"user_prefix": ["a"]},
    {"user_prefix": "a", "network_mode": "BANANA"},
    {"user_prefix": "a", "network_mode": 7},
    {"user_prefix": "a", "tags": "hello"},
    {"user_prefix": "a", "tags": ["x", 7]},
    {"user_prefix": "a", "tags": ["\x00"]},
    {"user_prefix": "a", "keep_packages": "false"},
    {"user_prefix": "a", "keep_packages": 1},
    {"user_prefix": "a", "description": "\x1b[31m"},
    {"user_prefix": "a", "description": "\ud800"},
    {"user_prefix": "a", "cleanup_after_days": 0},
    {"user_prefix": "a", "cleanup_after_days": 7.0},
    {"user_prefix": "a", "template": ""},
    {"user_prefix": "a", "project_id": "a-00000000"},
    {"user_prefix": "a", "config": {"network_mode": "ON"}},
]
WRONG_PREFIXES = ["", "A", "1a", "-a", "a b", "abc\n", "a/b", "..", "ä", "a" * 33, "a\x00", "a_b"]
WRONG_PATCH: list[Any] = [
    {"network_mode": "BANANA"},
    {"network_mode": None},
    {"tags": "hello"},
    {"tags": None},
    {"tags": [""]},
    {"description": None},
    {"description": "x" * 2001},
    {"keep_packages": None},
    {"keep_packages": "true"},
    {"cleanup_after_days": -5},
    {"user_prefix": "b"},
    {"pinned": True},
]
WRONG_EXTEND: list[bytes] = [
    b"",
    b"  ",
    b"{}",
    b'{"days": null}',
    b'{"days": null, "pin": null}',
    b'{"pin": "false"}',
    b'{"pin": 0}',
    b'{"days": -5}',
    b'{"days": 0}',
    b'{"days": 3651}',
    b'{"days": true}',
    b'{"days": "7"}',
    b'{"days": 1.5}',
    b'{"days": 1e999}',
    b'{"days": 1e2}',
    b'{"days": 1, "pin": "x"}',
]
WRONG_SESSION = [{"network_mode": "BANANA"}, {"network_mode": ["OFF"]}, {"image": "x"}]


@pytest.fixture(scope="module")
def path(api: Api) -> Iterator[str]:
    """A project that wrong requests are sent to."""
    project_id = api.create("bodies", description="as it was", tags=["t"])
    yield f"/api/projects/{project_id}"
    api.call("DELETE", f"/api/projects/{project_id}?permanent=true")


@pytest.fixture(autouse=True)
def nothing_changes(api: Api, path: str) -> Iterator[None]:
    """However wrong the requests of a test are."""

    def state() -> Any:
        details = api.call("GET", path)
        return details, api.call("GET", "/api/projects?limit=0")["total"]

    before = state()
    yield
    assert state() == before


def send(api: Api, method: str, path: str, body: bytes, code: str) -> str:
    return api.refuse(method, path, 400, code, data=body)


@pytest.mark.parametrize(("body", "code"), WRONG_EVERYWHERE, ids=lambda value: str(value)[:30])
def test_what_is_no_strict_json_object(api: Api, path: str, body: bytes, code: str) -> None:
    for method, place in [
        ("POST", "/api/projects"),
        ("PATCH", path),
        ("POST", f"{path}/extend"),
        ("POST", f"{path}/sessions"),
    ]:
        send(api, method, place, body, code)


def test_creating(api: Api) -> None:
    for body in WRONG_CREATE:
        send(api, "POST", "/api/projects", json.dumps(body).encode(), "invalid_input")
    for prefix in WRONG_PREFIXES:
        body = json.dumps({"user_prefix": prefix}).encode()
        assert "my-api" in send(api, "POST", "/api/projects", body, "invalid_prefix")
    assert "user_prefix" in send(api, "POST", "/api/projects", b"{}", "invalid_input")
    send(api, "POST", "/api/projects", b"", "invalid_input")


@pytest.mark.parametrize(
    "url",
    ["file:///etc", "ftp://example.org/x", "/etc", "ext::sh -c id", "https://", "--upload-pack=x"],
)
def test_a_repository_that_is_none_of_the_allowed(api: Api, url: str) -> None:
    body = {"user_prefix": "a", "repo_url": url}
    assert "repo_url" in api.refuse("POST", "/api/projects", 400, "invalid_repo_url", json=body)


def test_an_image_that_is_not_allowed(api: Api, path: str) -> None:
    body = {"container_image": "evil:latest"}
    assert "evil:latest" in api.refuse("PATCH", path, 403, "image_not_allowed", json=body)
    body["user_prefix"] = "a"
    api.refuse("POST", "/api/projects", 403, "image_not_allowed", json=body)


def test_changing(api: Api, path: str) -> None:
    for body in WRONG_PATCH:
        send(api, "PATCH", path, json.dumps(body).encode(), "invalid_input")
    send(api, "PATCH", path, b"", "invalid_input")


def test_extending(api: Api, path: str) -> None:
    for body in WRONG_EXTEND:
        send(api, "POST", f"{path}/extend", body, "invalid_input")
    assert "days" in send(api, "POST", f"{path}/extend", b'{"days": -5}', "invalid_input")


def test_starting_a_session(api: Api, path: str) -> None:
    for body in WRONG_SESSION:
        send(api, "POST", f"{path}/sessions", json.dumps(body).encode(), "invalid_input")


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=abc",
        "limit=%D9%A1",  # an Arabic one
        "limit=1.0",
        "limit=%2B1",
        "limit=0x10",
        "limit=",
        "limit=10001",
        "limit=99999999999999999999",
        f"limit={'0' * 20}{'9' * 20}",
        f"limit={'0' * 6000}",
        "offset=10000001",
        f"offset={'9' * 100}",
        "offset=-1",
        "offset=NaN",
        "status=banana",
        "status=",
        "status=ACTIVE",
        "status=1%3D1",
    ],
    ids=lambda query: query[:30],
)
def test_query_arguments_of_the_list(api: Api, query: str) -> None:
    message = api.refuse("GET", f"/api/projects?{query}", 400, "invalid_input")
    assert message.startswith(query.partition("=")[0])


def test_query_arguments_that_are_no_text(api: Api) -> None:
    for name in ("prefix", "tags", "status", "limit"):
        for value in ("%ff", "%ed%a0%80"):
            api.refuse("GET", f"/api/projects?{name}={value}", 400, "bad_request")


def test_query_arguments_that_match_nothing(api: Api) -> None:
    for query in ("prefix=%25", "prefix=_", "tags=%25", "tags=%22", "tags=' OR 1", "prefix=%00"):
        assert api.call("GET", f"/api/projects?{query}")["total"] == 0


@pytest.mark.parametrize("query", ["force=1", "force=TRUE", "force=", "permanent=yes", "force=no"])
def test_query_arguments_of_a_delete(api: Api, path: str, query: str) -> None:
    api.refuse("DELETE", f"{path}?{query}", 400, "invalid_input")


# -- large ones ----------------------------------------------------------------------------


def peak(api: Api) -> int:
    """Bytes of memory that the server has used at most."""
    assert api.server.process is not None
    text = Path(f"/proc/{api.server.process.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) << 10


def test_a_body_of_more_than_one_mebibyte(api: Api, path: str) -> None:
    for method, place in [("POST", "/api/projects"), ("PATCH", path), ("POST", f"{path}/sessions")]:
        message = api.refuse(method, place, 413, "too_large", data=b" " * (2 << 20))
        assert str(2 << 20) in message


def test_a_huge_body_is_never_held(api: Api, path: str) -> None:
    body = b'{"description": "' + b"x" * (50 << 20) + b'"}'
    api.call("GET", path)
    before = peak(api)
    api.refuse("PATCH", path, 413, "too_large", data=body)
    api.refuse("PATCH", path, 413, "too_large", data=iter([body[: 1 << 20]] * 50))
    with suppress(ConnectionError):  # a stranger is not listened to until the end
        stranger = {"Authorization": "token wrong"}
        assert raw(api.server, "PATCH", path, body, stranger).status == 403
    assert peak(api) - before < 20 << 20


def test_a_body_in_chunks_without_a_length(api: Api, path: str) -> None:
    message = api.refuse("PATCH", path, 400, "invalid_input", data=iter([b'{"un', b'known": 1}']))
    assert "unknown" in message
    answer = api.call("POST", f"{path}/extend", data=iter([b'{"pin"', b": false", b"}"]))
    assert answer["pinned"] is False


def test_a_body_that_is_not_what_its_length_says(api: Api, path: str) -> None:
    answer = raw(api.server, "PATCH", path, b'{"tags": []}tail', {"Content-Length": "9"})
    assert answer.status == 400
    check_error(json.loads(answer.body.split(b"HTTP/1.1")[0]), "invalid_json")
