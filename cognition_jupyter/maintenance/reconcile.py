"""Reconcile: engine, records and directories agree again after a crash, here or elsewhere."""

from __future__ import annotations

import functools

from traitlets import Float
from traitlets.config import LoggingConfigurable

from ..exceptions import BrokenProject, NotFound, RuntimeUnavailable
from ..kernels.launcher import Launcher, close_record
from ..memory.ram import RamDirectories
from ..models import Metadata
from ..projects.files import in_thread
from ..projects.store import ProjectStore
from ..runtimes.base import Found, Runtime
from ..runtimes.choice import RuntimeChoice


class Reconcile(LoggingConfigurable):
    """Reaps what processes that are gone left behind. Touches nothing of a live one."""

    interval = Float(60.0, help="Seconds between two runs; 0 runs it only at start.").tag(
        config=True
    )

    def __init__(
        self,
        store: ProjectStore,
        choice: RuntimeChoice,
        ram: RamDirectories,
        launcher: Launcher,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self._store = store
        self._choice = choice
        self._ram = ram
        self._launcher = launcher

    async def run(self) -> None:
        """One pass. An engine that does not answer changes nothing of its containers."""
        await self._reap_containers()
        await self._close_records()
        await self._clean_directories()

    async def _reap_containers(self) -> None:
        for runtime in self._choice.for_reconcile():
            try:
                for found in await runtime.found():
                    if await self._is_orphan(found):
                        self.log.warning(
                            "Removing container %s of %s: its server is gone",
                            found.container_id[:12],
                            found.project_id,
                        )
                        await runtime.remove(found.container_id)
            except RuntimeUnavailable as error:
                self._note_unavailable(runtime, error)

    def _note_unavailable(self, runtime: Runtime, error: RuntimeUnavailable) -> None:
        # Without an engine `auto` works too; only say it where the engine is in use.
        used = any(session.runtime is runtime for session in self._launcher.live.values())
        self.log.log(30 if used else 10, "Reconcile: %s", error.message)

    async def _is_orphan(self, found: Found) -> bool:
        if found.owner == self._launcher.owner.owner_id:
            return False
        return not await in_thread(self._store.directory.owner_is_alive)(found.owner)

    async def _close_records(self) -> None:
        for project_id in await self._store.projects_with_live_sessions():
            try:
                metadata = await self._store.get(project_id)
                dead = [
                    record.session_id
                    for record in metadata.live_sessions
                    if not await in_thread(self._store.directory.owner_is_alive)(record.owner)
                ]
                if dead:
                    await self._store.change(project_id, functools.partial(_end, session_ids=dead))
            except (NotFound, BrokenProject) as error:
                self.log.debug("Reconcile: %s", error.message)

    async def _clean_directories(self) -> None:
        for owner in await in_thread(self._ram.owners)():
            if not await in_thread(self._store.directory.owner_is_alive)(owner):
                await in_thread(self._ram.remove_owner)(owner)
        await in_thread(self._store.recover)()


def _end(metadata: Metadata, session_ids: list[str]) -> None:
    for session_id in session_ids:
        close_record(metadata, session_id, "server_stopped", "The server was killed.")
