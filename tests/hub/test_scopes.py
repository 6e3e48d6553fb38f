"""Tokens with scopes against every route, over a real Hub and its proxy."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
import websocket

from cognition_jupyter.hub import Level

from ..handlers.contract import described
from .hub import Hub, User

Token = Callable[[str], str]
LEVELS = [level.name.lower() for level in Level]
NOBODY = {"project_id": "nobody-00000000", "session_id": "nothing"}
NOBODY |= {"path": "memories/hot/x", "generation": "1"}

READ, WRITE, EXECUTE, ADMIN, NONE = "read", "write", "execute", "admin", "none"
# By operation; those that the verb tells are not listed.
OPERATIONS = {
    "clean_up": ADMIN,
    "trust_project": ADMIN,
    "start_session": EXECUTE,
    "end_session": EXECUTE,
}
CALLS = [
    (
        verb.upper(),
        path.format(**NOBODY),
        OPERATIONS.get(operation["operationId"], READ if verb == "get" else WRITE),
    )
    for (verb, path), operation in described().items()
]
CALLS += [
    ("DELETE", "/api/projects/nobody-00000000?force=true", EXECUTE),
    ("DELETE", "/api/projects/nobody-00000000?permanent=true", ADMIN),
    ("DELETE", "/api/projects/nobody-00000000?permanent=false&force=false", WRITE),
    ("DELETE", "/api/projects/nobody-00000000?permanent=false&permanent=true", ADMIN),
    ("GET", "/api/projects/x/y/z", READ),
]
IN = "workspaces/nobody-00000000/repo"
KERNEL = "00000000-0000-0000-0000-000000000000"
JUPYTERS: list[tuple[str, str, str]] = [
    ("GET", "/api", NONE),
    ("GET", "/api/status", NONE),
    ("GET", "/api/me", NONE),
    ("GET", "/api/kernelspecs", NONE),
    ("GET", "/lab", NONE),
    ("GET", "/no/such/page", NONE),
    ("GET", "/lab/api/settings", NONE),
    ("GET", "/lab/api/workspaces", READ),
    ("PUT", "/lab/api/workspaces/x", ADMIN),
    ("PUT", "/lab/api/settings/x", ADMIN),
    ("GET", "/lab/api/extensions", ADMIN),
    ("POST", "/lab/api/extensions", ADMIN),
    ("POST", "/lab/api/plugins", ADMIN),
    ("POST", "/lab/api/build", ADMIN),
    ("GET", "/lsp/status", ADMIN),
    ("GET", "/api/contents", ADMIN),
    ("GET", "/api/contents/workspaces", ADMIN),
    ("GET", "/api/contents/workspaces/nobody-00000000", ADMIN),
    ("GET", "/api/contents/workspaces/nobody-00000000/.agent/x", ADMIN),
    ("GET", f"/api/contents/{IN}/a", READ),
    ("GET", f"/api/contents/{IN}/%2e%2e/%2e%2e/%2e%2e/secret", ADMIN),
    ("GET", f"/api/contents/{IN}/..%2fx", ADMIN),
    ("GET", f"/api/contents/{IN}/a/checkpoints", READ),
    ("POST", f"/api/contents/{IN}/a/checkpoints", WRITE),
    ("DELETE", f"/api/contents/{IN}/a/checkpoints/1", WRITE),
    ("POST", f"/api/contents/{IN}/a/checkpoints/1", WRITE),
    ("POST", f"/api/contents/{IN}/a/trust", ADMIN),
    ("PUT", "/api/contents/a", ADMIN),
    ("DELETE", f"/api/contents/{IN}/a", WRITE),
    ("DELETE", f"/api/contents/{IN}", ADMIN),
    ("GET", "/files/a", ADMIN),
    ("GET", f"/files/{IN}/a", READ),
    ("GET", f"/view/{IN}/a", READ),
    ("GET", f"/nbconvert/html/{IN}/a", EXECUTE),
    ("GET", "/nbconvert/html/a", ADMIN),
    # Made by programs of the server that read its files, or by what the notebook names.
    ("GET", f"/nbconvert/pdf/{IN}/a", ADMIN),
    ("GET", f"/nbconvert/latex/{IN}/a", ADMIN),
    ("GET", f"/nbconvert/script/{IN}/a", ADMIN),
    ("POST", "/nbconvert/html", ADMIN),
    ("GET", "/api/kernels", READ),
    ("GET", f"/api/kernels/{KERNEL}", READ),
    ("DELETE", f"/api/kernels/{KERNEL}", ADMIN),
    ("POST", f"/api/kernels/{KERNEL}/restart", ADMIN),
    ("GET", "/api/sessions", READ),
    ("DELETE", f"/api/sessions/{KERNEL}", ADMIN),
    ("GET", "/api/terminals", ADMIN),
    ("POST", "/api/terminals", ADMIN),
    ("DELETE", "/api/terminals/1", ADMIN),
    ("POST", "/api/events", ADMIN),
    ("GET", "/api/config/notebook", ADMIN),
    ("PATCH", "/api/config/notebook", ADMIN),
    ("GET", "/api/resolvePath", ADMIN),
    ("GET", "/metrics", ADMIN),
    ("OPTIONS", "/api/contents", NONE),
    ("OPTIONS", "/lab/api/extensions", ADMIN),  # such handlers may do anything then
    ("POST", "/api/shutdown", ADMIN),
]
# Requests whose body decides.
BODIES: list[tuple[str, str, Any, str]] = [
    ("POST", "/api/kernels", {"name": "python3"}, ADMIN),
    ("POST", "/api/kernels", {}, ADMIN),  # python3 is the default
    ("POST", "/api/kernels", {"name": "cognition", "path": "nowhere"}, EXECUTE),
    ("POST", "/api/sessions", {"path": "a", "type": "x", "kernel": {"name": "python3"}}, ADMIN),
    ("POST", "/api/sessions", {"path": "a", "type": "x", "kernel": {"id": KERNEL}}, ADMIN),
    ("POST", "/api/sessions", {"path": "a", "kernel": {"name": "cognition"}}, EXECUTE),
    ("POST", f"/api/contents/{IN}", {"copy_from": f"{IN}/a"}, WRITE),
    ("POST", f"/api/contents/{IN}", {"copy_from": "secret"}, ADMIN),
    ("POST", f"/api/contents/{IN}", {"ext": "/../../x"}, ADMIN),
    ("PATCH", f"/api/contents/{IN}/a", {"path": f"{IN}/b"}, WRITE),
    ("PATCH", f"/api/contents/{IN}/a", {"path": "public"}, ADMIN),
    ("PATCH", "/api/contents/secret", {"path": f"{IN}/b"}, ADMIN),
]


@dataclass
class Answer:
    status_code: int
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def refused(self) -> bool:
        """By the authorizer, and not since the policy or the contents manager is against it."""
        assert self.status_code != 503, self.text  # the proxy has lost the server
        text = self.text.lower()
        told = "not authorized" in text or "scopes do not allow" in text
        return self.status_code == 403 and told


def ask(user: User, token: str, method: str, path: str, data: bytes = b"", **kwargs: Any) -> Answer:
    """A request as it stands: other libraries resolve what is in the path. `json`: the body."""
    body = json.dumps(kwargs["json"]).encode() if "json" in kwargs else data
    place = urlsplit(user.server)
    connection = HTTPConnection(str(place.hostname), place.port, timeout=60)
    with closing(connection):
        headers = {"Authorization": f"token {token}"}
        connection.request(method, place.path + path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(errors="replace"))


def check(user: User, scoped: Token, method: str, path: str, need: str, **kwargs: Any) -> None:
    """Refused without any scope of ours and with the one before; let through with the right one."""
    at = LEVELS.index(need)
    answers = {
        level: ask(user, scoped(level), method, path, **kwargs)
        for level in sorted({"none", LEVELS[max(at - 1, 0)], need})
    }
    told = f"{method} {path} {kwargs}: {answers}"
    assert [level for level in answers if not answers[level].refused] == [need], told


@pytest.mark.parametrize(("method", "path", "need"), CALLS)
def test_routes_of_ours(alice: User, scoped: Token, method: str, path: str, need: str) -> None:
    body = b"{}" if method in ("POST", "PATCH", "PUT") else b""
    # The one with the scope gets an answer of ours: there is no such project.
    check(alice, scoped, method, path, need, data=body)


# A request that would do something is only sent with tokens that must not.
DOES = {"/api/shutdown", "/api/terminals", "/lab/api/build", "/api/events", "/lab/api/workspaces/x"}


@pytest.mark.parametrize(("method", "path", "need"), JUPYTERS)
def test_routes_of_jupyter(alice: User, scoped: Token, method: str, path: str, need: str) -> None:
    body = b"" if method == "GET" else b"{}"
    if path in DOES and method != "GET":
        for level in ("none", "read", "write", "execute"):
            assert ask(alice, scoped(level), method, path, data=body).refused, level
        return
    check(alice, scoped, method, path, need, data=body)


@pytest.mark.parametrize(("method", "path", "body", "need"), BODIES)
def test_what_is_in_the_body_counts(
    alice: User, scoped: Token, method: str, path: str, body: Any, need: str
) -> None:
    for level in LEVELS[: LEVELS.index(need)]:
        assert ask(alice, scoped(level), method, path, json=body).refused, level
    if need != ADMIN:
        assert not ask(alice, scoped(need), method, path, json=body).refused


def test_a_template_runs_a_command(alice: User, scoped: Token) -> None:
    body = {"user_prefix": "templated", "template": "empty"}
    answer = ask(alice, scoped("write"), "POST", "/api/projects", json=body)
    assert answer.status_code == 403
    answer = ask(alice, scoped("execute"), "POST", "/api/projects", json=body)
    assert answer.status_code == 201


def shake_hands(user: User, token: str, path: str, **options: Any) -> int:
    """The status that a WebSocket is answered with; 101 is yes."""
    url = f"{user.server.replace('http', 'ws', 1)}{path}"
    header = [f"Authorization: token {token}"] if token else []
    try:
        websocket.create_connection(url, header=header, timeout=30, **options).close()
    except websocket.WebSocketBadStatusException as error:
        return int(error.status_code)
    return 101


def test_websockets(alice: User, scoped: Token) -> None:
    for path, need in (
        ("/ws", EXECUTE),
        ("/api/events/subscribe", READ),
        (f"/api/kernels/{KERNEL}/channels", ADMIN),
        ("/terminals/websocket/1", ADMIN),
        ("/lsp/ws/pylsp", ADMIN),
    ):
        answers = {level: shake_hands(alice, scoped(level), path) for level in LEVELS}
        allowed = [level for level, status in answers.items() if status != 403]
        assert allowed == LEVELS[LEVELS.index(need) :], (path, answers)
    assert shake_hands(alice, scoped("execute"), "/ws") == 101
    assert shake_hands(alice, "", "/ws") == 403
    assert shake_hands(alice, "wrong", "/ws") == 403


def test_a_session_s_kernel_needs_execute_and_another_admin(alice: User, scoped: Token) -> None:
    admin, execute = scoped("admin"), scoped("execute")
    project = ask(alice, admin, "POST", "/api/projects", json={"user_prefix": "mine"}).json()
    path = f"/api/projects/{project['project_id']}/sessions"
    session = ask(alice, execute, "POST", path, json={}).json()
    host = ask(alice, admin, "POST", "/api/kernels", json={"name": "python3"}).json()
    ours, other = session["kernel_id"], host["id"]
    for kernel_id, need in ((ours, EXECUTE), (other, ADMIN)):
        channels = f"/api/kernels/{kernel_id}/channels"
        answers = [shake_hands(alice, scoped(level), channels) for level in LEVELS]
        at = LEVELS.index(need)
        assert answers == [403] * at + [101] * (len(LEVELS) - at), need
        check(alice, scoped, "POST", f"/api/kernels/{kernel_id}/interrupt", need)
    # A notebook's session that takes the one for the other.
    model = {"path": "x.ipynb", "type": "notebook", "name": "x", "kernel": {"id": ours}}
    made = ask(alice, execute, "POST", "/api/sessions", json=model)
    assert made.status_code == 201, made.text
    notebook = f"/api/sessions/{made.json()['id']}"
    for wrong in ({"id": other}, {"name": "python3"}, {}):
        assert ask(alice, execute, "PATCH", notebook, json={"kernel": wrong}).refused, wrong
    assert ask(alice, execute, "PATCH", notebook, json={"name": "y"}).status_code == 200
    assert ask(alice, admin, "PATCH", notebook, json={"kernel": {"id": other}}).status_code == 200
    assert ask(alice, execute, "DELETE", notebook).refused
    assert ask(alice, admin, "DELETE", notebook).status_code == 204
    assert ask(alice, execute, "DELETE", f"{path}/{ours}").status_code == 200


def test_the_owner_in_a_browser_may_do_everything(alice: User) -> None:
    assert alice.http.get(f"{alice.server}/lab", timeout=60).status_code == 200
    for path in ("/api/projects", "/api/contents", "/api/terminals", "/lab/api/extensions"):
        assert alice.http.get(alice.server + path, timeout=60).status_code == 200, path


def test_somebody_else_in_a_browser_may_do_what_a_role_says(hub: Hub, alice: User) -> None:
    dave = hub.user("dave")
    dave.visit(alice)
    xsrf = {"X-XSRFToken": dave.http.cookies.get("_xsrf", path="/user/alice/")}
    assert dave.http.get(f"{alice.server}/api/projects", timeout=60).status_code == 200
    for path in ("/api/contents", "/api/terminals", "/lab/api/extensions"):
        assert dave.http.get(alice.server + path, timeout=60).status_code == 403, path
    for path in ("/api/projects", "/api/terminals", "/api/kernels"):
        answer = dave.http.post(alice.server + path, json={}, headers=xsrf, timeout=60)
        assert answer.status_code == 403, path
        assert "scopes do not allow" in answer.text or "not authorized" in answer.text, answer.text


@pytest.mark.parametrize(
    ("level", "cognition", "terminals"),
    [
        ("none", [], []),
        ("read", ["read"], []),
        ("execute", ["read", "write", "execute"], []),
        ("admin", ["read", "write", "execute"], ["read", "write"]),
    ],
)
def test_whoever_asks_is_told_what_may_be_done(
    alice: User, scoped: Token, level: str, cognition: list[str], terminals: list[str]
) -> None:
    asked = {"cognition": ["read", "write", "execute"], "terminals": ["read", "write"]}
    path = f"/api/me?permissions={quote(json.dumps(asked))}"
    told = ask(alice, scoped(level), "GET", path).json()["permissions"]
    assert (told["cognition"], told["terminals"]) == (cognition, terminals)


def test_a_foreign_page_is_refused_whatever_the_cookie(alice: User) -> None:
    alice.http.get(f"{alice.server}/lab", timeout=60)
    foreign = {"Origin": "http://evil.example"}
    for path in ("/api/projects", "/health"):
        answer = alice.http.get(alice.server + path, headers=foreign, timeout=60)
        assert answer.status_code == 404, path
    body = json.dumps({"user_prefix": "evil"})
    for headers in (foreign, {}):
        answer = alice.http.post(
            f"{alice.server}/api/projects", data=body, headers=headers, timeout=60
        )
        assert answer.status_code in (403, 404)
    url = f"{alice.server}/ws"
    request = requests.Request("GET", url)
    cookie = alice.http.prepare_request(request).headers["Cookie"]
    own = alice.hub.url
    assert shake_hands(alice, "", "/ws", cookie=cookie, origin=own) == 101
    assert shake_hands(alice, "", "/ws", cookie=cookie, origin="http://evil.example") == 403


def test_somebody_else_s_token_is_worth_nothing_here(alice: User, bob: User) -> None:
    for token in (bob.token(), bob.token("access:servers!user=bob")):
        for path in ("/api/projects", "/api/status", "/health", "/lab"):
            assert ask(alice, token, "GET", path).status_code == 403, path
        assert shake_hands(alice, token, "/ws") == 403
    # Nor can one be made that would be.
    wishes = {"scopes": ["access:servers!user=alice", "custom:cognition:read!user=alice"]}
    assert bob.api("POST", "/users/bob/tokens", json=wishes).status_code == 400


def test_scopes_for_one_server_alone(alice: User) -> None:
    for there, allowed in (("alice/", True), ("alice/other", False)):
        scope = f"custom:cognition:read!server={there}"
        token = alice.token("access:servers!user=alice", scope)
        assert ask(alice, token, "GET", "/api/projects").refused is not allowed, there


def test_a_token_in_the_address_is_refused(alice: User, scoped: Token) -> None:
    answer = requests.get(
        f"{alice.server}/api/projects", params={"token": scoped("admin")}, timeout=30
    )
    assert answer.status_code == 403
