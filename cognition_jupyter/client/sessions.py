"""Calls about sessions and the service. Each has the name that it has in `openapi.yaml`."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..models import NetworkMode
from .rest import Rest, part
from .shapes.service import Health
from .shapes.sessions import (
    Event,
    Events,
    Resumable,
    ResumableList,
    Session,
    SessionList,
    SessionUsage,
)


class SessionCalls(Rest):
    """All calls raise ClientError."""

    async def list_sessions(self, project_id: str) -> list[Session]:
        """A project's sessions, newest first."""
        return (await self._call(SessionList, "GET", _path(project_id))).sessions

    async def start_session(
        self, project_id: str, network_mode: NetworkMode | None = None
    ) -> Session:
        """A new kernel in a fresh container; without `network_mode` the project's own counts."""
        body = {"network_mode": network_mode}
        return await self._call(Session, "POST", _path(project_id), body=body)

    async def get_session(self, project_id: str, session_id: str) -> Session:
        """A session, live or ended."""
        return await self._call(Session, "GET", _path(project_id, session_id))

    async def get_session_usage(self, project_id: str, session_id: str) -> SessionUsage:
        """What a session uses of the machine now."""
        return await self._call(SessionUsage, "GET", f"{_path(project_id, session_id)}/usage")

    async def list_all_sessions(self, ended: int = 20) -> list[Session]:
        """The live sessions of all projects, and the last one of each that ended, so many."""
        query = {"ended": ended}
        path = "/api/projects/sessions"
        return (await self._call(SessionList, "GET", path, query=query)).sessions

    async def end_session(self, project_id: str, session_id: str) -> Session:
        """End a session; how it ended."""
        return await self._call(Session, "DELETE", _path(project_id, session_id))

    async def list_events(self, project_id: str, session_id: str, since: int = 0) -> Events:
        """A piece of a session's journal, from the event after `since` on."""
        path = f"{_path(project_id, session_id)}/events"
        return await self._call(Events, "GET", path, query={"since": since})

    async def iterate_events(
        self, project_id: str, session_id: str, since: int = 0
    ) -> AsyncIterator[Event]:
        """A session's journal from the event after `since` to the newest there is."""
        while True:
            piece = await self.list_events(project_id, session_id, since)
            for event in piece.events:
                since = event.seq or since
                yield event
            if not piece.events or since >= piece.last_seq:
                return

    async def list_resumable(self) -> list[Resumable]:
        """The projects without a live session."""
        return (await self._call(ResumableList, "GET", "/api/sessions/resumable")).sessions

    async def get_health(self) -> Health:
        """Whether sessions can be started, and how they would be isolated."""
        return await self._call(Health, "GET", "/health")


def _path(project_id: str, session_id: str | None = None) -> str:
    path = f"/api/projects/{part(project_id)}/sessions"
    return path if session_id is None else f"{path}/{part(session_id)}"
