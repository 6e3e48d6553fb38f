"""Cognition: everything that works on one root, built from configuration.

The server, the provisioner and the command line stand on it; a provisioner may run with no server.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, ClassVar

from jupyter_core.application import JupyterApp
from traitlets.config import Config, LoggingConfigurable

from .exceptions import Forbidden, InvalidInput
from .kernels.launcher import Launcher
from .kernels.policy import SessionPolicy
from .maintenance.reconcile import Reconcile
from .memory.ram import RamDirectories
from .projects.files import in_thread
from .projects.git import GitClone
from .projects.root import find_marked_root
from .projects.store import ProjectStore
from .runtimes.choice import RUNTIMES, RuntimeChoice


class Cognition(LoggingConfigurable):
    """The parts, wired. Opening it takes the owner's lock; closing gives it back."""

    classes: ClassVar[list[type[LoggingConfigurable]]] = [
        ProjectStore,
        GitClone,
        RuntimeChoice,
        SessionPolicy,
        RamDirectories,
        Reconcile,
        *RUNTIMES.values(),
    ]
    _served: ClassVar[list[Cognition]] = []
    _unserved: ClassVar[dict[Path, Cognition]] = {}
    _opening: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, jupyter_root: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: The directory that Jupyter's contents API shows; links to projects are relative to it.
        self.jupyter_root = Path(os.path.realpath(jupyter_root))
        self.store = ProjectStore(parent=self)
        self.git = GitClone(parent=self)
        self.policy = SessionPolicy(parent=self)

    def open(self) -> None:
        """Open the root and what stands on it. Waits for the disk. Raises RootRefused."""
        root = Path(self.store.root or self.jupyter_root / "workspaces").expanduser()
        self.store.open(self.jupyter_root / root)
        self.owner = self.store.directory.register_owner()
        self.ram = RamDirectories(self.store.directory, self.store.user, parent=self)
        self.choice = RuntimeChoice(self.store.directory, parent=self)
        self.launcher = Launcher(
            self.store, self.choice, self.policy, self.ram, self.owner, parent=self
        )
        self.reconcile = Reconcile(self.store, self.choice, self.ram, self.launcher, parent=self)

    async def close(self) -> None:
        """Let go of everything. Sessions must have ended."""
        await self.choice.close()
        self.ram.remove_owner(self.owner.owner_id)
        self.store.close()
        self.owner.release()

    def contents_path(self, project_id: str) -> str | None:
        """The project's folder as Jupyter's contents API names it; None when it is outside."""
        repo = self.store.paths(project_id).repo
        if not repo.is_relative_to(self.jupyter_root):
            return None
        return repo.relative_to(self.jupyter_root).as_posix()

    # -- who serves a directory ------------------------------------------------------------

    def serve(self) -> None:
        """Let this process's provisioners use this one."""
        self._served.append(self)

    def stop_serving(self) -> None:
        """The opposite of `serve`."""
        self._served.remove(self)

    @classmethod
    async def launcher_for(cls, directory: str) -> Launcher:
        """The launcher for a kernel in `directory`: the server's, or one of our own without it."""
        return (await in_thread(cls._for)(directory)).launcher

    @classmethod
    def _for(cls, directory: str) -> Cognition:
        if cls._served:
            real = Path(os.path.realpath(directory))
            for served in cls._served:
                if real.is_relative_to(served.store.directory.path):
                    return served
            return cls._served[-1]  # it will refuse with a sentence
        with cls._opening:
            config = load_config()
            configured = config.get("ProjectStore", {}).get("root")
            root = (
                Path(configured)
                if configured
                else find_marked_root(Path(os.path.realpath(directory)))
            )
            if root is None:
                raise Forbidden(
                    f"{directory} is in no project: there is no root of projects at or above it.",
                    "not_in_a_project",
                )
            if root not in cls._unserved:
                config.ProjectStore.root = str(root)
                made = cls(root, config=config)
                made.open()
                cls._unserved[root] = made
            return cls._unserved[root]


class _ConfigLoader(JupyterApp):
    """Reads `jupyter_cognition_config` as a Jupyter application does, and nothing else."""

    name = "jupyter-cognition"
    config_file_name = "jupyter_cognition_config"


def load_config() -> Config:
    """The administrator's policy where no server has read it. Raises InvalidInput."""
    loader = _ConfigLoader()
    loader.raise_config_file_errors = True
    try:
        loader.load_config_file()
    except Exception as error:  # any code may stand in a configuration file
        raise InvalidInput(
            f"jupyter_cognition_config can't be read: {error}", "bad_config"
        ) from None
    return Config(loader.config)
