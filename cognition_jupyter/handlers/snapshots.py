"""REST for the history of a project's hot memory."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from .base import CognitionHandler
from .projects import ID

NUMBER = r"([0-9]{1,15})"
LARGEST = 99_999_999


class SnapshotsHandler(CognitionHandler):
    """`/api/projects/{id}/snapshots`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        """List the snapshots, newest first."""
        self.answer({"snapshots": await self.app.memories.history(project_id)})

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        """Take a snapshot now, if anything has changed."""
        taken = await self.app.memories.snapshot(project_id)
        path = url_path_join("api/projects", project_id, "snapshots", str(taken["generation"]))
        if taken["created"]:
            self.set_header("Location", url_path_join(self.base_url, path))
        self.answer(taken, 201 if taken["created"] else 200)


class SnapshotHandler(CognitionHandler):
    """`/api/projects/{id}/snapshots/{n}`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, generation: str) -> None:
        """Describe a snapshot and what is in it."""
        self.answer(await self.app.memories.describe(project_id, int(generation)))


class DiffHandler(CognitionHandler):
    """`/api/projects/{id}/snapshots/{n}/diff`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, generation: str) -> None:
        """Compare a snapshot with another, by default the one before it."""
        against = None
        if "against" in self.request.query_arguments:
            against = self.whole_number("against", 0, LARGEST)
        self.answer(await self.app.memories.diff(project_id, int(generation), against))


class RestoreHandler(CognitionHandler):
    """`/api/projects/{id}/snapshots/{n}/restore`."""

    @web.authenticated
    @authorized
    async def post(self, project_id: str, generation: str) -> None:
        """Go back to a snapshot, after one of what is there."""
        self.answer(await self.app.memories.restore(project_id, int(generation)))


ROUTES = [
    (rf"/api/projects/{ID}/snapshots", SnapshotsHandler),
    (rf"/api/projects/{ID}/snapshots/{NUMBER}", SnapshotHandler),
    (rf"/api/projects/{ID}/snapshots/{NUMBER}/diff", DiffHandler),
    (rf"/api/projects/{ID}/snapshots/{NUMBER}/restore", RestoreHandler),
]
