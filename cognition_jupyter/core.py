"""Cognition: everything that works on one root, built from configuration.

The server, the provisioner and the command line stand on it; a provisioner may run with no server.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import pwd
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

from jupyter_core.application import JupyterApp
from traitlets import TraitError
from traitlets.config import Config, LoggingConfigurable

from .archive.archives import Archives
from .audit import AuditLog
from .events import Events
from .exceptions import Forbidden, InvalidInput
from .kernels.launcher import Launcher
from .kernels.policy import SessionPolicy
from .maintenance.cleanup import Cleanup
from .maintenance.reconcile import Reconcile
from .maintenance.remains import Remains
from .maintenance.removal import Removal
from .maintenance.snapshots import MemorySnapshots
from .memory.hot import HotMemories
from .memory.memories import Memories
from .memory.ram import RamDirectories
from .memory.routes import MemorySettings
from .memory.usage import ProjectUsage
from .models import ProjectConfig
from .projects.files import in_thread
from .projects.git import GitClone
from .projects.root import find_marked_root
from .projects.store import ProjectStore
from .projects.templates import ProjectTemplates
from .runtimes.choice import RUNTIMES, RuntimeChoice


class Cognition(LoggingConfigurable):
    """The parts, wired. Opening it takes the owner's lock; closing gives it back."""

    classes: ClassVar[list[type[LoggingConfigurable]]] = [
        ProjectStore,
        GitClone,
        ProjectTemplates,
        RuntimeChoice,
        SessionPolicy,
        RamDirectories,
        MemorySettings,
        ProjectUsage,
        MemorySnapshots,
        Cleanup,
        Reconcile,
        Archives,
        AuditLog,
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
        self.templates = ProjectTemplates(parent=self)
        self.policy = SessionPolicy(parent=self)
        self.memory_settings = MemorySettings(parent=self)
        self.events = Events(self.log)
        self.audit = AuditLog(parent=self)

    def open(self) -> None:
        """Open the root and what stands on it. Waits for the disk.

        Raises RootRefused, TraitError.
        """
        root = Path(self.store.root or self.jupyter_root / "workspaces").expanduser()
        self.store.open(self.jupyter_root / root)
        self.owner = self.store.directory.register_owner()
        try:
            self.ram = RamDirectories(self.store.directory, self.store.user, parent=self)
            settings = self.memory_settings
            settings.check()
            self.hot = HotMemories(self.store, self.ram, settings, parent=self)
            self.hot.emit = self.events.of("memory")
            self.memories = Memories(self.store, self.ram, settings, self.hot)
            self.usage = ProjectUsage(self.store, parent=self)
            self.archives = Archives(
                self.store,
                self.hot,
                self.check,
                self.git,
                self.events.of("project"),
                parent=self,
            )
            self.snapshots = MemorySnapshots(self.store, self.hot, parent=self)
            self.choice = RuntimeChoice(self.store.directory, parent=self)
            owner_id, image = self.owner.owner_id, self.policy.image
            self.remains = Remains(self.store, self.choice, owner_id, image, self.log)
            self.removal = Removal(self.store, self.hot, self.remains, self.events)
            self.cleanup = Cleanup(
                self.store, self.choice, self.removal, self.remains, self.events, parent=self
            )
            self.launcher = Launcher(
                self.store, self.choice, self.policy, self.ram, self.hot, self.owner, parent=self
            )
            self.launcher.emit = self.events.of("session")
            self.reconcile = Reconcile(
                self.store,
                self.choice,
                self.ram,
                self.hot,
                self.launcher,
                self.remains,
                parent=self,
            )
            self.reconcile.emit = self.events.of("reconcile")
            # Last: nothing that could fail comes after it.
            if self.audit.open((self.store.directory.path, self.ram.base.parent)):
                self.events.subscribe(self.audit.note)
        except BaseException:
            self.store.close()
            self.owner.release()
            raise

    async def close(self) -> None:
        """Let go of everything. Sessions must have ended."""
        try:
            await self.archives.close()
            await self.choice.close()
        finally:
            await in_thread(self._let_go)()

    def _let_go(self) -> None:
        try:
            self.ram.remove_owner(self.owner.owner_id)
            self.launcher.probes.remove_owner(self.owner.owner_id)
            self.store.close()
        finally:
            self.audit.close()
            # Last: from now on, what is left of us may be reaped by anybody.
            self.owner.release()

    def check(self, config: ProjectConfig) -> None:
        """Hold what a project asks for against the administrator's policy."""
        self.policy.check(config)
        self.memories.check(config)

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
        """The launcher for a kernel in `directory`: the server's, or one of our own without it.

        Raises Forbidden where there is no server and no root, InvalidInput, RootRefused.
        """
        made, new = await in_thread(cls._for)(directory)
        if new:
            await made.reconcile.run()  # nobody else might ever come by
        return made.launcher

    @classmethod
    def _for(cls, directory: str) -> tuple[Cognition, bool]:
        if not cls._served:
            return cls._without_server(directory)
        real = Path(os.path.realpath(directory))
        inside = [s for s in cls._served if real.is_relative_to(s.store.directory.path)]
        # A server's last word on any other place is a sentence of its launcher.
        return (inside or cls._served)[-1], False

    @classmethod
    def _without_server(cls, directory: str) -> tuple[Cognition, bool]:
        """The one of the root that `directory` is in, and whether it is new. Waits for the disk."""
        config = load_config()
        real = Path(os.path.realpath(directory))
        root = root_without_server(config, real)
        if root is None or not real.is_relative_to(root := Path(os.path.realpath(root))):
            where = "at or above it" if root is None else f"but {root}"
            raise Forbidden(
                f"{directory} is in no project: there is no root of projects {where}.",
                "not_in_a_project",
            )
        with cls._opening:
            new = root not in cls._unserved
            if new:
                made = cls._open_unserved(root, config)
                made._end_with_the_program()
                cls._unserved[root] = made
            return cls._unserved[root], new

    @classmethod
    def _open_unserved(cls, root: Path, config: Config) -> Cognition:
        config = deepcopy(config)
        config.ProjectStore.root = str(root)
        try:
            made = cls(root, config=config)
            made.events.who = _who
            made.open()
        except TraitError as error:
            sentence = f"jupyter_cognition_config: {str(error).rstrip('.')}."
            raise InvalidInput(sentence, "bad_config") from None
        return made

    @classmethod
    @asynccontextmanager
    async def unserved(cls, root: Path, config: Config) -> AsyncIterator[Cognition]:
        """One for as long as a command needs it, beside whatever servers use the root.

        Raises RootRefused, InvalidInput for a wrong configuration.
        """
        made = cls._open_unserved(root, config)  # here: a thread's result could be left unclosed
        try:
            yield made
        finally:
            await made.close()

    def _end_with_the_program(self) -> None:
        """End the sessions that a program leaves behind at its exit, as kernels end with it."""
        pid = os.getpid()

        def end() -> None:
            if os.getpid() != pid:
                return  # a fork of the program: its parent goes on
            try:
                asyncio.run(self._end())
            except Exception as error:  # the program is over: all that can be done is to tell
                self.log.warning("Sessions are left to the next server: %s", error)

        # At `atexit` no thread works any more, and all our work is done in threads. This is what
        # concurrent.futures itself uses; registered later, it is called earlier.
        register = getattr(threading, "_register_atexit", atexit.register)
        register(end)

    async def _end(self) -> None:
        await self.launcher.close_all("client")
        await self.close()


def _who() -> str:
    """The user of a program that is no server, by name where there is one."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


class _ConfigLoader(JupyterApp):
    """Reads `jupyter_cognition_config` as a Jupyter application does, and nothing else."""

    name = "jupyter-cognition"
    config_file_name = "jupyter_cognition_config"


def root_without_server(config: Config, directory: Path) -> Path | None:
    """The root that is configured, else the outermost marked one at or above `directory`."""
    configured = Path(config.get("ProjectStore", {}).get("root") or "").expanduser()
    # A relative root is meant below a server's directory, which nobody knows here.
    return configured if configured.is_absolute() else find_marked_root(directory)


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
