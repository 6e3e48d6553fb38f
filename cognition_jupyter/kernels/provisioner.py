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
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from ..core import Cognition
from ..exceptions import CognitionError, RuntimeUnavailable
from ..models import NetworkMode
from ..runtimes.base import WORKSPACE
from .launcher import CHANNELS, Launcher, LiveSession


class CognitionProvisioner(KernelProvisionerBase):
    """Runs one kernel in a container of the project that its directory lies in."""

    _launcher: Launcher | None = None
    _session: LiveSession | None = None
    _shutdown_requested = False
    _killed = False

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
        self._shutdown_requested = self._killed = False
        try:
            if self._launcher is None:
                self._launcher = await Cognition.launcher_for(directory)
            if self._session is None:
                mode = cast("NetworkMode | None", kwargs.get("network_mode"))
                self._session = await self._launcher.open(str(self.kernel_id), directory, mode)
            else:
                notebook = (kwargs.get("env") or {}).get("JPY_SESSION_NAME", "")
                place = os.path.dirname(notebook) if os.path.isabs(notebook) else directory
                await self._launcher.recheck(self._session, place)
        except CognitionError as error:
            await self._fail(error, directory)
            raise
        except BaseException:
            await self._fail(None, directory)
            raise
        self._point_manager_at(self._session)
        kwargs["cmd"] = [*self.kernel_spec.argv, *kwargs.pop("extra_arguments", [])]
        return kwargs

    def _point_manager_at(self, session: LiveSession) -> None:
        """Give the kernel manager the host's end of the sockets; the same after each restart."""
        manager = self._manager
        manager.transport = "ipc"
        manager.ip = session.socket_prefix
        for port, channel in enumerate(CHANNELS, 1):
            setattr(manager, f"{channel}_port", port)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start a fresh container; returns the host's connection information."""
        assert self._launcher is not None and self._session is not None
        manager = self._manager
        connection = {
            "key": manager.session.key.decode(),
            "signature_scheme": manager.session.signature_scheme,
            "kernel_name": manager.kernel_name,
        }
        notebook = (kwargs.get("env") or {}).get("JPY_SESSION_NAME")
        try:
            await self._launcher.launch(self._session, cmd, connection, notebook)
        except BaseException as error:
            known = error if isinstance(error, CognitionError) else None
            await self._fail(known, str(self._session.directory))
            raise
        self.connection_info = manager.get_connection_info()
        return self.connection_info

    async def _fail(self, error: CognitionError | None, directory: str) -> None:
        """Release everything after a failed launch.

        jupyter_client cleans up nothing then, and after a failed *re*launch leaves a kernel that
        is neither alive nor dead: say that it is dead.
        """
        session, self._session = self._session, None
        if self._launcher is not None and error is not None:
            self._launcher.report_failure(str(self.kernel_id), directory, error)
        if session is None or self._launcher is None:
            return
        reason = "engine" if isinstance(error, RuntimeUnavailable) else "crashed"
        await self._launcher.close(session, cast("Any", reason))
        restarter = getattr(self.parent, "_restarter", None)
        if session.launches and restarter is not None:
            restarter.stop()
            # After the error has reached whoever asked for the restart.
            asyncio.get_running_loop().call_soon(restarter._fire_callbacks, "dead")

    # -- watch -----------------------------------------------------------------------------

    @property
    def has_process(self) -> bool:
        """Whether a container was launched and not yet removed."""
        return self._session is not None and self._session.container_id is not None

    async def poll(self) -> int | None:
        """Exit status, or None while the kernel runs *or nothing is known*. No I/O."""
        if self._session is None:
            return 0
        ended = self._session.exit
        if ended is not None:
            return ended.code
        return None if self.has_process else 0

    async def wait(self) -> int | None:
        """Called when the kernel is known to have ended, so that this returns at once."""
        if self._session is None or self._session.container_id is None:
            return 0
        ended = await self._session.runtime.wait(self._session.container_id, timeout=10)
        return None if ended is None else ended.code

    # -- stop ------------------------------------------------------------------------------

    async def send_signal(self, signum: int) -> None:
        """Signal the container; an engine that does not answer is only logged."""
        session = self._session
        if session is None or session.container_id is None:
            return
        try:
            await session.runtime.signal(session.container_id, signum)
        except RuntimeUnavailable as error:
            # Jupyter goes on with the shutdown; what is left is reaped by reconcile.
            self.log.warning("Kernel %s: signal %d: %s", self.kernel_id, signum, error.message)

    async def kill(self, restart: bool = False) -> None:
        """Called for a restart as for a shutdown; `restart` is not to be trusted here."""
        if self._session is not None and self._session.exit is None:
            self._killed = True
            await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """Called when the kernel took too long to shut down."""
        await self.send_signal(signal.SIGTERM)

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Called after the shutdown message was sent: what ends now was asked to."""
        self._shutdown_requested = True

    async def cleanup(self, restart: bool = False) -> None:
        """Called last. Before a restart only the container goes; else the session ends."""
        session = self._session
        if session is None or self._launcher is None:
            return
        if restart:
            try:
                await self._launcher.remove_container(session)
            except RuntimeUnavailable as error:
                self.log.warning("Kernel %s: %s", self.kernel_id, error.message)
            return
        self._session = None
        asked = self._shutdown_requested or self._killed
        await self._launcher.close(session, "client" if asked else None)

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
