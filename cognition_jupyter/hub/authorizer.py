"""The authorizer of a server that JupyterHub has started."""

from __future__ import annotations

import os
from typing import Any

from jupyter_server.auth import Authorizer, User
from traitlets import Enum

from .levels import Level
from .table import name_of, needed

_ME = "jupyter_server.services.api.handlers.IdentityHandler"
_LEVELS = [level.name.lower() for level in Level]
_ACTIONS = {"read": Level.READ, "write": Level.WRITE, "execute": Level.EXECUTE}
# What there is of in projects; `/api/me` says of each what may be done with those.
_IN_PROJECTS = ("cognition", "contents", "kernels", "sessions")


class ScopeAuthorizer(Authorizer):
    """Lets a request through if its token's scopes reach as far as the request does.

    It knows JupyterHub's tokens only: without a Hub nobody may do anything.
    """

    owner_level = Enum(
        _LEVELS,
        default_value="admin",
        help="What the user whose server this is may do: in the browser, whatever the scopes of "
        "that login are; with a token at most, within its scopes.",
    ).tag(config=True)

    async def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        """Called for each request to a handler that asks, and for what `/api/me` is asked."""
        need = await needed(handler)
        if name_of(type(handler)) == _ME:
            need = _ACTIONS.get(action, Level.ADMIN) if resource in _IN_PROJECTS else Level.ADMIN
        elif resource == "cognition" and action == "execute":
            need = max(need, Level.EXECUTE)  # more than the verb stands for
        return self.level_of(user) >= need

    async def may(self, handler: Any) -> bool:
        """Called for each request, also to a handler that does not ask."""
        return self.level_of(handler.current_user) >= await needed(handler)

    def level_of(self, user: User | None) -> Level:
        """How far a user may go with the present token."""
        model = getattr(user, "hub_user", None)
        if not isinstance(model, dict):
            return Level.NONE
        owner = os.environ.get("JUPYTERHUB_USER", "")
        most = Level.ADMIN
        if owner and model.get("kind") == "user" and model.get("name") == owner:
            most = Level[str(self.owner_level).upper()]
            if model.get("session_id"):  # of a login in the browser; tokens have none
                return most
        server = f"{owner}/{os.environ.get('JUPYTERHUB_SERVER_NAME', '')}"
        hub_auth: Any = getattr(self.identity_provider, "hub_auth", None)
        for level in sorted(Level, reverse=True):
            if level and hub_auth.check_scopes({f"{level.scope}!server={server}"}, model):
                return min(level, most)
        return Level.NONE
