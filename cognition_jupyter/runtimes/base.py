"""The interface of a runtime, and what passes through it."""

from __future__ import annotations

import asyncio
import signal
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from traitlets.config import LoggingConfigurable

from ..models import NetworkMode, Reason
from .usage import Usage

# Where things are inside, the same in every isolated runtime.
WORKSPACE = "/workspace"
HOT = "/memories/hot"
PERSISTENT = "/memories/persistent"
DEPS = "/deps"
TMP = "/tmp"
SOCKETS = "/run/cognition"


@dataclass(frozen=True)
class Mount:
    """A directory of the host and where the container sees it."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """All a runtime needs to start one container. Paths in it come from validated ids only."""

    root_uuid: str
    owner: str
    project_id: str
    session_id: str
    command: tuple[str, ...]
    environment: dict[str, str]
    working_directory: str
    mounts: tuple[Mount, ...]
    network_mode: NetworkMode
    user: tuple[int, int]
    image: str | None = None
    #: Beyond none, for work of our own on files of any owner; never for a session.
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exit:
    """How a container ended. `code` is as `docker wait` gives it: 128 + n for signal n."""

    code: int
    reason: Reason
    detail: str


@dataclass(frozen=True)
class Found:
    """A container of this root that the engine knows, by its labels. Labels are claims."""

    container_id: str
    owner: str
    project_id: str
    session_id: str
    running: bool = True


@dataclass(frozen=True)
class Health:
    """Whether sessions can be started now, and what they would get."""

    name: str
    available: bool
    isolated: bool
    detail: str


@dataclass(frozen=True)
class Guarantees:
    """What a runtime promises; what it does not is refused or said, never dropped in silence."""

    isolated: bool
    network_off: bool
    limits: bool
    images: bool
    strength: int = field(default=0)


class _Meta(ABCMeta, type(LoggingConfigurable)):  # type: ignore[misc]
    pass


class Runtime(ABC, LoggingConfigurable, metaclass=_Meta):  # type: ignore[metaclass]
    """Starts, watches and removes containers.

    Public methods are coroutines that never wait on the event loop; `exit_of` answers from what is
    known. An engine that does not answer is RuntimeUnavailable, and never "not there".
    """

    name: ClassVar[str]
    guarantees: ClassVar[Guarantees]
    #: What stands for `python` in a kernelspec's argv.
    python: ClassVar[str] = "python3"
    #: Environment besides the common list: where this runtime's programs and packages are.
    environment: ClassVar[dict[str, str]] = {}

    def __init__(self, root_uuid: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root_uuid = root_uuid
        #: Called, from any thread, when the engine is found to have gone or to have come back.
        self.on_change: Callable[[], None] = lambda: None

    def inside(self, path: str, mounts: tuple[Mount, ...]) -> str:
        """Where code in the container finds the container path `path`."""
        return path

    @abstractmethod
    async def health(self) -> Health:
        """Ask whether sessions can be started now; bounded in time, raises nothing."""

    @abstractmethod
    async def start(self, spec: ContainerSpec) -> str:
        """Start a container; its id. Raises RuntimeUnavailable, Forbidden; then none is left.

        If the engine can't say, it is removed as soon as the engine can. A command that can't be
        run may also show as an exit, at once.
        """

    @abstractmethod
    def exit_of(self, container_id: str) -> Exit | None:
        """How the container ended; None while it runs or while nothing is known. No I/O.

        Containers of this process are still known for a while when they have been removed.
        """

    async def look(self, container_id: str) -> Exit | None:
        """As `exit_of`, but asked for, should the runtime not have been told. The default knows.

        Raises RuntimeUnavailable.
        """
        return self.exit_of(container_id)

    @abstractmethod
    async def signal(self, container_id: str, signum: int) -> None:
        """Send a signal; no error if the container is gone."""

    @abstractmethod
    async def remove(self, container_id: str) -> None:
        """Kill the container, with all that runs in it; no error if it is gone.

        After RuntimeUnavailable it is removed as soon as the engine can, at a later `found`.
        """

    async def usage(self, container_id: str) -> Usage:
        """What the container uses of the machine now. Raises nothing: what is not known is None."""
        return Usage()

    @abstractmethod
    async def found(self) -> list[Found]:
        """The containers of this root, whoever started them."""

    async def close(self) -> None:
        """Let go of connections and threads. Containers are not touched."""

    async def wait(self, container_id: str, timeout: float = 30.0) -> Exit | None:
        """Wait until the container has ended; None if `timeout` seconds pass first."""
        deadline = asyncio.get_running_loop().time() + timeout
        while (ended := self.exit_of(container_id)) is None:
            if asyncio.get_running_loop().time() > deadline:
                return None
            await asyncio.sleep(0.01)
        return ended


def describe_exit(code: int, out_of_memory: bool = False) -> Exit:
    """An Exit with its sentence, from an exit code and what is known about memory."""
    if out_of_memory and code == 137:  # else it was a process that the kernel had started
        return Exit(code, "out_of_memory", "The kernel needed more memory than it may have.")
    if 128 < code <= 128 + signal.SIGRTMAX:
        return Exit(code, "crashed", f"The kernel was ended by signal {code - 128}.")
    return Exit(code, "crashed", f"The kernel exited with status {code}.")
