"""REST for what a project is used for and what it takes."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .base import CognitionHandler
from .projects import ID


class UsageHandler(CognitionHandler):
    """`/api/projects/{id}/usage`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        """Describe the use of a project."""
        self.answer(await self.app.cognition.usage.of(project_id))


ROUTES = [(rf"/api/projects/{ID}/usage", UsageHandler)]
