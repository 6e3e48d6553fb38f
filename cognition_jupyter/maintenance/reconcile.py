"""Reconcile: engine, kernels, records and directories agree again, whatever went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from traitlets import Float
from traitlets.config import LoggingConfigurable

from ..exceptions import CognitionError, RuntimeUnavailable
from ..kernels.launcher import Launcher
from ..memory.hot import HotMemories
from ..memory.ram import RamDirectories
from ..projects.store import ProjectStore
from ..runtimes.base import Runtime
from ..runtimes.choice import RuntimeChoice
from .mending import Emit, Parts
from .reconcile_containers import Containers
from .reconcile_directories import Directories
from .reconcile_sessions import Sessions
from .remains import Remains


class Reconcile(LoggingConfigurable):
    """Mends what processes that are gone have left, and what went wrong with our own sessions.

    Touches nothing of another live process, and tells of each change why. A pass over what agrees
    tells nothing.
    """

    interval = Float(60.0, min=0, help="Seconds between two runs; 0 runs it only at start.").tag(
        config=True
    )

    def __init__(
        self,
        store: ProjectStore,
        choice: RuntimeChoice,
        ram: RamDirectories,
        hot: HotMemories,
        launcher: Launcher,
        remains: Remains,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self._choice = choice
        self._parts = Parts(store, ram, hot, launcher, remains, self.log)
        self._containers: dict[str, Containers] = {}
        self._sessions = Sessions(self._parts)
        self._directories = Directories(self._parts)
        # Engines that have run sessions of this root and do not answer.
        self._silent: dict[str, Runtime] = {}

    @property
    def emit(self) -> Emit:
        """Called on the event loop with what was mended and its data."""
        return self._parts.emit

    @emit.setter
    def emit(self, emit: Emit) -> None:
        self._parts.emit = emit

    def serve(self, kernels: Any, on_change: Callable[[], None]) -> None:
        """In a server: `kernels` is its kernel manager.

        `on_change` is called, from any thread, when an engine went or came back.
        """
        self._sessions.kernels = kernels
        for runtime in self._choice.for_reconcile():
            runtime.on_change = on_change

    async def run(self) -> None:
        """One pass. An engine that does not answer changes nothing. Raises OSError."""
        for runtime in self._choice.for_reconcile():
            await self._ask(runtime)
        await self._sessions.mend(self._silent)
        await self._directories.mend(bool(self._silent))

    async def is_answering_again(self) -> bool:
        """Whether one of the engines that did not answer the last pass would do so now."""
        return any([(await runtime.health()).available for runtime in self._silent.values()])

    async def _ask(self, runtime: Runtime) -> None:
        containers = self._containers.setdefault(runtime.name, Containers(self._parts, runtime))
        try:
            await containers.mend()
        except RuntimeUnavailable as error:
            await self._note_silence(runtime, error.message.rstrip("."))
            return
        if self._silent.pop(runtime.name, None) is not None:
            message = f"The engine of {runtime.name} answers again; what is its own was looked at."
            self._parts.tell("engine_back", message)

    async def _note_silence(self, runtime: Runtime, why: str) -> None:
        if runtime.name in self._silent:
            return
        if not await self._may_run_sessions(runtime):
            self.log.debug("Reconcile: %s", why)  # `auto` works without, too
            return
        self._silent[runtime.name] = runtime
        message = f"{why}; its containers, their records and directories stay as they are."
        self._parts.tell("engine_lost", message)

    async def _may_run_sessions(self, runtime: Runtime) -> bool:
        try:
            return await self._choice.used() == runtime.name
        except (CognitionError, OSError):  # nobody knows
            return True
