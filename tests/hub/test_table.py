"""What the authorizer knows: every route of ours, and every handler of a server with JupyterLab."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from cognition_jupyter.handlers import HANDLERS
from cognition_jupyter.hub import Level, configure_hub, custom_scopes
from cognition_jupyter.hub.table import JUPYTERS, OURS, TABLE, name_of

from ..handlers.contract import VERBS

PAGE = (Path(__file__).parents[2] / "docs/jupyterhub.md").read_text()


def test_every_verb_of_every_route_of_ours_has_a_level() -> None:
    verbs = {}
    for _, handler in HANDLERS:
        ours = [v for v in VERBS if getattr(handler, v).__module__.startswith("cognition_jupyter")]
        verbs[name_of(handler)] = {verb.upper() for verb in ours}
    assert verbs == {n: {*rules} for n, rules in TABLE.items() if ".handlers." in n and n in verbs}
    assert {f"cognition_jupyter.handlers.{name}" for name in OURS} == set(verbs)


def test_every_handler_of_the_table_is_there() -> None:
    for name in JUPYTERS:
        module, _, kind = name.rpartition(".")
        assert hasattr(import_module(module), kind), name


def test_each_scope_includes_those_below() -> None:
    scopes = custom_scopes()
    assert [*scopes] == [level.scope for level in Level if level]
    assert [s.get("subscopes") for s in scopes.values()] == [
        None, *[[level.scope] for level in (Level.READ, Level.WRITE, Level.EXECUTE)]
    ]  # fmt: skip


def test_what_is_configured_already_stays() -> None:
    c = Config()
    c.Spawner.args = ["--debug"]
    c.JupyterHub.load_roles = [{"name": "other"}]
    configure_hub(c)
    assert c.Spawner.args[0] == "--debug" and "authorizer_class" in c.Spawner.args[1]
    assert [role["name"] for role in c.JupyterHub.load_roles] == ["other", "user"]


@pytest.mark.parametrize("appended", [False, True])
@pytest.mark.parametrize("role", [{"name": "user", "scopes": ["self", "read:hub"]}, None])
def test_what_users_may_besides_stays_and_their_role_is_given_once(
    appended: bool, role: dict[str, object] | None
) -> None:
    c = Config()
    given = ("load_roles", dict(role)) if role else ("extra_user_scopes", "read:hub")
    if appended:
        getattr(c.JupyterHub, given[0]).append(given[1])
    else:
        c.JupyterHub[given[0]] = [given[1]]
    configure_hub(c)
    roles = c.JupyterHub.load_roles
    (made,) = roles.to_dict()["extend"] if isinstance(roles, LazyConfigValue) else roles
    assert made["name"] == "user"
    assert made["scopes"] == ["self", "read:hub", "custom:cognition:admin!user"]


def test_the_documented_scopes_are_those() -> None:
    named = set(re.findall(r"`(custom:cognition:\w+)`", PAGE))
    assert named == set(custom_scopes())
