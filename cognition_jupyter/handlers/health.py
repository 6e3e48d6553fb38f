"""REST for the state of the service."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .base import CognitionHandler


class HealthHandler(CognitionHandler):
    """`/health`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Say whether sessions can be started, and how they would be isolated."""
        self.answer(await self.app.health())


ROUTES = [(r"/health", HealthHandler)]
