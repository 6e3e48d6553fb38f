"""A launcher at a desk: its runtime is on paper, everything else is real."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.exceptions import (
    RuntimeUnavailable,
)
from cognition_jupyter.kernels.launcher import Launcher
from cognition_jupyter.kernels.session import LiveSession
from cognition_jupyter.models import CreateProject, Metadata
from cognition_jupyter.runtimes.base import (
    ContainerSpec,
    Exit,
    Found,
    Guarantees,
    Health,
    Runtime,
    describe_exit,
)

ARGV = ["python3", "-f", "{connection_file}"]


class PaperRuntime(Runtime):
    """Containers are entries of a dictionary."""

    name = "docker"
    guarantees = Guarantees(isolated=False, network_off=True, limits=True, images=True)

    def __init__(self) -> None:
        super().__init__()
        self.containers: dict[str, ContainerSpec] = {}
        self.exits: dict[str, Exit] = {}
        self.slow = 0.0
        self.broken = False
        self.started = 0

    async def health(self) -> Health:
        return Health(self.name, True, True, "")

    async def start(self, spec: ContainerSpec) -> str:
        self.started += 1
        container_id = f"c{self.started}"
        try:
            await asyncio.sleep(self.slow)
            if self.broken:
                raise RuntimeUnavailable("The engine is made of paper.")
            self.containers[container_id] = spec
            await asyncio.sleep(self.slow)
        except BaseException:
            self.containers.pop(container_id, None)
            raise
        return container_id

    def exit_of(self, container_id: str) -> Exit | None:
        return self.exits.get(container_id)

    async def signal(self, container_id: str, signum: int) -> None:
        self.exits[container_id] = describe_exit(128 + signum)

    async def remove(self, container_id: str) -> None:
        await asyncio.sleep(self.slow)
        if self.broken:
            raise RuntimeUnavailable("The engine is made of paper.")
        self.containers.pop(container_id, None)

    async def found(self) -> list[Found]:
        return []


@dataclass
class Choice:
    """Always the same."""

    runtime: PaperRuntime
    noted: list[str] = field(default_factory=list)

    async def choose(self) -> Runtime:
        return self.runtime

    async def note_use(self, runtime: Runtime) -> None:
        self.noted.append(runtime.name)


class Desk:
    """A root with one project, a launcher, and what it has told."""

    def __init__(self, place: Path, hot_root: Path) -> None:
        config = Config({"RamDirectories": {"hot_root": str(hot_root)}})
        self.cognition = Cognition(place, config=config)
        self.cognition.open()
        self.store = self.cognition.store
        self.runtime = PaperRuntime()
        parts = self.cognition
        choice: Any = Choice(self.runtime)
        self.launcher = Launcher(
            self.store, choice, parts.policy, parts.ram, parts.hot, parts.owner
        )
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.launcher.emit = lambda action, data: self.told.append((action, data))
        self.project_id = ""

    async def create(self) -> None:
        made = await self.store.create(CreateProject(user_prefix="desk"))
        self.project_id = made.project_id

    @property
    def repo(self) -> Path:
        return self.store.paths(self.project_id).repo

    async def metadata(self) -> Metadata:
        return await self.store.get(self.project_id)

    async def start(self, session_id: str = "s") -> LiveSession:
        """What the provisioner does."""
        session = await self.launcher.open(session_id, str(self.repo))
        try:
            await self.launcher.launch(session, ARGV, {"key": "k"}, None)
        except BaseException:
            await self.launcher.close(session, "crashed")
            raise
        return session

    async def check_nothing_left(self) -> None:
        launcher = self.launcher
        assert not launcher.live and not launcher.knows("s") and not self.runtime.containers
        assert not (await self.metadata()).live_sessions
        assert not [*self.cognition.ram.base.glob(".s/*/*")]
