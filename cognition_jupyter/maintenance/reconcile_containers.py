"""Reconcile's part for an engine: its containers are sessions' that live, and these have theirs."""

from __future__ import annotations

from ..kernels.session import LiveSession
from ..projects.files import in_thread
from ..runtimes.base import Found, Runtime
from .mending import Parts, Suspects


class Containers:
    """Of one runtime. Touches no container of another live process."""

    def __init__(self, parts: Parts, runtime: Runtime) -> None:
        self._parts = parts
        self._runtime = runtime
        self._strays = Suspects()
        self._lost = Suspects()
        # With why; also those that went later than the engine answered.
        self._removing: dict[str, tuple[Found, str]] = {}

    async def mend(self) -> None:
        """One pass. Raises RuntimeUnavailable for an engine that does not answer."""
        found = await self._runtime.found()
        for gone in self._removing.keys() - {one.container_id for one in found}:
            self._tell_removed(gone)
        await self._remove_unneeded(found)
        await self._note_lost({one.container_id for one in found if one.running})

    async def _remove_unneeded(self, found: list[Found]) -> None:
        strays = self._strays.certain({one.container_id for one in found if self._is_stray(one)})
        for one in found:
            if one.container_id in strays and self._is_stray(one):
                await self._remove(one, "no session of this server uses it")
            elif await self._is_orphan(one):
                await self._remove(one, "the process that started it is gone")

    def _is_stray(self, found: Found) -> bool:
        """Whether it is ours and nobody needs it, as after a start that took too long."""
        parts = self._parts
        needed = parts.launcher.needs(found) or found.session_id in parts.remains.at_work
        return found.owner == parts.owner and not needed

    async def _is_orphan(self, found: Found) -> bool:
        if found.owner == self._parts.owner:
            return False
        return not await in_thread(self._parts.store.directory.owner_is_alive)(found.owner)

    async def _remove(self, found: Found, why: str) -> None:
        await self._parts.save_memory(found.project_id)  # a claim, and no harm if it is not true
        self._removing[found.container_id] = (found, why)
        await self._runtime.remove(found.container_id)
        self._tell_removed(found.container_id)

    def _tell_removed(self, container_id: str) -> None:
        found, why = self._removing.pop(container_id)
        message = f"Container {container_id[:12]} was removed: {why}."
        self._parts.tell("container_removed", message, found.project_id, found.session_id)

    async def _note_lost(self, running: set[str]) -> None:
        """Sessions whose container has ended without a word: their kernels are dead."""
        missing = {
            session.container_id: session
            for session in self._parts.launcher.live.values()
            if session.container_id and self._should_run(session)
        }
        certain = self._lost.certain(missing.keys() - running)
        for container_id in certain:
            # The list may be old by now: the engine's word on this one counts.
            if (ended := await self._runtime.look(container_id)) is not None:
                session = missing[container_id]
                message = f"Session {session.session_id} has lost its kernel: {ended.detail}"
                self._parts.tell("kernel_lost", message, session.project_id, session.session_id)

    def _should_run(self, session: LiveSession) -> bool:
        return session.runtime is self._runtime and session.exit is None and not session.closing
