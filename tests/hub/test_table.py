"""What the authorizer knows: every route of ours, and every handler of a server with JupyterLab."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from traitlets.config import Config

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


def test_the_documented_scopes_are_those() -> None:
    named = set(re.findall(r"`(custom:cognition:\w+)`", PAGE))
    assert named == set(custom_scopes())
