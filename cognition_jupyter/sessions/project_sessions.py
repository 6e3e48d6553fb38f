"""Sessions by project: starts and stops them through Jupyter's own kernel manager."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ..exceptions import Conflict, NotFound
from ..kernels.jupyter import at_rest, forget_failed_starts, on_last_disconnect
from ..kernels.launcher import Launcher
from ..models import Metadata, NetworkMode, Reason, SessionRecord
from ..projects.files import in_thread
from ..projects.naming import check_project_id
from ..projects.store import ProjectStore
from ..runtimes.usage import Usage

KERNEL_NAME = "cognition"
STOP_PATIENCE = 30.0  # seconds that one waits for Jupyter to be through with kernels
T = TypeVar("T")


class Kernels(Protocol):
    """What is used of Jupyter's MappingKernelManager; a gateway's is not one of ours."""

    def start_kernel(self, **kwargs: Any) -> Any: ...  # noqa: D102
    def shutdown_kernel(self, kernel_id: str) -> Any: ...  # noqa: D102
    def get_kernel(self, kernel_id: str) -> Any: ...  # noqa: D102
    def remove_kernel(self, kernel_id: str) -> Any: ...  # noqa: D102
    def notify_connect(self, kernel_id: str) -> None: ...  # noqa: D102
    def notify_disconnect(self, kernel_id: str) -> None: ...  # noqa: D102
    def __contains__(self, kernel_id: str) -> bool: ...


class ProjectSessions:
    """One list of sessions, however they were started: it is read from the projects' records."""

    def __init__(self, store: ProjectStore, launcher: Launcher, kernels: Kernels) -> None:
        self._store = store
        self._launcher = launcher
        self._kernels = kernels
        self._log = launcher.log
        self._saving: set[asyncio.Future[None]] = set()
        self._stops: Counter[str] = Counter()  # how many are at the end of each session
        #: Called when nobody listens to a session any more.
        self.on_disconnect: Callable[[str], None] = lambda session_id: None
        on_last_disconnect(kernels, self.disconnected)

    async def start(
        self,
        project_id: str,
        network_mode: NetworkMode | None = None,
        session_id: str | None = None,
    ) -> SessionRecord:
        """Start a kernel in the project's container; returns the session's record.

        With `session_id`, that session begins anew. Raises what the launcher raises: Forbidden,
        Conflict, NotFound, StorageFull, RuntimeUnavailable.
        """
        await self._store.get(project_id)
        if session_id is not None:
            await self._until_gone(session_id)
        repo = self._store.paths(project_id).repo
        kernel_id = await _finish(
            self._kernels.start_kernel(
                kernel_id=session_id,
                kernel_name=KERNEL_NAME,
                cwd=str(repo),
                network_mode=network_mode,
            )
        )
        try:
            # With `use_pending_kernels` the manager answers before the kernel has started.
            kernel = self._kernels.get_kernel(kernel_id)
            await at_rest(kernel)
            await _finish(kernel.ready)
        except BaseException:
            await _finish(self._kernels.shutdown_kernel(kernel_id))
            raise
        return await self.get(project_id, str(kernel_id))

    async def _until_gone(self, session_id: str) -> None:
        """Wait until nobody is at the end of the session before: it would be ours that ends.

        Its record is closed a moment before Jupyter has taken the kernel off its list.
        """
        deadline = asyncio.get_running_loop().time() + STOP_PATIENCE
        while session_id in self._kernels or self._stops[session_id]:
            if asyncio.get_running_loop().time() > deadline:
                raise Conflict(f"Session {session_id} is still ending.", "session_exists")
            await asyncio.sleep(0.02)

    # -- clients ---------------------------------------------------------------------------
    # Jupyter counts the WebSockets of each kernel; ours count among them, so that its culling of
    # idle kernels knows them.

    def connected(self, session_id: str) -> None:
        """One client more."""
        self._kernels.notify_connect(session_id)

    def left(self, session_id: str) -> None:
        """One client less."""
        self._kernels.notify_disconnect(session_id)

    def clients(self, session_id: str) -> int:
        """How many WebSockets listen to the session, notebooks' included."""
        connections: dict[str, int] = getattr(self._kernels, "_kernel_connections", {})
        return connections.get(session_id, 0)

    def at_work(self) -> bool:
        """Whether the kernel of any session computes."""
        kernels = (self._kernels.get_kernel(k) for k in self._launcher.live if k in self._kernels)
        return any(getattr(kernel, "execution_state", None) == "busy" for kernel in kernels)

    def disconnected(self, session_id: str) -> None:
        """Nobody listens to a session any more: its memory gets to the disk."""
        session = self._launcher.live.get(session_id)
        if session is not None and not session.closing:
            save = asyncio.ensure_future(self._launcher.hot.save(session.project_id, "disconnect"))
            self._saving.add(save)
            save.add_done_callback(self._saving.discard)
            self.on_disconnect(session_id)

    # -- looking ---------------------------------------------------------------------------

    @property
    def kernels(self) -> Kernels:
        """Jupyter's kernel manager."""
        return self._kernels

    def project_of(self, session_id: str) -> str | None:
        """The project of a live session of this server."""
        live = self._launcher.live.get(session_id)
        return None if live is None or live.closing else live.project_id

    def container_of(self, session_id: str) -> str | None:
        """The present container of a live session of this server."""
        live = self._launcher.live.get(session_id)
        return None if live is None else live.container_id

    async def of_project(self, project_id: str) -> list[SessionRecord]:
        """The project's sessions, newest first; at most 50 of the ended ones are kept."""
        return (await self._store.get(project_id)).sessions[::-1]

    async def get(self, project_id: str, session_id: str) -> SessionRecord:
        """One session, live or ended. Raises NotFound."""
        return _record(await self._store.get(project_id), session_id)

    async def usage(self, project_id: str, session_id: str) -> Usage:
        """What a session uses now; nothing is known of one that is not this server's.

        Raises NotFound.
        """
        live = self._launcher.live.get(session_id)
        if live is None or live.project_id != project_id:
            await self.get(project_id, session_id)
            return Usage()
        if live.container_id is None:
            return Usage()
        return await live.runtime.usage(live.container_id)

    async def stop(self, project_id: str, session_id: str, reason: Reason = "client") -> None:
        """End a session; one that has ended stays as it is. Raises NotFound, Conflict."""
        self._stops[session_id] += 1
        try:
            await self._stop(project_id, session_id, reason)
        finally:
            self._stops[session_id] -= 1
            self._stops += Counter()  # drops what is at nought

    async def _stop(self, project_id: str, session_id: str, reason: Reason) -> None:
        record = await self.get(project_id, session_id)
        if record.ended_at is not None:
            return
        # It takes a moment from the record to the session.
        while (live := self._launcher.live.get(session_id)) is None:
            if not self._launcher.knows(session_id):
                break
            await asyncio.sleep(0.02)
        if live is None:
            if record.owner == self._launcher.owner.owner_id:
                return  # ended just now
            if not await in_thread(self._store.directory.owner_is_alive)(record.owner):
                # As reconcile will do; whoever asks wants it now, or to know why not.
                await self._remove_container(record)
                detail = "The process that ran it was killed."
                await self._launcher.records.close(project_id, session_id, reason, detail)
                return
            raise Conflict(
                f"Session {session_id} runs in another server or program; end it there.",
                "foreign_session",
            )
        live.intent = live.intent or reason
        try:
            await self._shut_down(session_id)
        except Exception as error:
            # Such as that of a restart at the same moment, which Jupyter tells whoever comes next.
            self._launcher.log.warning("Session %s: its shutdown: %s", session_id, error)
        finally:
            # Normally closed by the provisioner by now; a manager that gave up leaves it to us.
            await self._launcher.close(live, reason)
        if session_id in self._kernels:
            self._kernels.remove_kernel(session_id)

    async def _remove_container(self, record: SessionRecord) -> None:
        """Of a session whose process is gone. Raises RuntimeUnavailable: it may still run then."""
        for runtime in self._launcher.choice.for_reconcile():
            if runtime.name == record.runtime:
                for found in await runtime.found():
                    if (found.session_id, found.owner) == (record.session_id, record.owner):
                        await runtime.remove(found.container_id)

    async def _shut_down(self, session_id: str) -> None:
        """Shut the kernel down, once it is not just being started, restarted or shut down."""
        while session_id in self._kernels:
            kernel = self._kernels.get_kernel(session_id)
            ready = kernel.ready.done()
            if ready:
                await _finish(self._kernels.shutdown_kernel(session_id))
            # Also when Jupyter answers before it is done, as with `use_pending_kernels`.
            await at_rest(kernel, STOP_PATIENCE)
            if ready:
                return

    async def stop_project(self, project_id: str, reason: Reason) -> None:
        """End all live sessions of a project. Raises the first problem when all were tried."""
        check_project_id(project_id)
        live = (await self._store.get(project_id)).live_sessions
        stops = [self.stop(project_id, record.session_id, reason) for record in live]
        for problem in await asyncio.gather(*stops, return_exceptions=True):
            if isinstance(problem, BaseException):
                raise problem

    async def stop_all(self, reason: Reason) -> None:
        """End all live sessions of this server, for good; bounded in time, raises nothing."""
        self._launcher.stopping = True
        sessions = [*self._launcher.live.values()]
        stops = [
            asyncio.ensure_future(self.stop(s.project_id, s.session_id, reason)) for s in sessions
        ]
        if stops:
            _, late = await asyncio.wait(stops, timeout=STOP_PATIENCE)
            for stop in late:
                stop.cancel()
            for problem in await asyncio.gather(*stops, return_exceptions=True):
                if isinstance(problem, Exception):
                    self._log.warning("A session did not end as it should: %s", problem)
        await self._launcher.close_all(reason)
        forget_failed_starts(self._kernels)


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
