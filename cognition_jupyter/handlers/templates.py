"""REST for templates."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .base import CognitionHandler


class TemplatesHandler(CognitionHandler):
    """`/api/templates`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the templates."""
        rows = [template.document for template in await self.app.cognition.templates.all()]
        self.answer({"templates": rows, "total": len(rows)})


ROUTES = [(r"/api/templates", TemplatesHandler)]
