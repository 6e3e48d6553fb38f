"""Session records in the projects' metadata: what every process and the next server see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from logging import Logger, LoggerAdapter
from typing import Any

from ..exceptions import CognitionError, Conflict
from ..models import Metadata, Reason, SessionRecord
from ..projects.files import in_thread
from ..projects.store import ProjectStore


class SessionRecords:
    """Opens, changes and closes the records of one process's sessions."""

    def __init__(self, store: ProjectStore, owner: str, log: Logger | LoggerAdapter[Any]) -> None:
        self._store = store
        self._owner = owner
        self._log = log

    async def open(
        self, project_id: str, record: SessionRecord, max_total: int, max_per_project: int
    ) -> None:
        """Write the record of a session that is about to start, if the limits allow one more.

        Raises Conflict (`session_limit`, `session_exists`), NotFound.
        """
        await self._forget_earlier(project_id, record.session_id)
        try:
            await self._store.open_session(project_id, record, max_total, max_per_project)
        except asyncio.CancelledError:
            # A step on the disk is finished before its cancellation goes on: it is written.
            await self.drop(project_id, record.session_id)
            raise

    async def _forget_earlier(self, project_id: str, session_id: str) -> None:
        """A kernel that is started again has its old id; a project has one record for an id."""
        earlier = (await self._store.get(project_id)).session(session_id)
        if earlier is None:
            return
        if earlier.ended_at is None and await self._is_elsewhere(earlier):
            raise Conflict(f"Session {session_id} lives in another process.", "session_exists")
        await self._store.change(project_id, lambda metadata: _remove(metadata, session_id))

    async def _is_elsewhere(self, record: SessionRecord) -> bool:
        """Whether another process has the session; of one that was killed it is only said."""
        if record.owner == self._owner:
            return False
        return await in_thread(self._store.directory.owner_is_alive)(record.owner)

    async def drop(self, project_id: str, session_id: str) -> None:
        """Forget a session that never had a kernel."""

        def drop(metadata: Metadata) -> None:
            record = metadata.session(session_id)
            if record is not None:
                metadata.sessions.remove(record)
                metadata.statistics.total_sessions -= 1
                metadata.usage.add(record.started_at, sessions=-1)

        await self._change_if_possible(project_id, session_id, drop)

    async def note_container(
        self, project_id: str, session_id: str, container_id: str, death: str | None
    ) -> None:
        """The session has a new container; `death` says what became of the one before.

        Raises NotFound, BrokenProject.
        """

        def note(metadata: Metadata) -> None:
            record = metadata.session(session_id)
            if record is not None:
                record.container_id, record.detail = container_id, death

        await self._store.change(project_id, note)

    async def close(
        self, project_id: str, session_id: str, reason: Reason, detail: str | None
    ) -> None:
        """Close the record; raises nothing, since whoever ends a session must get to its end."""
        await self._change_if_possible(
            project_id,
            session_id,
            lambda metadata: close_record(metadata, session_id, reason, self._store.now(), detail),
        )

    async def _change_if_possible(
        self, project_id: str, session_id: str, change: Callable[[Metadata], None]
    ) -> None:
        try:
            await self._store.change(project_id, change)
        except (CognitionError, OSError) as error:  # deleted, damaged, or the disk is full
            self._log.warning("The record of session %s stays as it is: %s", session_id, error)


def _remove(metadata: Metadata, session_id: str) -> None:
    record = metadata.session(session_id)
    if record is not None:
        metadata.sessions.remove(record)


def close_record(
    metadata: Metadata,
    session_id: str,
    reason: Reason,
    now: datetime,
    detail: str | None = None,
) -> None:
    """Close the session's record, if it is open, and add its time to the statistics."""
    record = metadata.session(session_id)
    if record is None or record.ended_at is not None:
        return
    record.ended_at = now
    record.reason = reason
    record.detail = detail
    duration = (record.ended_at - record.started_at).total_seconds()
    metadata.statistics.total_duration_seconds += max(0.0, duration)
    metadata.usage.add_end(record.started_at, now, reason)
    metadata.last_accessed = max(metadata.last_accessed, record.ended_at)
