"""Thin tornado handlers: parse, make one call, answer."""

from __future__ import annotations

from typing import Any

from . import health, projects, sessions

HANDLERS: list[tuple[str, type[Any]]] = [*projects.ROUTES, *sessions.ROUTES, *health.ROUTES]
