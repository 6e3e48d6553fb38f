"""The launcher: the one path to a container. Notebooks, REST and `/ws` all come through here."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traitlets.config import LoggingConfigurable

from ..exceptions import CognitionError, Conflict, Forbidden, NotFound, RuntimeUnavailable
from ..memory.ram import RamDirectories, SessionDirectories
from ..models import Metadata, NetworkMode, Reason, SessionRecord, utcnow
from ..projects.files import in_thread, write_durably
from ..projects.naming import is_project_id
from ..projects.root import Owner
from ..projects.store import ProjectStore
from ..runtimes import base
from ..runtimes.base import ContainerSpec, Exit, Mount, Runtime
from ..runtimes.choice import RuntimeChoice
from ..runtimes.probe import check_mounts
from .policy import SessionPolicy

CONNECTION_FILE = "connection.json"
Emit = Callable[[str, dict[str, Any]], None]


@dataclass
class LiveSession:
    """A session of this process. Its container is replaced when the kernel restarts."""

    session_id: str
    project_id: str
    runtime: Runtime
    network_mode: NetworkMode
    image: str | None
    directory: Path  # of the notebook, on the host
    directories: SessionDirectories
    mounts: tuple[Mount, ...]
    container_id: str | None = None
    intent: Reason | None = None  # why we are stopping it; recorded before we do
    failure: Exit | None = None  # the last way its container ended by itself
    launches: int = 0

    @property
    def socket_prefix(self) -> str:
        """`ip` of the host's connection information, transport ipc."""
        return str(self.directories.sockets / "k")

    @property
    def exit(self) -> Exit | None:
        """How the present container ended; None while it runs. No I/O."""
        return self.runtime.exit_of(self.container_id) if self.container_id else self.failure


class Launcher(LoggingConfigurable):
    """Opens sessions, launches and removes their containers, closes them; for one root."""

    def __init__(
        self,
        store: ProjectStore,
        choice: RuntimeChoice,
        policy: SessionPolicy,
        ram: RamDirectories,
        owner: Owner,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.store = store
        self.choice = choice
        self.policy = policy
        self.ram = ram
        self.owner = owner
        self.live: dict[str, LiveSession] = {}
        self.emit: Emit = lambda action, data: None
        # What has passed the write probe: a (runtime, image) pair.
        self._probed: set[tuple[str, str | None]] = set()

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
        """Check the policy, take a place under the limits and make the session's directories.

        Raises Forbidden, Conflict (`session_limit`), RuntimeUnavailable, NotFound; then nothing
        of the session is left.
        """
        if session_id in self.live:
            raise Conflict(f"Session {session_id} is open already.", "session_exists")
        project_id, real = await in_thread(self.locate)(directory)
        config = (await self.store.get(project_id)).config
        mode = self.policy.network_mode(config, network_mode)
        image = self.policy.image_of(config)
        runtime = await self.choice.choose()
        self.policy.check_runtime(runtime, config)
        await self._probe(runtime, image)
        record = SessionRecord(
            session_id=session_id,
            kernel_id=session_id,
            owner=self.owner.owner_id,
            runtime=runtime.name,
            isolated=runtime.guarantees.isolated,
            network_mode=mode,
            container_image=image if runtime.guarantees.images else None,
            started_at=utcnow(),
        )
        limits = self.policy.max_sessions, self.policy.max_sessions_per_project
        await self.store.open_session(project_id, record, *limits)
        try:
            directories = await in_thread(self.ram.make_session)(self.owner.owner_id, session_id)
            mounts = await in_thread(self._mounts)(project_id, directories, config.keep_packages)
        except BaseException:
            await self._drop_record(project_id, session_id)
            raise
        session = LiveSession(
            session_id, project_id, runtime, mode, image, real, directories, mounts
        )
        self.live[session_id] = session
        return session

    async def _probe(self, runtime: Runtime, image: str) -> None:
        key = (runtime.name, image)
        if not runtime.guarantees.isolated or key in self._probed:
            return
        place = self.store.directory.incoming
        await check_mounts(runtime, place, self.owner.owner_id, self.store.user, image)
        self._probed.add(key)

    def _mounts(
        self, project_id: str, directories: SessionDirectories, keep_packages: bool
    ) -> tuple[Mount, ...]:
        paths = self.store.paths(project_id)
        return (
            Mount(paths.repo, base.WORKSPACE),
            Mount(self.ram.hot(project_id), base.HOT),
            Mount(paths.persistent, base.PERSISTENT),
            Mount(paths.deps if keep_packages else directories.deps, base.DEPS),
            Mount(directories.tmp, base.TMP),
            Mount(directories.sockets, base.SOCKETS),
        )

    async def close(self, session: LiveSession, reason: Reason | None = None) -> None:
        """End the session for good: no container, no directories, its record closed.

        `reason` counts when nobody recorded an intent. An engine that does not answer delays
        nothing: the container is then left to reconcile.
        """
        if self.live.pop(session.session_id, None) is None:
            return
        ended = session.exit or session.failure
        try:
            await self.remove_container(session)
        except RuntimeUnavailable as error:
            self.log.warning("Session %s: %s", session.session_id, error.message)
        await in_thread(self.ram.remove_session)(session.directories)
        why = session.intent or reason or (ended.reason if ended else "client")
        detail = ended.detail if ended and why == ended.reason else None
        await self._close_record(session.project_id, session.session_id, why, detail)
        self._tell("ended", session, reason=why, detail=detail)

    async def _close_record(
        self, project_id: str, session_id: str, reason: Reason, detail: str | None
    ) -> None:
        try:
            await self.store.change(
                project_id, lambda data: close_record(data, session_id, reason, detail)
            )
        except (NotFound, Conflict) as error:  # deleted or damaged meanwhile
            self.log.warning("Session %s: %s", session_id, error.message)

    async def _drop_record(self, project_id: str, session_id: str) -> None:
        """Forget a session that never had a container."""

        def drop(metadata: Metadata) -> None:
            record = metadata.session(session_id)
            if record is not None:
                metadata.sessions.remove(record)
                metadata.statistics.total_sessions -= 1

        await self.store.change(project_id, drop)

    # -- containers ------------------------------------------------------------------------

    async def recheck(self, session: LiveSession, directory: str) -> None:
        """Before a restart: is the notebook still in the session's project? Raises Forbidden."""
        project_id, real = await in_thread(self.locate)(directory)
        if project_id != session.project_id:
            raise Forbidden(
                f"The notebook was moved to {project_id}, but its kernel belongs to "
                f"{session.project_id}: shut the kernel down and start a new one.",
                "moved_to_other_project",
            )
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
        besides the sockets: key, signature scheme, kernel name. Raises RuntimeUnavailable.
        """
        runtime, mounts = session.runtime, session.mounts
        info = connection | {
            "transport": "ipc",
            "ip": runtime.inside(f"{base.SOCKETS}/k", mounts),
            **{f"{name}_port": n for n, name in enumerate(CHANNELS, 1)},
        }
        await in_thread(self._write_connection_file)(session.directories.sockets, info)
        working_directory = await in_thread(self._working_directory)(session)
        environment = self.policy.environment_of(runtime, mounts)
        if notebook:
            environment["JPY_SESSION_NAME"] = f"{working_directory}/{os.path.basename(notebook)}"
        connection_file = runtime.inside(f"{base.SOCKETS}/{CONNECTION_FILE}", mounts)
        command = [part.replace("{connection_file}", connection_file) for part in argv]
        if command[0] in ("python", "python3"):
            command[0] = runtime.python
        spec = ContainerSpec(
            root_uuid=self.store.directory.uuid,
            owner=self.owner.owner_id,
            project_id=session.project_id,
            session_id=session.session_id,
            command=tuple(command),
            environment=environment,
            working_directory=working_directory,
            mounts=mounts,
            network_mode=session.network_mode,
            user=self.store.user,
            image=session.image,
        )
        container_id = session.container_id = await runtime.start(spec)
        session.failure = None
        session.launches += 1
        if session.launches == 1:
            await self.choice.note_use(runtime)

        def note(metadata: Metadata) -> None:
            record = metadata.session(session.session_id)
            if record is not None:
                record.container_id = container_id

        await self.store.change(session.project_id, note)
        self._tell("started" if session.launches == 1 else "restarted", session)
        return container_id

    def _write_connection_file(self, sockets: Path, info: dict[str, Any]) -> None:
        path = sockets / CONNECTION_FILE
        write_durably(path, json.dumps(info).encode())
        if os.geteuid() == 0:
            os.chown(path, *self.store.user, follow_symlinks=False)

    def _working_directory(self, session: LiveSession) -> str:
        """The notebook's folder inside; checked now, since an engine would make a missing one."""
        repo = session.mounts[0].source
        real = Path(os.path.realpath(session.directory))
        if not real.is_dir() or not real.is_relative_to(repo):
            real = repo
        relative = real.relative_to(repo).as_posix()
        path = base.WORKSPACE if relative == "." else f"{base.WORKSPACE}/{relative}"
        return session.runtime.inside(path, session.mounts)

    async def remove_container(self, session: LiveSession) -> None:
        """Remove the session's present container, if any. Raises RuntimeUnavailable."""
        if session.container_id is not None:
            session.failure = session.exit
            container_id, session.container_id = session.container_id, None
            await session.runtime.remove(container_id)

    def report_failure(self, session_id: str, directory: str, error: CognitionError) -> None:
        """Tell that a session could not start or restart; Lab's own dialogs do not always say."""
        data = {"session_id": session_id, "message": error.message, "code": error.code}
        self.log.warning("Session %s in %s: %s", session_id, directory, error.message)
        self.emit("failed", data)

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

    async def close_all(self, reason: Reason) -> None:
        """End every session of this process."""
        await asyncio.gather(*(self.close(session, reason) for session in [*self.live.values()]))


REPO_DIRECTORY = "repo"
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


def close_record(
    metadata: Metadata, session_id: str, reason: Reason, detail: str | None = None
) -> None:
    """Close the session's record, if it is open, and add its time to the statistics."""
    record = metadata.session(session_id)
    if record is None or record.ended_at is not None:
        return
    record.ended_at = utcnow()
    record.reason = reason
    record.detail = detail
    duration = (record.ended_at - record.started_at).total_seconds()
    metadata.statistics.total_duration_seconds += max(0.0, duration)
    metadata.last_accessed = max(metadata.last_accessed, record.ended_at)
