"""Reconcile: engine, records and directories agree again after a crash, here or elsewhere."""

from __future__ import annotations

import functools
import logging
from datetime import datetime

from traitlets import Float
from traitlets.config import LoggingConfigurable

from ..exceptions import CognitionError, RuntimeUnavailable
from ..kernels.launcher import Launcher
from ..kernels.records import close_record
from ..memory.hot import HotMemories
from ..memory.ram import RamDirectories
from ..models import Metadata, SessionRecord
from ..projects.files import in_thread
from ..projects.store import ProjectStore
from ..runtimes.base import Found, Runtime
from ..runtimes.choice import RuntimeChoice


class Reconcile(LoggingConfigurable):
    """Reaps what is left of processes that are gone, and of our own sessions that went wrong.

    Touches nothing of another live process.
    """

    interval = Float(60.0, help="Seconds between two runs; 0 runs it only at start.").tag(
        config=True
    )

    def __init__(
        self,
        store: ProjectStore,
        choice: RuntimeChoice,
        ram: RamDirectories,
        hot: HotMemories,
        launcher: Launcher,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self._store = store
        self._choice = choice
        self._ram = ram
        self._hot = hot
        self._launcher = launcher
        self._owner = launcher.owner.owner_id
        # Containers that the pass before this one could not place, by runtime.
        self._suspects: dict[str, set[str]] = {}

    async def run(self) -> None:
        """One pass. An engine that does not answer changes nothing of its containers."""
        await self._reap_containers()
        await self._close_records()
        await self._clean_directories()

    async def _reap_containers(self) -> None:
        for runtime in self._choice.for_reconcile():
            try:
                await self._reap(runtime)
            except RuntimeUnavailable as error:
                self._note_unavailable(runtime, error)

    async def _reap(self, runtime: Runtime) -> None:
        found = await runtime.found()
        suspects = {one.container_id for one in found if self._is_stray(one)}
        # One pass of grace: a container that is just coming or going is on no list for a moment.
        strays = suspects & self._suspects.get(runtime.name, set())
        self._suspects[runtime.name] = suspects
        for one in found:
            stray = one.container_id in strays and self._is_stray(one)
            if stray or await self._is_orphan(one):
                why = "nothing here uses it" if stray else "its server is gone"
                container = one.container_id[:12]
                self.log.warning("Removing container %s of %s: %s", container, one.project_id, why)
                await self._save_memory(one.project_id)
                await runtime.remove(one.container_id)

    async def _save_memory(self, project_id: str) -> None:
        """Snapshot what an orphan has left in RAM. Its label is only a claim of whose it is."""
        if project_id in await self._hot.in_ram():
            await self._hot.save(project_id, "reconcile")

    def _is_stray(self, found: Found) -> bool:
        """Whether it is ours and no session's, as after a start that took too long."""
        return found.owner == self._owner and not self._launcher.needs(found)

    async def _is_orphan(self, found: Found) -> bool:
        if found.owner == self._owner:
            return False
        return not await in_thread(self._store.directory.owner_is_alive)(found.owner)

    def _note_unavailable(self, runtime: Runtime, error: RuntimeUnavailable) -> None:
        # Without an engine `auto` works too; only say it where the engine is in use.
        used = any(session.runtime is runtime for session in self._launcher.live.values())
        level = logging.WARNING if used else logging.DEBUG
        self.log.log(level, "Reconcile: %s", error.message)

    async def _close_records(self) -> None:
        for project_id in await self._store.projects_with_live_sessions():
            try:
                await self._close_records_of(project_id)
            except (CognitionError, OSError) as error:  # one project must not keep the others
                self.log.warning("Reconcile: %s: %s", project_id, error)

    async def _close_records_of(self, project_id: str) -> None:
        metadata = await self._store.get(project_id)
        dead = [
            record.session_id for record in metadata.live_sessions if await self._is_over(record)
        ]
        if dead:
            await self._save_memory(project_id)
            await self._store.change(
                project_id, functools.partial(_end, session_ids=dead, now=self._store.now())
            )

    async def _is_over(self, record: SessionRecord) -> bool:
        if record.owner == self._owner:
            return not self._launcher.knows(record.session_id)
        return not await in_thread(self._store.directory.owner_is_alive)(record.owner)

    async def _clean_directories(self) -> None:
        await in_thread(self._remove_directories)()
        await in_thread(self._store.recover)()

    def _remove_directories(self) -> None:
        for owner in {*self._ram.owners(), *self._launcher.probes.owners()}:
            if not self._store.directory.owner_is_alive(owner):
                try:
                    self._ram.remove_owner(owner)
                    self._launcher.probes.remove_owner(owner)
                except OSError as error:
                    self.log.warning("Reconcile: directories of %s: %s", owner, error)


def _end(metadata: Metadata, session_ids: list[str], now: datetime) -> None:
    why = "The process that ran it was killed."
    for session_id in session_ids:
        close_record(metadata, session_id, "server_stopped", now, why)
