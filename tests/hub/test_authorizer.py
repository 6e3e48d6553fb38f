"""What the authorizer makes of the users that JupyterHub tells it of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.auth import User
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyterhub.singleuser.extension import JupyterHubIdentityProvider, JupyterHubUser
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application

from cognition_jupyter.hub import Level
from cognition_jupyter.hub.authorizer import ScopeAuthorizer
from cognition_jupyter.hub.guard import guard
from cognition_jupyter.hub.requests import file_of_project


@pytest.fixture
def authorizer(monkeypatch: pytest.MonkeyPatch) -> ScopeAuthorizer:
    """As in the server `lab` of alice."""
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")
    monkeypatch.setenv("JUPYTERHUB_SERVER_NAME", "lab")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "any")
    monkeypatch.setenv("JUPYTERHUB_CLIENT_ID", "any")
    return ScopeAuthorizer(identity_provider=JupyterHubIdentityProvider())


def user(*scopes: str, **more: Any) -> JupyterHubUser:
    return JupyterHubUser({"name": "alice", "kind": "user", "scopes": [*scopes], **more})


@pytest.mark.parametrize(
    ("scope", "level"),
    [
        ("custom:cognition:read", Level.READ),
        ("custom:cognition:write!user=alice", Level.WRITE),
        ("custom:cognition:execute!server=alice/lab", Level.EXECUTE),
        ("custom:cognition:admin", Level.ADMIN),
        ("custom:cognition:admin!user=bob", Level.NONE),
        ("custom:cognition:admin!server=alice/", Level.NONE),  # another of hers
        ("custom:cognition:admin!server=bob/lab", Level.NONE),
        ("custom:cognition:adminx", Level.NONE),
        ("custom:cognition", Level.NONE),
        ("access:servers!user=alice", Level.NONE),
        ("admin:users", Level.NONE),
    ],
)
def test_scopes(authorizer: ScopeAuthorizer, scope: str, level: Level) -> None:
    assert authorizer.level_of(user(scope)) == level
    assert authorizer.level_of(user("access:servers", scope)) == level


def test_the_highest_counts(authorizer: ScopeAuthorizer) -> None:
    scopes = ("custom:cognition:read", "custom:cognition:execute", "custom:cognition:write")
    assert authorizer.level_of(user(*scopes)) == Level.EXECUTE


def test_the_owner_in_a_browser(authorizer: ScopeAuthorizer) -> None:
    login = user(session_id="a-login")
    assert authorizer.level_of(login) == Level.ADMIN
    for level in ("execute", "read", "none"):
        authorizer.owner_level = level
        assert authorizer.level_of(login) == Level[level.upper()]


def test_no_token_of_the_owner_goes_beyond_what_the_owner_may(authorizer: ScopeAuthorizer) -> None:
    authorizer.owner_level = "read"
    assert authorizer.level_of(user("custom:cognition:admin!user=alice")) == Level.READ
    assert authorizer.level_of(user("access:servers!user=alice")) == Level.NONE
    service = user("custom:cognition:admin", name="service", kind="service")
    assert authorizer.level_of(service) == Level.ADMIN


@pytest.mark.parametrize(
    "other",
    [
        {"session_id": None},
        {"session_id": ""},
        {"session_id": "x", "name": "bob"},
        {"session_id": "x", "name": "Alice"},
        {"session_id": "x", "kind": "service"},
    ],
)
def test_who_is_not(authorizer: ScopeAuthorizer, other: dict[str, Any]) -> None:
    assert authorizer.level_of(user(**other)) == Level.NONE


def test_nobody_owns_a_server_without_a_name(
    authorizer: ScopeAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_USER")
    assert authorizer.level_of(user(session_id="x")) == Level.NONE


def test_without_a_hub_nobody_may_do_anything(authorizer: ScopeAuthorizer) -> None:
    assert authorizer.level_of(None) == Level.NONE
    assert authorizer.level_of(User("alice")) == Level.NONE


def test_handlers_that_are_added_later_are_guarded(authorizer: ScopeAuthorizer) -> None:
    application = Application([("/early", JupyterHandler)], default_handler_class=JupyterHandler)
    guard(application, authorizer)
    host = HTTPHeaders({"Host": "localhost"})
    application.add_handlers(".*", [("/late", JupyterHandler)])
    for path in ("/early", "/late", "/nowhere"):
        line = RequestStartLine("GET", path, "HTTP/1.1")
        found: Any = application.find_handler(HTTPServerRequest(start_line=line, headers=host))
        assert found.handler_class.guarded is JupyterHandler, path


def test_a_contents_manager_that_follows_links_needs_admin() -> None:
    path = {"path": "workspaces/mine-00000000/repo/link/secret"}
    asked = SimpleNamespace(
        path_kwargs=path, path_args=[], contents_manager=AsyncLargeFileManager()
    )
    rule: Any = file_of_project(Level.READ)
    assert rule(asked) == Level.ADMIN
