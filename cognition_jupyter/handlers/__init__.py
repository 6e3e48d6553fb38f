"""Thin tornado handlers: parse, make one call, answer. `openapi.yaml` describes their routes."""

from __future__ import annotations

from typing import Any

from . import (
    archive,
    health,
    memory,
    projects,
    sessions,
    snapshots,
    templates,
    usage,
    websocket,
)
from .base import NotFoundHandler

HANDLERS: list[tuple[str, type[Any]]] = [
    # Before projects: `import` and `sessions` are no ids.
    *archive.ROUTES,
    *sessions.ROUTES,
    *projects.ROUTES,
    *memory.ROUTES,
    *snapshots.ROUTES,
    *templates.ROUTES,
    *usage.ROUTES,
    *health.ROUTES,
    *websocket.ROUTES,
    (r"/api/projects/.*", NotFoundHandler),  # last: what no route above has taken
]
