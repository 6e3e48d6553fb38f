"""What a request is about: a file of a project, a kernel that is a session, or something else.

Levels that depend on that are functions here. Each answers ADMIN when in doubt.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.web import HTTPError

from ..isolated.contents import ProjectContentsManager
from ..projects.naming import is_project_id
from ..sessions.project_sessions import KERNEL_NAME
from .levels import Level

# Of nbconvert.
_PLAIN_FORMATS = ("html", "markdown", "notebook", "python", "slides")

#: The level of a request that a handler serves.
Rule = Level | Callable[[Any], Level | Awaitable[Level]]


def file_of_project(level: Level, *, inside: bool = False) -> Rule:
    """`level` for a path in a project's workspace; `inside`: not for the workspace itself."""

    def rule(handler: Any) -> Level:
        path = handler.path_kwargs.get("path", handler.path_args[0] if handler.path_args else "")
        return level if _in_project(handler, path, inside) else Level.ADMIN

    return rule


def new_file(handler: Any) -> Level:
    """Of a directory in a project; what it is copied from must be in one, too."""
    body = _body(handler)
    if body.get("copy_from") and not _in_project(handler, body["copy_from"], True):
        return Level.ADMIN
    if "/" in str(body.get("ext")):  # becomes a part of its path
        return Level.ADMIN
    return Level.WRITE if _in_project(handler, handler.path_kwargs["path"], False) else Level.ADMIN


def moved_file(handler: Any) -> Level:
    """From a project to a project."""
    both = (handler.path_kwargs["path"], _body(handler).get("path"))
    return Level.WRITE if all(_in_project(handler, p, True) for p in both) else Level.ADMIN


def exported_file(handler: Any) -> Level:
    """In a form that is made without other programs, and by no module that the notebook names."""
    plain = handler.path_kwargs["format"] in _PLAIN_FORMATS
    inside = _in_project(handler, handler.path_kwargs["path"], True)
    return Level.EXECUTE if plain and inside else Level.ADMIN


def kernel(level: Level) -> Rule:
    """`level` for a kernel that is a session."""

    def rule(handler: Any) -> Level:
        ours = _is_session(handler, handler.path_kwargs.get("kernel_id"))
        return level if ours else Level.ADMIN

    return rule


def new_kernel(handler: Any) -> Level:
    """Of the kernelspec of sessions."""
    return _by_name(handler, _body(handler).get("name"))


def new_session(handler: Any) -> Level:
    """Jupyter's session: a notebook with a kernel, a new one or one that is there."""
    return _kernel_of(handler, _body(handler).get("kernel"))


async def changed_session(handler: Any) -> Level:
    """Both its kernel and the one that it is to get."""
    body = _body(handler)
    wished = _kernel_of(handler, body["kernel"]) if "kernel" in body else Level.EXECUTE
    return max(wished, await ended_session(handler))


async def ended_session(handler: Any) -> Level:
    """One whose kernel is a session of ours."""
    manager = handler.settings["session_manager"]
    try:
        model = await manager.get_session(session_id=handler.path_kwargs["session_id"])
    except (HTTPError, KeyError):
        return Level.ADMIN
    return Level.EXECUTE if _is_session(handler, model["kernel"]["id"]) else Level.ADMIN


def deletion(handler: Any) -> Level:
    """Of a project: the trash can be undone, `force` ends sessions, and for good is for good."""
    if handler.get_query_argument("permanent", "false") != "false":
        return Level.ADMIN
    forced = handler.get_query_argument("force", "false") != "false"
    return Level.EXECUTE if forced else Level.WRITE


def _in_project(handler: Any, path: object, inside: bool) -> bool:
    # Other contents managers follow links that code in a container can make.
    if not isinstance(handler.contents_manager, ProjectContentsManager):
        return False
    if not isinstance(path, str):
        return False
    parts = [part for part in path.split("/") if part]
    if any(part in (".", "..") for part in parts):
        return False
    # The workspace is {root}/{project id}/repo, as Jupyter's own contents API names it.
    place = handler.settings["cognition"].cognition.contents_path("x-00000000")
    if place is None:
        return False
    root = place.split("/")[:-2]
    rest = parts[len(root) :]
    if parts[: len(root)] != root or len(rest) < 2 + inside:
        return False
    return is_project_id(rest[0]) and rest[1] == "repo"


def _is_session(handler: Any, kernel_id: object) -> bool:
    manager = handler.settings["kernel_manager"]
    if not isinstance(kernel_id, str) or kernel_id not in manager:
        return False
    return bool(manager.get_kernel(kernel_id).kernel_name == KERNEL_NAME)


def _kernel_of(handler: Any, wished: object) -> Level:
    if not isinstance(wished, dict):
        return _by_name(handler, None)
    if wished.get("id") is not None:
        return Level.EXECUTE if _is_session(handler, wished["id"]) else Level.ADMIN
    return _by_name(handler, wished.get("name"))


def _by_name(handler: Any, name: object) -> Level:
    name = name or handler.settings["kernel_manager"].default_kernel_name
    return Level.EXECUTE if name == KERNEL_NAME else Level.ADMIN


def _body(handler: Any) -> dict[str, Any]:
    """The body of a request to Jupyter's own handlers, as they read it."""
    try:
        found = json.loads(handler.request.body.strip().decode("utf-8") or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
