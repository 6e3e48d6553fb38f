"""Which runtime sessions get: the configured one, or for `auto` the strongest that works."""

from __future__ import annotations

from traitlets import Enum
from traitlets.config import LoggingConfigurable

from ..exceptions import CognitionError, RuntimeUnavailable
from ..projects.files import in_thread
from ..projects.root import Root
from .base import Health, Runtime
from .bubblewrap import BubblewrapRuntime
from .docker import DockerRuntime
from .process import ProcessRuntime

RUNTIMES: dict[str, type[Runtime]] = {
    runtime.name: runtime for runtime in (DockerRuntime, BubblewrapRuntime, ProcessRuntime)
}
_AUTO = ("docker", "bubblewrap")  # the strongest first
_STRONGEST = max(runtime.guarantees.strength for runtime in RUNTIMES.values())


class RuntimeChoice(LoggingConfigurable):
    """Makes the runtimes and decides between them; remembers the decision for the process."""

    runtime = Enum(
        ["auto", *RUNTIMES],
        "auto",
        help="What starts the sessions. `auto`: docker if an engine answers, else bubblewrap if it "
        "works, and never a weaker one than the root's sessions have had before. `process` does "
        "not isolate at all.",
    ).tag(config=True)

    def __init__(self, root: Root, **kwargs: object) -> None:
        """Make all runtimes, so that a wrong trait of one stops the start; none connects yet."""
        super().__init__(**kwargs)
        self._root = root
        self._runtimes = {
            name: runtime(root_uuid=root.uuid, parent=self) for name, runtime in RUNTIMES.items()
        }
        self._used_before = root.runtime
        self._chosen: Runtime | None = None

    async def choose(self) -> Runtime:
        """The runtime for a session that starts now. Raises RuntimeUnavailable."""
        if self._chosen is None:
            self._chosen = await self._decide()
        return self._chosen

    async def _decide(self) -> Runtime:
        if self.runtime != "auto":
            return self._runtimes[self.runtime]
        used = await self.used()
        floor = _strength(used)
        problems = []
        for name in _AUTO:
            runtime = self._runtimes[name]
            if runtime.guarantees.strength < floor:
                problems.append(f"this root has used {used}, so that {name} would be weaker")
                continue
            health = await runtime.health()
            if health.available:
                if problems:
                    self.log.warning("Sessions run in %s: %s.", name, "; ".join(problems))
                return runtime
            problems.append(health.detail.rstrip("."))
        raise RuntimeUnavailable(
            f"No runtime can start sessions: {'; '.join(problems)}. Start or install a Docker "
            "engine or bubblewrap, or set RuntimeChoice.runtime."
        )

    @in_thread
    def used(self) -> str | None:
        """The strongest runtime of this root so far, other servers' included.

        Raises RootRefused, OSError.
        """
        return self._root.runtime

    async def note_use(self, runtime: Runtime) -> None:
        """A session has started on `runtime`; `auto` will not go below it again."""
        await self._remember(runtime)

    @in_thread
    def _remember(self, runtime: Runtime) -> None:
        used = self._root.runtime
        if used is None or _strength(used) < runtime.guarantees.strength:
            self._root.remember_runtime(runtime.name)

    async def health(self) -> Health:
        """The state of the runtime that the next session would get; raises nothing."""
        try:
            return await (await self.choose()).health()
        except CognitionError as error:
            return Health(self.runtime, False, False, error.message)
        except OSError as error:
            return Health(self.runtime, False, False, f"The root can't be read: {error}.")

    def for_reconcile(self) -> list[Runtime]:
        """The runtimes whose containers may have outlived a server: docker's, if it is in use."""
        in_use = self.runtime in ("auto", "docker") or self._used_before == "docker"
        return [self._runtimes["docker"]] if in_use else []

    async def projects_in_use(self) -> set[str]:
        """Projects that a container runs on, whoever has started it.

        Raises RuntimeUnavailable when an engine that has run sessions of this root does not
        answer: then nobody knows.
        """
        projects = set()
        for runtime in self.for_reconcile():
            try:
                projects |= {one.project_id for one in await runtime.found()}
            except RuntimeUnavailable:
                if await self.used() == runtime.name:
                    raise
        return projects

    async def close(self) -> None:
        """Close all of them."""
        for runtime in self._runtimes.values():
            await runtime.close()


def _strength(used: str | None) -> int:
    """At least how strong `auto` must be. What a later release has used we can't judge."""
    if used is None:
        return 1
    return RUNTIMES[used].guarantees.strength if used in RUNTIMES else _STRONGEST
