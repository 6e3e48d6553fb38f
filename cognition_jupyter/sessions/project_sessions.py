"""Sessions by project: starts and stops them through Jupyter's own kernel manager."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Protocol, TypeVar

from ..exceptions import Conflict, NotFound
from ..kernels.launcher import Launcher
from ..models import Metadata, NetworkMode, Reason, SessionRecord
from ..projects.naming import check_project_id
from ..projects.store import ProjectStore

KERNEL_NAME = "cognition"
T = TypeVar("T")


class Kernels(Protocol):
    """What is used of Jupyter's MappingKernelManager; a gateway's is not one of ours."""

    def start_kernel(self, **kwargs: Any) -> Any: ...  # noqa: D102
    def shutdown_kernel(self, kernel_id: str) -> Any: ...  # noqa: D102
    def __contains__(self, kernel_id: str) -> bool: ...


class ProjectSessions:
    """One list of sessions, however they were started: it is read from the projects' records."""

    def __init__(self, store: ProjectStore, launcher: Launcher, kernels: Kernels) -> None:
        self._store = store
        self._launcher = launcher
        self._kernels = kernels

    async def start(
        self, project_id: str, network_mode: NetworkMode | None = None
    ) -> SessionRecord:
        """Start a kernel in the project's container; returns the session's record.

        Raises what the launcher raises: Forbidden, Conflict, NotFound, RuntimeUnavailable.
        """
        await self._store.get(project_id)
        repo = self._store.paths(project_id).repo
        kernel_id = await _finish(
            self._kernels.start_kernel(
                kernel_name=KERNEL_NAME, cwd=str(repo), network_mode=network_mode
            )
        )
        return await self.get(project_id, str(kernel_id))

    async def of_project(self, project_id: str) -> list[SessionRecord]:
        """The project's sessions, newest first; at most 50 of the ended ones are kept."""
        return (await self._store.get(project_id)).sessions[::-1]

    async def get(self, project_id: str, session_id: str) -> SessionRecord:
        """One session, live or ended. Raises NotFound."""
        return _record(await self._store.get(project_id), session_id)

    async def stop(self, project_id: str, session_id: str, reason: Reason = "client") -> None:
        """End a session; one that has ended stays as it is. Raises NotFound, Conflict."""
        record = await self.get(project_id, session_id)
        if record.ended_at is not None:
            return
        live = self._launcher.live.get(session_id)
        if live is None:
            raise Conflict(
                f"Session {session_id} runs in another server or program; end it there.",
                "foreign_session",
            )
        live.intent = reason
        if session_id in self._kernels:
            await _finish(self._kernels.shutdown_kernel(session_id))
        # Normally closed by the provisioner by now; a kernel manager that gave up leaves it to us.
        await self._launcher.close(live, reason)

    async def stop_project(self, project_id: str, reason: Reason) -> None:
        """End all live sessions of a project."""
        check_project_id(project_id)
        live = (await self._store.get(project_id)).live_sessions
        await asyncio.gather(*(self.stop(project_id, r.session_id, reason) for r in live))

    async def stop_all(self, reason: Reason) -> None:
        """End all live sessions of this server; one that fails does not keep the others."""
        sessions = [*self._launcher.live.values()]
        stops = (self.stop(s.project_id, s.session_id, reason) for s in sessions)
        await asyncio.gather(*stops, return_exceptions=True)
        await self._launcher.close_all(reason)


def _record(metadata: Metadata, session_id: str) -> SessionRecord:
    record = metadata.session(session_id)
    if record is None:
        raise NotFound(
            f"{metadata.project_id} has no session {session_id[:64]!r}.", "session_not_found"
        )
    return record


async def _finish(result: Any) -> Any:
    """Kernel managers answer some calls directly and some with an awaitable."""
    return await result if inspect.isawaitable(result) else result
