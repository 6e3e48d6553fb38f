"""REST for projects."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from ..exceptions import InvalidInput
from ..models import CreateProject, ExtendProject, PatchProject, TrustProject, parse
from .base import CognitionHandler

STATUSES = ("active", "idle", "resumable", "pinned", "trashed", "broken")
ID = r"([^/]+)"


class ProjectsHandler(CognitionHandler):
    """`/api/projects`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List projects."""
        status = self.get_query_argument("status", None)
        if status is not None and status not in STATUSES:
            raise InvalidInput(f"status must be one of {', '.join(STATUSES)}.")
        listing = await self.app.projects.select(
            self.get_query_argument("prefix", None, strip=False),
            self.get_query_arguments("tags", strip=False),
            status,
            self.whole_number("limit", 100, 10_000),
            self.whole_number("offset", 0, 10_000_000),
        )
        self.answer(listing)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Create a project."""
        request = parse(CreateProject, self.json_body())
        if request.template is not None:
            await self.require("execute")  # its command runs in a session
        project = await self.app.projects.create(request)
        location = url_path_join(self.base_url, "api/projects", project["project_id"])
        self.set_header("Location", location)
        self.answer(project, 201)


class ProjectHandler(CognitionHandler):
    """`/api/projects/{id}`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        """Describe a project."""
        self.answer(await self.app.projects.details(project_id))

    @web.authenticated
    @authorized
    async def patch(self, project_id: str) -> None:
        """Change a project."""
        request = parse(PatchProject, self.json_body())
        self.answer(await self.app.projects.patch(project_id, request))

    @web.authenticated
    @authorized
    async def delete(self, project_id: str) -> None:
        """Move a project to the trash, or remove it for good."""
        force, permanent = self.boolean("force"), self.boolean("permanent")
        await self.app.delete_project(project_id, force, permanent)
        verb = "removed for good" if permanent else "moved to the trash"
        self.answer({"message": f"{project_id} was {verb}.", "project_id": project_id})


class RestoreHandler(CognitionHandler):
    """`/api/projects/{id}/restore`."""

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        """Bring a project back from the trash."""
        self.answer(await self.app.restore_project(project_id))


class CleanupHandler(CognitionHandler):
    """`/api/projects/cleanup`."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Do a round of cleanup now, or say what it would do."""
        dry_run = self.boolean("dry_run")
        done = await self.app.cognition.cleanup.run(dry_run)
        self.answer({"dry_run": dry_run, **done.document})


class ExtendHandler(CognitionHandler):
    """`/api/projects/{id}/extend`."""

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        """Move the cleanup date, pin or unpin."""
        request = parse(ExtendProject, self.json_body({}))
        self.answer(await self.app.projects.extend(project_id, request))


class UnpinHandler(CognitionHandler):
    """`/api/projects/{id}/unpin`."""

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        """Let the project be cleaned up again."""
        self.answer(await self.app.projects.extend(project_id, ExtendProject(pin=False)))


class TrustHandler(CognitionHandler):
    """`/api/projects/{id}/trust`."""

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        """Trust the project, or no longer."""
        request = parse(TrustProject, self.json_body())
        self.answer(await self.app.projects.trust(project_id, request))


ROUTES = [
    (r"/api/projects", ProjectsHandler),
    (r"/api/projects/cleanup", CleanupHandler),
    (rf"/api/projects/{ID}", ProjectHandler),
    (rf"/api/projects/{ID}/restore", RestoreHandler),
    (rf"/api/projects/{ID}/extend", ExtendHandler),
    (rf"/api/projects/{ID}/unpin", UnpinHandler),
    (rf"/api/projects/{ID}/trust", TrustHandler),
]
