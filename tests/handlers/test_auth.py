"""Who may call: Jupyter's authentication, XSRF protection and authorisation on every route."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from jupyter_server.auth.decorator import authorized
from tornado import web

from cognition_jupyter.handlers import HANDLERS
from cognition_jupyter.handlers.websocket import SessionsSocket

from ..support.server import TOKEN, Server
from . import denying
from .api import Api, check_error, raw
from .contract import described

# Every operation, on a project and a session that need not be there.
NOBODY = {"project_id": "nobody-00000000", "session_id": "nothing"}
NOBODY |= {"path": "memories/hot/x", "generation": "1"}
CALLS = [(verb.upper(), path.format(**NOBODY)) for verb, path in described()]
FOREIGN = {"Origin": "http://evil.example"}


def test_every_verb_is_authenticated_and_authorised() -> None:
    """By Jupyter's own decorators, in the order in which they work."""

    async def verb(self: Any) -> None: ...

    model = web.authenticated(authorized(verb))
    for pattern, handler, *_ in HANDLERS:
        assert handler.auth_resource == "cognition", pattern
        if handler is SessionsSocket:
            continue  # it has another decorator; tests/sessions/test_socket.py
        for name in map(str.lower, handler.SUPPORTED_METHODS):
            method = getattr(handler, name)
            if method is web.RequestHandler._unimplemented_method or name == "options":
                continue  # a preflight request carries no identity and is told nothing
            place = f"{handler.__name__}.{name}"
            assert method.__code__ is model.__code__, f"{place} is not authenticated"
            inner = method.__wrapped__
            assert inner.__code__ is model.__wrapped__.__code__, f"{place} is not authorised"


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", "Bearer"])
def test_without_the_right_token_nobody_gets_in(
    server: Server, method: str, path: str, token: str | None
) -> None:
    headers = {} if token is None else {"Authorization": f"token {token}"}
    body = b"{}" if method in ("POST", "PATCH") else b""
    answer = requests.request(
        method, server.url + path, headers=headers, data=body, allow_redirects=False, timeout=30
    )
    assert answer.status_code == 403
    check_error(answer.json(), "forbidden")
    wrong = requests.request(method, f"{server.url}{path}?token=wrong", data=body, timeout=30)
    assert wrong.status_code == 403


def test_what_is_no_route_tells_a_stranger_nothing(server: Server) -> None:
    stranger = {"Authorization": "token wrong"}
    for path in ("/api/projects/", "/api/projects/x/y/z", "/api/projects//"):
        for method in ("GET", "POST", "DELETE"):
            assert raw(server, method, path, headers=stranger).status == 403


def test_a_refusal_before_the_body_is_read_says_that_the_connection_ends(server: Server) -> None:
    for headers in ({"Authorization": "token wrong"}, FOREIGN | {"Authorization": "x"}):
        answer = raw(
            server, "POST", "/api/projects", b"{}", {**headers, "Connection": "keep-alive"}
        )
        assert answer.status in (403, 404) and answer.headers["Connection"] == "close"
    with requests.Session() as session:
        for path in ("/api/projects", "/api/projects/%ff", "/api/projects/x/y/z") * 3:
            assert session.get(server.url + path, timeout=30).status_code in (400, 403)


def test_a_preflight_request_is_told_nothing(server: Server) -> None:
    answer = requests.options(f"{server.url}/api/projects", headers=FOREIGN, timeout=30)
    assert answer.text == "" and "Access-Control-Allow-Origin" not in answer.headers


# -- a browser: cookies --------------------------------------------------------------------


@pytest.fixture(scope="module")
def logged_in(server: Server) -> requests.Session:
    """Logged in by a link with the token in it."""
    session = requests.Session()
    session.get(f"{server.url}/login", params={"token": TOKEN}, timeout=30)
    assert "_xsrf" in session.cookies and len(session.cookies) == 2
    return session


def test_a_cookie_is_enough_to_read(server: Server, logged_in: requests.Session) -> None:
    assert logged_in.get(f"{server.url}/api/projects", timeout=30).status_code == 200
    own = {"Origin": server.url}
    assert logged_in.get(f"{server.url}/health", headers=own, timeout=30).status_code == 200


def test_to_change_something_a_cookie_needs_the_xsrf_token(
    server: Server, logged_in: requests.Session
) -> None:
    project_id = server.create("xsrf")
    path = f"{server.url}/api/projects/{project_id}"
    calls: list[tuple[str, str, Any]] = [
        ("POST", f"{server.url}/api/projects", {"user_prefix": "a"}),
        ("PATCH", path, {"description": "x"}),
        ("POST", f"{path}/extend", {"days": 1}),
        ("POST", f"{path}/unpin", None),
        ("POST", f"{path}/trust", {"trusted": False}),
        ("POST", f"{path}/sessions", {}),
        ("DELETE", f"{path}/sessions/x", None),
        ("DELETE", path, None),
    ]
    before = server.call("GET", f"/api/projects/{project_id}")
    wrongs: list[dict[str, str]] = [{}, {"X-XSRFToken": "wrong"}, {"X-XSRFToken": "2|0|0|0"}]
    for method, url, body in calls:
        for headers in wrongs:
            answer = logged_in.request(method, url, json=body, headers=headers, timeout=30)
            assert answer.status_code == 403, (method, url, headers)
            check_error(answer.json(), "forbidden")
        form = logged_in.request(
            method, url, data={"_xsrf": logged_in.cookies["_xsrf"]}, timeout=30
        )
        assert form.status_code == 403
    assert server.call("GET", f"/api/projects/{project_id}") == before
    right = {"X-XSRFToken": logged_in.cookies["_xsrf"]}
    assert logged_in.delete(path, headers=right, timeout=30).status_code == 200


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_page_of_another_origin_is_refused(
    server: Server, logged_in: requests.Session, method: str, path: str
) -> None:
    for origin in ("http://evil.example", "null", server.url + "1"):
        headers = {"Origin": origin, "X-XSRFToken": logged_in.cookies["_xsrf"]}
        answer = logged_in.request(
            method, server.url + path, headers=headers, data=b"{}", timeout=30
        )
        assert answer.status_code == 404
        assert check_error(answer.json(), "not_found") == "Not Found."
        assert "Access-Control-Allow-Origin" not in answer.headers


# -- an authorizer -------------------------------------------------------------------------


def test_an_authorizer_is_asked_about_cognition_and_obeyed(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    record = tmp_path / "asked"
    root = Path(__file__).parents[2]
    api = Api(
        make_server(
            config={"ServerApp": {"authorizer_class": f"{denying.__name__}.Denying"}},
            environment={"PYTHONPATH": str(root), denying.RECORD: str(record)},
        )
    )
    assert api.server.request("GET", "/api/contents").status_code == 200
    record.unlink()
    for method, path in CALLS:
        body = {"user_prefix": "a"} if path == "/api/projects" else {}
        message = api.refuse(method, path, 403, "forbidden", json=body)
        assert re.fullmatch(r"User is not authorized to \w+ on resource: cognition\.", message)
    asked = [json.loads(line) for line in record.read_text().splitlines()]
    assert asked == [
        [method, path, "read" if method == "GET" else "write", "cognition"]
        for method, path in CALLS
    ]
    assert not list(api.server.root.glob("*-*"))
