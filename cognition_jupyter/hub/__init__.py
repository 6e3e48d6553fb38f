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
    # Roles are lists of dicts, the one of users is `self` unless something else is said.
    c.JupyterHub.load_roles.append({"name": "user", "scopes": ["self", own]})
    # What a browser's login to somebody's server may carry, as far as its user has it.
    carried = [f"{scope}!server" for scope in custom_scopes()]
    c.Spawner.oauth_client_allowed_scopes.extend(carried)
    c.Spawner.args.append(f"--ServerApp.authorizer_class={AUTHORIZER}")


def configure(c: Config | Any) -> None:
    """The servers' part alone, in `jupyter_server_config.py`."""
    c.ServerApp.authorizer_class = AUTHORIZER


__all__ = ["AUTHORIZER", "PREFIX", "Level", "configure", "configure_hub", "custom_scopes"]
