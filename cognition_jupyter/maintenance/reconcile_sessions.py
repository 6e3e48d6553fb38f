"""Reconcile's part for sessions: live ones, kernels on Jupyter's list and records are the same."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from ..exceptions import CognitionError
from ..kernels import jupyter
from ..kernels.records import close_record
from ..kernels.session import LiveSession
from ..models import Metadata, SessionRecord
from ..projects.files import in_thread
from .mending import Parts, Suspects


class Sessions:
    """Sessions of this process, and records of processes that are gone."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._abandoned = Suspects()
        self._empty = Suspects()
        #: Jupyter's kernel manager, where there is a server.
        self.kernels: Any = None

    async def mend(self, silent: Collection[str]) -> None:
        """One pass. Of the runtimes `silent`, nobody knows what became of a container."""
        await self._end_abandoned()
        self._take_off_empty()
        for session in [*self._parts.launcher.live.values()]:
            await self._carefully(session.project_id, self._reopen(session))
        for project_id in await self._parts.store.projects_with_live_sessions():
            await self._carefully(project_id, self._close_records(project_id, silent))

    async def _carefully(self, project_id: str, step: Any) -> None:
        """One project must not keep the others."""
        try:
            await step
        except (CognitionError, OSError) as error:
            self._parts.log.warning("Reconcile: %s: %s", project_id, error)

    # -- kernels ---------------------------------------------------------------------------

    async def _end_abandoned(self) -> None:
        """End sessions whose kernel Jupyter has let go of: nobody else would ever end them."""
        launcher = self._parts.launcher
        abandoned = {s.session_id: s for s in launcher.live.values() if self._is_abandoned(s)}
        for session_id in self._abandoned.certain({*abandoned}):
            session = abandoned[session_id]
            if not self._is_abandoned(session):
                continue
            why = "Jupyter had its kernel on no list any more."
            await launcher.close(session, detail=why)
            message = f"Session {session_id} was ended: {why}"
            self._parts.tell("session_ended", message, session.project_id, session_id)

    def _is_abandoned(self, session: LiveSession) -> bool:
        busy = session.closing or self._parts.launcher.is_starting(session.session_id)
        return not busy and not session.is_held()

    def _take_off_empty(self) -> None:
        """Take kernels off Jupyter's list that have no session: they can never answer again."""
        if self.kernels is None:
            return
        launcher = self._parts.launcher
        empty = {k for k in jupyter.without_session(self.kernels) if not launcher.knows(k)}
        for kernel_id in self._empty.certain(empty):
            jupyter.take_off(self.kernels, kernel_id)
            message = f"Kernel {kernel_id} was taken off Jupyter's list: its session had ended."
            self._parts.tell("kernel_removed", message, session_id=kernel_id)

    # -- records ---------------------------------------------------------------------------

    async def _reopen(self, session: LiveSession) -> None:
        """Without a record nobody would know that the session uses its project's memory."""
        recorded = (await self._parts.store.get(session.project_id)).session(session.session_id)
        if (recorded is not None and recorded.ended_at is None) or not self._lives(session):
            return

        def reopen(metadata: Metadata) -> bool:
            known = metadata.session(session.session_id)
            if (known is not None and known.ended_at is None) or not self._lives(session):
                return False
            if known is not None:
                metadata.sessions.remove(known)
            update = {"container_id": session.container_id}
            metadata.sessions.append(session.record.model_copy(update=update))
            return True

        told = f"Session {session.session_id} lives and had no record; it has one again."
        if await self._change(session.project_id, reopen):
            self._parts.tell("record_opened", told, session.project_id, session.session_id)

    def _lives(self, session: LiveSession) -> bool:
        known = self._parts.launcher.live.get(session.session_id) is session
        return known and not session.closing

    async def _close_records(self, project_id: str, silent: Collection[str]) -> None:
        metadata = await self._parts.store.get(project_id)
        over = {
            record.session_id: self._why(record)
            for record in metadata.live_sessions
            if await self._is_over(record, silent)
        }
        if not over:
            return
        await self._parts.save_memory(project_id)
        now = self._parts.store.now()
        await self._change(project_id, partial(_close, over=over, now=now))
        for session_id, why in over.items():
            message = f"The record of session {session_id} was closed: {why}"
            self._parts.tell("record_closed", message, project_id, session_id)

    async def _change(self, project_id: str, change: Any) -> bool:
        """Change the metadata; what `change` returned."""
        answers: list[bool] = []
        await self._parts.store.change(project_id, lambda m: answers.append(bool(change(m))))
        return answers[-1]

    async def _is_over(self, record: SessionRecord, silent: Collection[str]) -> bool:
        if record.owner == self._parts.owner:
            return not self._parts.launcher.knows(record.session_id)
        if record.runtime in silent:
            return False  # its container may run, and needs the memory that the record guards
        return not await in_thread(self._parts.store.directory.owner_is_alive)(record.owner)

    def _why(self, record: SessionRecord) -> str:
        if record.owner == self._parts.owner:
            return "It had ended, which could not be written down then."
        return "The process that ran it was killed."


def _close(metadata: Metadata, over: dict[str, str], now: Any) -> None:
    for session_id, why in over.items():
        close_record(metadata, session_id, "server_stopped", now, why)
