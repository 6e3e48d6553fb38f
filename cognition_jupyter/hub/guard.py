"""Asks the authorizer about every request, also where a handler does not.

Jupyter asks in a decorator that each handler has to have; handlers of JupyterLab and of many other
extensions don't, some of which install packages or start programs.
"""

from __future__ import annotations

import inspect
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest

from .authorizer import ScopeAuthorizer


def guard(application: web.Application, authorizer: ScopeAuthorizer) -> None:
    """Guard all handlers of Jupyter's kind but ours, also those that are added later.

    The others have no user, and are open to everybody with or without an authorizer.
    """
    delegate = application.get_handler_delegate
    made: dict[type[Any], type[Any]] = {}

    def guarded_delegate(
        request: HTTPServerRequest, kind: type[Any], *args: Any, **kwargs: Any
    ) -> HTTPMessageDelegate:
        if _to_be_guarded(kind):
            if kind not in made:
                made[kind] = _guarded(kind, authorizer)
            kind = made[kind]
        return delegate(request, kind, *args, **kwargs)

    # Every request comes through here, whatever rule its handler was found by.
    application.get_handler_delegate = guarded_delegate  # type: ignore[method-assign,assignment]


def _to_be_guarded(kind: type[Any]) -> bool:
    # Ours ask themselves (a test holds them to it), and after they have taken the body: refused
    # before that, a proxy would take the end of the connection for that of the server.
    ours = kind.__module__.startswith("cognition_jupyter.handlers.")
    return issubclass(kind, JupyterHandler) and not ours


def _guarded(kind: type[Any], authorizer: ScopeAuthorizer) -> type[Any]:
    """`kind`, with a look at the authorizer once it is known who asks."""

    class Guarded(kind):  # type: ignore[misc]
        guarded = kind

        async def prepare(self) -> None:
            done = super().prepare()
            if inspect.isawaitable(done):
                await done
            # Strangers are the handler's affair: pages of login are for them.
            if self._finished or self.current_user is None:
                return
            if not await authorizer.may(self):
                raise web.HTTPError(403, "The token's scopes do not allow this.")

    Guarded.__name__, Guarded.__qualname__ = kind.__name__, kind.__qualname__
    Guarded.__module__ = kind.__module__
    return Guarded
