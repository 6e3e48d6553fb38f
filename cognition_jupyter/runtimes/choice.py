"""Which runtime sessions get: the configured one, or for `auto` the strongest that works."""

from __future__ import annotations

from traitlets import Enum
from traitlets.config import LoggingConfigurable

from ..exceptions import RuntimeUnavailable
from ..projects.files import in_thread
from ..projects.root import Root
from .base import Health, Runtime
from .bubblewrap import BubblewrapRuntime
from .docker import DockerRuntime
from .process import ProcessRuntime

RUNTIMES: dict[str, type[Runtime]] = {
    runtime.name: runtime for runtime in (DockerRuntime, BubblewrapRuntime, ProcessRuntime)
}


class RuntimeChoice(LoggingConfigurable):
    """Makes runtimes and decides between them; remembers the decision for the process."""

    runtime = Enum(
        ["auto", *RUNTIMES],
        "auto",
        help="What starts the sessions. `auto`: docker if an engine answers, else bubblewrap if it "
        "works, and never a weaker one than the root's sessions have had before. `process` does "
        "not isolate at all.",
    ).tag(config=True)

    def __init__(self, root: Root, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._root = root
        self._made: dict[str, Runtime] = {}
        self._chosen: Runtime | None = None

    def _make(self, name: str) -> Runtime:
        if name not in self._made:
            self._made[name] = RUNTIMES[name](root_uuid=self._root.uuid, parent=self)
        return self._made[name]

    async def choose(self) -> Runtime:
        """The runtime for a session that starts now. Raises RuntimeUnavailable."""
        if self._chosen is None:
            self._chosen = await self._decide()
        return self._chosen

    async def _decide(self) -> Runtime:
        if self.runtime != "auto":
            return self._make(self.runtime)
        used = await in_thread(lambda: self._root.runtime)()
        floor = RUNTIMES[used].guarantees.strength if used in RUNTIMES else 1
        problems = []
        for name in ("docker", "bubblewrap"):
            runtime = self._make(name)
            if runtime.guarantees.strength < floor:
                problems.append(f"this root has used {used}, so that {name} would be weaker")
                continue
            health = await runtime.health()
            if health.available:
                return runtime
            problems.append(health.detail.rstrip("."))
        raise RuntimeUnavailable(
            f"No runtime can start sessions: {'; '.join(problems)}. Start or install a Docker "
            "engine or bubblewrap, or set RuntimeChoice.runtime."
        )

    async def note_use(self, runtime: Runtime) -> None:
        """A session has started on `runtime`; `auto` will not go below it again."""
        await self._remember(runtime)

    @in_thread
    def _remember(self, runtime: Runtime) -> None:
        used = self._root.runtime
        if used not in RUNTIMES or RUNTIMES[used].guarantees.strength < runtime.guarantees.strength:
            self._root.remember_runtime(runtime.name)

    async def health(self) -> Health:
        """The state of the runtime that the next session would get; raises nothing."""
        try:
            return await (await self.choose()).health()
        except RuntimeUnavailable as error:
            return Health(self.runtime, False, False, error.message)

    @property
    def made(self) -> list[Runtime]:
        """The runtimes made so far; reconcile asks each for its containers."""
        return list(self._made.values())

    def for_reconcile(self) -> list[Runtime]:
        """The runtimes whose containers may outlive a server."""
        if self.runtime in ("auto", "docker"):
            self._make("docker")
        return self.made

    async def close(self) -> None:
        """Close all of them."""
        for runtime in self._made.values():
            await runtime.close()
