"""The launcher: the one path to a container. Notebooks, REST and `/ws` all come through here."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from traitlets.config import LoggingConfigurable

from ..exceptions import CognitionError, Conflict, Forbidden, RuntimeUnavailable
from ..memory.hot import HotMemories
from ..memory.ram import RamDirectories, SessionDirectories
from ..models import NetworkMode, Reason, SessionRecord
from ..projects.files import in_thread
from ..projects.naming import is_project_id
from ..projects.root import Owner
from ..projects.store import ProjectStore
from ..runtimes.base import Found, Mount
from ..runtimes.choice import RuntimeChoice
from .container import CHANNELS as CHANNELS
from .container import container_spec, make_sources, mounts_of, space_for
from .policy import SessionPolicy
from .probes import WriteProbes
from .records import SessionRecords
from .session import LiveSession, check_session_id, to_the_end

REPO_DIRECTORY = "repo"
REMOVAL_PATIENCE = 15.0  # seconds; what takes longer is left to the runtime and to reconcile
Emit = Callable[[str, dict[str, Any]], None]


class Launcher(LoggingConfigurable):
    """Opens sessions, launches and removes their containers, closes them; for one root."""

    def __init__(
        self,
        store: ProjectStore,
        choice: RuntimeChoice,
        policy: SessionPolicy,
        ram: RamDirectories,
        hot: HotMemories,
        owner: Owner,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.store = store
        self.choice = choice
        self.policy = policy
        self.ram = ram
        self.hot = hot
        self.owner = owner
        self.records = SessionRecords(store, owner.owner_id, self.log)
        self.probes = WriteProbes(store.directory, owner.owner_id, store.user)
        self.live: dict[str, LiveSession] = {}
        self.emit: Emit = lambda action, data: None
        self.stopping = False
        # Ids from the first look at a session until its container runs, at restarts too.
        self._starting: set[str] = set()

    # -- where -----------------------------------------------------------------------------

    def locate(self, directory: str) -> tuple[str, Path]:
        """The project that `directory` is in and its real path; waits for the disk.

        Raises Forbidden for every other place. What lies inside `repo/` decides nothing.
        """
        real = Path(os.path.realpath(directory))
        root = self.store.directory.path
        try:
            project_id, part, *_ = real.relative_to(root).parts
        except ValueError:
            project_id = part = ""
        if not is_project_id(project_id) or part != REPO_DIRECTORY:
            raise Forbidden(
                f"The kernel was asked for in {directory}, which is in no project; open a "
                f"notebook inside a project's folder below {root}.",
                "not_in_a_project",
            )
        return project_id, real

    # -- open and close --------------------------------------------------------------------

    async def open(
        self, session_id: str, directory: str, network_mode: NetworkMode | None = None
    ) -> LiveSession:
        """Check the policy, take a place under the limits, restore memory, make the directories.

        Raises InvalidInput, Forbidden, Conflict (`session_limit`, `session_exists`),
        RuntimeUnavailable, StorageFull, NotFound; then nothing of the session is left.
        """
        check_session_id(session_id)
        self._check_open()
        if session_id in self.live or session_id in self._starting:
            raise Conflict(f"Session {session_id} is open already.", "session_exists")
        self._starting.add(session_id)
        try:
            return await self._open(session_id, directory, network_mode)
        except BaseException:
            self._starting.discard(session_id)
            raise

    def _check_open(self) -> None:
        if self.stopping:
            raise RuntimeUnavailable("The server is stopping; no session can start.", "stopping")

    async def _open(
        self, session_id: str, directory: str, network_mode: NetworkMode | None
    ) -> LiveSession:
        begun = time.monotonic()
        project_id, real = await in_thread(self.locate)(directory)
        config = (await self.store.get(project_id)).config
        mode = self.policy.network_mode(config, network_mode)
        image = self.policy.image_of(config)
        runtime = await self.choice.choose()
        self.policy.check_runtime(runtime, config)
        await self.probes.check(runtime, image)
        record = SessionRecord(
            session_id=session_id,
            kernel_id=session_id,
            owner=self.owner.owner_id,
            runtime=runtime.name,
            isolated=runtime.guarantees.isolated,
            network_mode=mode,
            container_image=image if runtime.guarantees.images else None,
            started_at=self.store.now(),
        )
        limits = self.policy.max_sessions, self.policy.max_sessions_per_project
        await self.records.open(project_id, record, *limits)
        try:
            # In this order: hot memory leaves the RAM only while no session has a record.
            await self._restore_memory(project_id)
            directories, mounts = await in_thread(self._make_directories)(
                project_id, session_id, config.keep_packages
            )
            self._check_open()
        except BaseException:
            await in_thread(self.ram.discard_session)(self.owner.owner_id, session_id)
            await self.records.drop(project_id, session_id)
            raise
        session = LiveSession(
            session_id, project_id, runtime, mode, image, real, directories, mounts, record, begun
        )
        self.live[session_id] = session
        return session

    async def _restore_memory(self, project_id: str) -> None:
        """Make hot memory whole. A session that could not see it would write over it."""
        try:
            await self.hot.ensure(project_id)
        except OSError as error:
            raise RuntimeUnavailable(
                f"The hot memory of {project_id} can't be restored: {error}.",
                "storage_unavailable",
            ) from None

    def _make_directories(
        self, project_id: str, session_id: str, keep_packages: bool
    ) -> tuple[SessionDirectories, tuple[Mount, ...]]:
        with space_for(session_id):
            directories = self.ram.make_session(self.owner.owner_id, session_id)
            mounts = mounts_of(self.store, self.ram, project_id, directories, keep_packages)
        make_sources(self.ram, session_id, mounts)
        return directories, mounts

    async def close(
        self, session: LiveSession, reason: Reason | None = None, detail: str | None = None
    ) -> None:
        """End the session for good: no container, memory on disk, no directories, record closed.

        `reason` counts when nobody recorded an intent. An engine that does not answer delays
        little: the container is then left to reconcile. Returns when the session is closed, also
        if somebody else is at it, and raises nothing of the engine or the disk.
        """
        if session.closing:
            # No asyncio object is kept for it: without a server, loops come and go.
            while self.live.get(session.session_id) is session:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            return
        session.closing = True
        await to_the_end(self._close(session, reason, detail))

    async def _close(self, session: LiveSession, reason: Reason | None, detail: str | None) -> None:
        ended = session.exit or session.death
        why = session.intent or reason or (ended.reason if ended else "client")
        if detail is None and ended is not None and ended.reason == why:
            detail = ended.detail
        try:
            await self._launched(session)
            await self.remove_container(session)
            if session.launches:
                await self.hot.save(session.project_id, "session")
            try:
                await in_thread(self.ram.remove_session)(session.directories)
            except OSError as error:
                self.log.warning("Session %s: its directories: %s", session.session_id, error)
            if session.launches:
                await self.records.close(session.project_id, session.session_id, why, detail)
            else:
                await self.records.drop(session.project_id, session.session_id)
        finally:
            self.live.pop(session.session_id, None)
            self._starting.discard(session.session_id)
        if session.launches:
            self._tell("ended", session, reason=why, detail=detail)

    async def _launched(self, session: LiveSession) -> None:
        """Wait until no container is being started in it, but not for ever."""
        deadline = asyncio.get_running_loop().time() + REMOVAL_PATIENCE
        while session.launching and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def close_all(self, reason: Reason, patience: float = 15.0) -> None:
        """End every session of this process and let no new one start.

        Waits `patience` seconds for starts under way to notice.
        """
        self.stopping = True
        await asyncio.gather(*(self.close(session, reason) for session in [*self.live.values()]))
        deadline = asyncio.get_running_loop().time() + patience
        while self._starting and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    # -- containers ------------------------------------------------------------------------

    def _check_goes_on(self, session: LiveSession) -> None:
        self._check_open()
        if session.closing:
            raise Conflict(f"Session {session.session_id} has been ended.", "session_ended")

    async def recheck(self, session: LiveSession, directory: str) -> None:
        """Before a restart: is all still in its place, and the notebook in the session's project?

        Raises Forbidden, NotFound, BrokenProject, Conflict (`session_ended`).
        """
        self._check_goes_on(session)
        session.launching = True  # whoever ends it waits, or its directories would come again
        try:
            await self._recheck(session, directory)
        finally:
            session.launching = False

    async def _recheck(self, session: LiveSession, directory: str) -> None:
        project_id, real = await in_thread(self.locate)(directory)
        if project_id != session.project_id:
            raise Forbidden(
                f"The notebook was moved to {project_id}, but its kernel belongs to "
                f"{session.project_id}: shut the kernel down and start a new one.",
                "moved_to_other_project",
            )
        await self.store.get(project_id)
        await self._restore_memory(project_id)
        await in_thread(make_sources)(self.ram, session.session_id, session.mounts)
        session.directory = real

    async def launch(
        self,
        session: LiveSession,
        argv: list[str],
        connection: dict[str, Any],
        notebook: str | None,
    ) -> str:
        """Start a fresh container for the session and return its id.

        `argv` is the kernelspec's, with `{connection_file}`; `connection` what the kernel needs
        besides the sockets: key, signature scheme, kernel name. Raises RuntimeUnavailable,
        Conflict (`session_ended`), NotFound; then the caller closes the session.
        """
        session_id = session.session_id
        self._check_goes_on(session)  # it may have been ended since it was looked at
        self._starting.add(session_id)
        session.launching = True
        try:
            spec = await in_thread(container_spec)(
                session, self.store, self.policy, self.owner.owner_id, argv, connection, notebook
            )
            try:
                session.container_id = await session.runtime.start(spec)
            except RuntimeUnavailable:
                self._check_goes_on(session)  # else that, and not a mount that is gone, is why
                raise
            session.unreachable = False
            self._check_goes_on(session)  # whoever ends it waits for us and removes the container
            container_id, death = session.container_id, session.death
            detail = death.detail if death else None
            await self.records.note_container(session.project_id, session_id, container_id, detail)
            if session.launches == 0:
                await self.choice.note_use(session.runtime)
            session.launches += 1
        finally:
            session.launching = False
            self._starting.discard(session_id)
        if session.launches == 1:
            seconds = round(time.monotonic() - session.opened_at, 3)
            self._tell("started", session, seconds=seconds)
        else:
            self._tell(
                "restarted", session, reason=death.reason if death else "client", detail=detail
            )
        return container_id

    async def remove_container(self, session: LiveSession) -> None:
        """Remove the session's present container, if any, or leave it to reconcile."""
        container_id, session.container_id = session.container_id, None
        if container_id is None or session.unreachable:
            return
        try:
            await asyncio.wait_for(session.runtime.remove(container_id), REMOVAL_PATIENCE)
        except (RuntimeUnavailable, asyncio.TimeoutError) as error:
            self.log.warning("Session %s: its container stays: %s", session.session_id, error)

    # -- for others ------------------------------------------------------------------------

    def knows(self, session_id: str) -> bool:
        """Whether a session lives in this process, or is about to."""
        return session_id in self.live or session_id in self._starting

    def is_starting(self, session_id: str) -> bool:
        """Whether a container is about to start in the session, for the first time or again."""
        return session_id in self._starting

    @property
    def starting(self) -> list[str]:
        """Ids of the sessions in which a container is about to start, those not open yet too."""
        return [*self._starting]

    def needs(self, found: Found) -> bool:
        """Whether a container that has our owner's label is in use, or will be in a moment."""
        live = self.live.get(found.session_id)
        current = live is not None and live.container_id == found.container_id
        return current or found.session_id in self._starting or bool(self.probes.running)

    def report_failure(self, session_id: str, directory: str, error: BaseException) -> None:
        """Tell that a session could not start or restart; Lab's own dialogs do not always say."""
        message, code = f"The session could not start: {error}", "internal_error"
        if isinstance(error, CognitionError):
            message, code = error.message, error.code
        self.log.warning("Session %s in %s: %s", session_id, directory, message)
        self.emit("failed", {"session_id": session_id, "message": message, "code": code})

    def _tell(self, action: str, session: LiveSession, **more: Any) -> None:
        data = {
            "session_id": session.session_id,
            "project_id": session.project_id,
            "runtime": session.runtime.name,
            "isolated": session.runtime.guarantees.isolated,
            "network_mode": session.network_mode,
            **more,
        }
        self.log.info("Session %s of %s: %s", session.session_id, session.project_id, action)
        self.emit(action, data)
