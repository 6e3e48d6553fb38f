"""Reconcile's part for directories in RAM: each belongs to a session or a project that is there."""

from __future__ import annotations

from ..exceptions import CognitionError
from ..projects.files import in_thread
from .mending import Parts, Suspects


class Directories:
    """Of this process and of those that are gone."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._unused = Suspects()
        self._forgotten = Suspects()

    async def mend(self, silent: bool) -> None:
        """One pass. `silent`: an engine may run containers that use them, and does not say."""
        if not silent:
            for owner in await in_thread(self._of_the_dead)():
                message = f"Directories of process {owner} were removed: it is gone."
                self._parts.tell("directories_removed", message)
            await self._remove_unused()
        await self._release_memory()
        await in_thread(self._parts.store.recover)()

    def _of_the_dead(self) -> list[str]:
        parts, removed = self._parts, []
        for owner in {*parts.ram.owners(), *parts.launcher.probes.owners()}:
            if not parts.store.directory.owner_is_alive(owner):
                try:
                    parts.ram.remove_owner(owner)
                    parts.launcher.probes.remove_owner(owner)
                    removed.append(owner)
                except OSError as error:
                    parts.log.warning("Reconcile: directories of %s: %s", owner, error)
        return removed

    async def _remove_unused(self) -> None:
        """Of our own: those of sessions that have ended, as when they could not be removed then."""
        parts = self._parts
        certain = self._unused.certain({*await in_thread(self._look)()})
        for name in sorted(certain):
            try:
                removed = await in_thread(self._remove)(name)
            except OSError as error:
                parts.log.warning("Reconcile: directory %s: %s", name, error)
                continue
            if removed:
                message = f"The directory {name} of a session was removed: that has ended."
                parts.tell("directories_removed", message)

    def _look(self) -> list[str]:
        launcher = self._parts.launcher
        known = {*launcher.live.copy(), *launcher.starting}
        return self._parts.ram.unused(self._parts.owner, known)

    def _remove(self, name: str) -> bool:
        # A session is known long before it makes its directory.
        still = name in self._look()
        if still:
            self._parts.ram.remove_unused(self._parts.owner, name)
        return still

    async def _release_memory(self) -> None:
        """Free the hot memory of projects that are no more. Not when the root's disk is away."""
        parts = self._parts
        gone = {p for p in await parts.hot.traces() if await self._is_gone(p)}
        for project_id in self._forgotten.certain(gone):
            try:
                if not await parts.hot.forget(project_id):
                    continue
            except (CognitionError, OSError) as error:
                parts.log.warning("Reconcile: memory of %s: %s", project_id, error)
                continue
            message = f"The RAM of {project_id} was freed: there is no such project any more."
            parts.tell("memory_released", message, project_id)

    async def _is_gone(self, project_id: str) -> bool:
        used = any(s.project_id == project_id for s in [*self._parts.launcher.live.values()])
        return not used and await in_thread(self._parts.store.directory.lacks)(project_id)
