"""REST for sessions."""

from __future__ import annotations

from dataclasses import asdict

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from ..models import StartSession, parse
from .base import CognitionHandler
from .projects import ID


class ProjectSessionsHandler(CognitionHandler):
    """`/api/projects/{id}/sessions`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        """List a project's sessions, newest first."""
        records = await self.app.sessions.of_project(project_id)
        rows = [self.app.projects.session(project_id, record) for record in records]
        self.answer({"sessions": rows, "total": len(rows)})

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        """Start a session."""
        request = parse(StartSession, self.json_body({}))
        record = await self.app.sessions.start(project_id, request.network_mode)
        path = url_path_join("api/projects", project_id, "sessions", record.session_id)
        self.set_header("Location", url_path_join(self.base_url, path))
        self.answer(self.app.projects.session(project_id, record), 201)


class ProjectSessionHandler(CognitionHandler):
    """`/api/projects/{id}/sessions/{session_id}`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, session_id: str) -> None:
        """Describe a session, live or ended."""
        record = await self.app.sessions.get(project_id, session_id)
        self.answer(self.app.projects.session(project_id, record))

    @web.authenticated
    @authorized
    async def delete(self, project_id: str, session_id: str) -> None:
        """End a session; answers with how it ended."""
        await self.app.sessions.stop(project_id, session_id)
        record = await self.app.sessions.get(project_id, session_id)
        self.answer(self.app.projects.session(project_id, record))


class SessionsHandler(CognitionHandler):
    """`/api/projects/sessions`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the sessions of all projects."""
        self.answer(await self.app.projects.sessions(self.whole_number("ended", 20, 1000)))


class SessionUsageHandler(CognitionHandler):
    """`/api/projects/{id}/sessions/{session_id}/usage`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, session_id: str) -> None:
        """Tell what a session uses of the machine now."""
        self.answer(asdict(await self.app.sessions.usage(project_id, session_id)))


class EventsHandler(CognitionHandler):
    """`/api/projects/{id}/sessions/{session_id}/events`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str, session_id: str) -> None:
        """Read the journal of a session, from the event after `since` on."""
        since = self.whole_number("since", 0, 10**15)
        self.answer(await self.app.conversations.events(project_id, session_id, since))


class ResumableHandler(CognitionHandler):
    """`/api/sessions/resumable`."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the projects without a live session."""
        self.answer(await self.app.projects.resumable())


ROUTES = [
    (r"/api/projects/sessions", SessionsHandler),
    (rf"/api/projects/{ID}/sessions", ProjectSessionsHandler),
    (rf"/api/projects/{ID}/sessions/{ID}", ProjectSessionHandler),
    (rf"/api/projects/{ID}/sessions/{ID}/events", EventsHandler),
    (rf"/api/projects/{ID}/sessions/{ID}/usage", SessionUsageHandler),
    (r"/api/sessions/resumable", ResumableHandler),
]
