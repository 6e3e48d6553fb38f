"""JupyterHub: scopes of our own, and an authorizer of the users' servers that enforces them.

In `jupyterhub_config.py`, for the Hub and the servers it spawns:

    from cognition_jupyter.hub import configure_hub
    configure_hub(c)

`docs/jupyterhub.md` has the table of what needs which scope. The Hub's process needs none of the
server's parts for this.
"""

from __future__ import annotations

from typing import Any

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from .levels import PREFIX, Level

AUTHORIZER = "cognition_jupyter.hub.authorizer.ScopeAuthorizer"
_DESCRIPTIONS = {
    Level.READ: "See projects, their files, memory and history.",
    Level.WRITE: "Make, change and delete projects and what is in them.",
    Level.EXECUTE: "Start and end sessions of projects and run code in them.",
    Level.ADMIN: "Do all that the owner of a server can do there.",
}


def custom_scopes() -> dict[str, dict[str, Any]]:
    """For `JupyterHub.custom_scopes`; each includes those before it."""
    made: dict[str, dict[str, Any]] = {}
    for level, description in _DESCRIPTIONS.items():
        made[level.scope] = {"description": description}
        if level > Level.READ:
            made[level.scope]["subscopes"] = [Level(level - 1).scope]
    return made


def configure_hub(c: Config | Any) -> None:
    """Define the scopes and have all servers enforce them; the users have them on their own."""
    c.JupyterHub.custom_scopes.update(custom_scopes())
    own = f"{Level.ADMIN.scope}!user"
    # The role of users is `self` unless something else is said; the Hub takes it only once.
    said = [role for role in _given(c, "load_roles") if role["name"] == "user"]
    if not said:
        # When the role is given, the Hub ignores the extra ones.
        scopes = ["self", *_given(c, "extra_user_scopes"), own]
        c.JupyterHub.load_roles.append({"name": "user", "scopes": scopes})
    for role in said:
        role["scopes"] = [*role.get("scopes", ["self"]), own]
    # What a browser's login to somebody's server may carry, as far as its user has it.
    carried = [f"{scope}!server" for scope in custom_scopes()]
    c.Spawner.oauth_client_allowed_scopes.extend(carried)
    c.Spawner.args.append(f"--ServerApp.authorizer_class={AUTHORIZER}")


def _given(c: Config | Any, name: str) -> list[Any]:
    """What a list of the Hub was set to, or what was appended to it."""
    value = c.JupyterHub.get(name, [])
    if isinstance(value, LazyConfigValue):
        value = value.to_dict().get("extend", [])
    return list(value)


def configure(c: Config | Any) -> None:
    """The servers' part alone, in `jupyter_server_config.py`."""
    c.ServerApp.authorizer_class = AUTHORIZER


__all__ = ["AUTHORIZER", "PREFIX", "Level", "configure", "configure_hub", "custom_scopes"]
