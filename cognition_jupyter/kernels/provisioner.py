"""The kernel provisioner: Jupyter's kernel manager on one side, the launcher on the other.

It also runs where there is no server (`jupyter execute`, `jupyter console`, nbconvert), often under
event loops that live for one call: nothing here keeps a task or an asyncio object between calls.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import KernelManager
from jupyter_client.multikernelmanager import MultiKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from ..core import Cognition
from ..exceptions import Conflict, NotFound, RuntimeUnavailable
from ..models import NetworkMode, Reason
from ..runtimes.base import WORKSPACE
from . import jupyter
from .container import CHANNELS
from .launcher import Launcher
from .session import LiveSession


class CognitionProvisioner(KernelProvisionerBase):
    """Runs one kernel in a container of the project that its directory lies in."""

    _launcher: Launcher | None = None
    _session: LiveSession | None = None
    # The notebook at the first launch, as JPY_SESSION_NAME says; may be inherited from anywhere.
    _notebook: str | None = None
    _opened = False
    # Why the kernel ends, when it was asked to.
    _asked: Reason | None = None
    _cleaning: asyncio.Future[Any] | None = None

    @property
    def _manager(self) -> KernelManager:
        """The kernel manager; the factory gives every provisioner its own as parent."""
        return cast("KernelManager", self.parent)

    # -- start -----------------------------------------------------------------------------

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Called by the kernel manager before each launch, the relaunches too.

        `cwd` tells the project; `network_mode` (only our own REST passes it) overrides the
        project's. Raises a CognitionError and leaves nothing behind.
        """
        directory = str(kwargs.get("cwd") or os.getcwd())
        notebook = (kwargs.get("env") or {}).get("JPY_SESSION_NAME", "")
        try:
            if self._launcher is None:
                self._launcher = await Cognition.launcher_for(directory)
            if self._session is None:
                self._check_may_open()
                mode = cast("NetworkMode | None", kwargs.get("network_mode"))
                self._session = await self._launcher.open(self._id, directory, mode)
                self._notebook, self._opened = notebook, True
                self._session.is_held = jupyter.holder(self._manager, self._id)
            else:
                # Moving a notebook changes its name here and not the directory.
                moved = notebook != self._notebook and os.path.isabs(notebook)
                directory = os.path.dirname(notebook) if moved else directory
                await self._launcher.recheck(self._session, directory)
        except BaseException as error:
            await self._fail(error, directory)
            raise
        self._asked = None
        self._point_manager_at(self._session)
        kwargs["cmd"] = [*self.kernel_spec.argv, *kwargs.pop("extra_arguments", [])]
        return kwargs

    def _check_may_open(self) -> None:
        """Refuse a restart that comes after the end: no list would have that kernel.

        A kernel manager by itself may well be started again.
        """
        if self._opened and isinstance(self._manager.parent, MultiKernelManager):
            raise Conflict(f"Session {self._id} has been ended.", "session_ended")

    @property
    def _id(self) -> str:
        return str(self.kernel_id)

    def _point_manager_at(self, session: LiveSession) -> None:
        """Give the kernel manager the host's end of the sockets; the same after each restart."""
        manager = self._manager
        manager.transport = "ipc"
        manager.ip = session.socket_prefix
        for port, channel in enumerate(CHANNELS, 1):
            setattr(manager, f"{channel}_port", port)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start a fresh container; returns the host's connection information."""
        launcher, session, manager = self._launcher, self._session, self._manager
        assert launcher is not None and session is not None
        connection = {
            "key": manager.session.key.decode(),
            "signature_scheme": manager.session.signature_scheme,
            "kernel_name": manager.kernel_name,
        }
        notebook = (kwargs.get("env") or {}).get("JPY_SESSION_NAME")
        try:
            await launcher.launch(session, cmd, connection, notebook)
        except BaseException as error:
            await self._fail(error, str(session.directory))
            raise
        self.connection_info = manager.get_connection_info()
        return self.connection_info

    async def post_launch(self, **kwargs: Any) -> None:
        """Called after each launch, when the restarter watches."""
        jupyter.on_death(self._manager, self._given_up)

    async def _fail(self, error: BaseException, directory: str) -> None:
        """Release everything after a failed launch; jupyter_client cleans up nothing then."""
        session, self._session = self._session, None
        if self._launcher is None:
            return
        if not isinstance(error, asyncio.CancelledError):
            self._launcher.report_failure(self._id, directory, error)
        if session is None:
            return
        relaunch = session.launches > 0
        await self._launcher.close(
            session, _reason(error, session, self._asked), str(error) or None
        )
        if relaunch:
            jupyter.declare_dead(self._manager)

    # -- watch -----------------------------------------------------------------------------

    @property
    def has_process(self) -> bool:
        """Whether there is a container that was launched and not yet removed or given up."""
        session = self._session
        return session is not None and bool(session.container_id) and not session.unreachable

    @property
    def is_over(self) -> bool:
        """Whether there was a session, and it has ended."""
        session = self._session
        lives = self._launcher is not None and self._launcher.live.get(self._id) is session
        return self._opened and (session is None or not lives)

    async def poll(self) -> int | None:
        """Exit status, or None while the kernel runs *or nothing is known*. No I/O."""
        if self._session is None or not self.has_process:
            return 0
        ended = self._session.exit
        return None if ended is None else ended.code

    async def wait(self) -> int | None:
        """Called when the kernel is known to have ended, so that this returns at once."""
        if self._session is None or self._session.container_id is None:
            return 0
        ended = await self._session.runtime.wait(self._session.container_id, timeout=10)
        return None if ended is None else ended.code

    # -- stop ------------------------------------------------------------------------------

    async def send_signal(self, signum: int) -> None:
        """Signal the container. Raises RuntimeUnavailable."""
        session = self._session
        if session is not None and session.container_id is not None:
            await session.runtime.signal(session.container_id, signum)

    async def _stop(self, signum: int) -> None:
        """Signal the container to end it; if the engine does not answer, give it up.

        Jupyter then goes on with the shutdown at once, and what is left is reaped by reconcile.
        """
        session = self._session
        if session is None or session.exit is not None:
            return
        self._asked = self._asked or "client"
        try:
            await self.send_signal(signum)
        except RuntimeUnavailable as error:
            session.unreachable = True
            self.log.warning("Kernel %s: signal %d: %s", self._id, signum, error.message)

    async def kill(self, restart: bool = False) -> None:
        """Called for a restart as for a shutdown; `restart` is not to be trusted here."""
        await self._stop(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """Called when the kernel took too long to shut down."""
        await self._stop(signal.SIGTERM)

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Called after the shutdown message was sent: what ends from now on was asked to."""
        if self._session is not None and self._session.exit is None:
            culled = not restart and jupyter.is_culled(self._manager, self._id)
            self._asked = "idle" if culled else "client"

    async def cleanup(self, restart: bool = False) -> None:
        """Called last. Before a restart only the container goes; else the session ends."""
        session = self._session
        if session is None or self._launcher is None:
            return
        if restart:
            session.death = None if self._asked else session.exit
            await self._launcher.remove_container(session)
        else:
            self._session = None
            await self._launcher.close(session, self._asked)

    def _given_up(self) -> None:
        """Called by the restarter when the kernel died too often, or could not be relaunched."""
        jupyter.release(self._manager, self._id)
        self._cleaning = asyncio.ensure_future(self.cleanup())

    # -- the rest --------------------------------------------------------------------------

    def resolve_path(self, path: str) -> str | None:
        """`path` as code in the kernel would say it, when it is an existing file of the project."""
        session = self._session
        if session is None:
            return None
        repo = Path(session.mounts[0].source)
        inside = session.runtime.inside(WORKSPACE, session.mounts)
        if os.path.isabs(path):
            if not path.startswith(inside + "/"):
                return None
            target = repo / path[len(inside) + 1 :]
        else:
            target = session.directory / path
        real = Path(os.path.realpath(target))
        if not real.is_relative_to(repo) or not real.exists():
            return None
        return f"{inside}/{real.relative_to(repo).as_posix()}"


def _reason(error: BaseException, session: LiveSession, asked: Reason | None) -> Reason:
    """Why a session ends whose kernel could not be launched again."""
    if isinstance(error, RuntimeUnavailable):
        return "engine"
    if isinstance(error, NotFound):
        return "deleted"
    return session.death.reason if session.death else asked or "crashed"
