"""What the doctor looks at, found out without making anything: the command may run anywhere."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from traitlets.config import Config, LoggingConfigurable

from ..exceptions import RootRefused
from ..kernels.policy import SessionPolicy
from ..maintenance.snapshots import MemorySnapshots
from ..memory.hot import HotMemories
from ..memory.ram import RamDirectories, hot_root_of
from ..projects.root import Root, read_marker
from ..projects.store import ProjectStore
from ..runtimes.choice import RuntimeChoice
from ..runtimes.docker import DockerRuntime


@dataclass(frozen=True)
class Marker:
    """What the root's marker says; `problem` where it can't be used."""

    uuid: str = ""
    runtime: str | None = None
    problem: str = ""


class Subject:
    """A root, there already or to come, and the parts a server on it would have."""

    def __init__(self, root: Path, config: Config, patience: float = 0) -> None:
        """`patience`: seconds a change in hot memory may be in no snapshot; 0 for the usual.

        Waits for the disk. Raises TraitError for a wrong configuration.
        """
        self.patience = patience
        self.root = Path(os.path.realpath(root))
        self.config = config
        self.store = ProjectStore(config=config)
        self.policy = SessionPolicy(config=config)
        # Only asked for its settings.
        self.snapshots = MemorySnapshots(self.store, cast(HotMemories, None), config=config)
        self.hot_root = hot_root_of(_trait(config, RamDirectories, "hot_root"))
        self.runtime = _trait(config, RuntimeChoice, "runtime")
        self.marker = _marker(self.root)

    @property
    def hot(self) -> Path:
        """Where the hot memory of the root's projects is, or will be."""
        return self.hot_root / self.marker.uuid

    def docker(self, root_uuid: str | None = None) -> DockerRuntime:
        """A runtime as sessions would have it. The caller closes it."""
        uuid = self.marker.uuid if root_uuid is None else root_uuid
        return DockerRuntime(root_uuid=uuid, config=self.config)

    def choice(self) -> RuntimeChoice:
        """What decides which runtime a session gets. The caller closes it."""
        # Of a root it asks no more than that, as long as no session starts.
        return RuntimeChoice(cast(Root, self.marker), config=self.config)


def _trait(config: Config, owner: type[LoggingConfigurable], name: str) -> str:
    """A configured value, else the default, of a class that makes something when it is made."""
    return str(config.get(owner.__name__, {}).get(name, owner.class_traits()[name].default_value))


def _marker(root: Path) -> Marker:
    try:
        found = read_marker(root)
    except FileNotFoundError:
        return Marker()
    except RootRefused as error:
        return Marker(problem=error.message)
    except OSError as error:
        return Marker(problem=f"{root} can't be looked into: {error.strerror}.")
    runtime = found.get("runtime")
    return Marker(str(found["uuid"]), runtime if isinstance(runtime, str) else None)


def user_name(uid: int | None = None) -> str:
    """A system user's name and number; by default ours."""
    uid = os.geteuid() if uid is None else uid
    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:
        return str(uid)
