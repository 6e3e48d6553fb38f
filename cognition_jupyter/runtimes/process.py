"""No isolation at all: an ordinary process of the server's user. Only when asked for by name."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

from traitlets import Bool

from ..exceptions import Forbidden
from .base import ContainerSpec, Guarantees, Health, Mount
from .child import Child, ChildRuntime, children_of, send


class ProcessRuntime(ChildRuntime):
    """Kernels as Jupyter starts them, but bound to a project. They can read all the server can."""

    name = "process"
    guarantees = Guarantees(isolated=False, network_off=False, limits=False, images=False)
    python = sys.executable

    allow_network_off = Bool(
        False,
        help="Start sessions whose project says network OFF although a process can't be kept "
        "from the network. Without it they are refused.",
    ).tag(config=True)

    def inside(self, path: str, mounts: tuple[Mount, ...]) -> str:
        for mount in mounts:
            if path == mount.target or path.startswith(mount.target + "/"):
                return str(mount.source) + path[len(mount.target) :]
        return path

    async def health(self) -> Health:
        detail = "Not isolated: sessions run as the server's own user, with its files and network."
        return Health(self.name, True, False, detail)

    def _popen(self, spec: ContainerSpec) -> subprocess.Popen[bytes]:
        if spec.network_mode == "OFF" and not self.allow_network_off:
            raise Forbidden(
                "The runtime process can't keep a session from the network: ask for network_mode "
                "ON, or let the administrator set ProcessRuntime.allow_network_off.",
                "network_off_unavailable",
            )
        # util-linux: the kernel dies with the server, also at a `kill -9`.
        setpriv = shutil.which("setpriv")
        prefix = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "USER", "LANG")}
        return subprocess.Popen(
            [*prefix, *spec.command],
            cwd=spec.working_directory,
            env=spec.environment | inherited,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    async def _kill(self, child: Child) -> None:
        # `!command` in a notebook runs in a session of its own, out of the reach of killpg.
        descendants = _descendants(child.pid)
        await super()._kill(child)
        for descendant in descendants:
            send(descendant, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    found = []
    pending = [pid]
    while pending:
        children = children_of(pending.pop())
        found += children
        pending += children
    return found
