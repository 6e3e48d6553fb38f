"""What we have to know of Jupyter's kernel managers beyond the provisioner's contract.

Checked in jupyter_client 8.6 to 8.10 and jupyter_server 2.15 to 2.21. Everything here does nothing
where there is no such thing, as without a server.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from jupyter_client.manager import KernelManager
from jupyter_client.multikernelmanager import MultiKernelManager


async def at_rest(manager: Any, patience: float = math.inf) -> None:
    """Wait until the kernel is not just being started, restarted or shut down.

    Its `ready` is asked for again and again: every act makes a new one, and that of an act into
    which another came is resolved by nobody. Raises TimeoutError after `patience` seconds besides
    those that the kernel has for its shutdown.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + patience + getattr(manager, "shutdown_wait_time", 0)
    while not manager.ready.done():
        if clock() > deadline:
            raise TimeoutError("the kernel is neither up nor down yet")
        await asyncio.sleep(0.02)


def on_death(manager: KernelManager, callback: Callable[[], None]) -> None:
    """Have `callback` called when the restarter gives the kernel up; safe to repeat.

    The managers only take such a kernel off their list: nobody calls the provisioner's `cleanup`.
    """
    if hasattr(manager, "remove_restart_callback"):
        manager.remove_restart_callback(callback, "dead")
        manager.add_restart_callback(callback, "dead")


def declare_dead(manager: KernelManager) -> None:
    """After a failed relaunch: jupyter_client leaves a kernel that is neither alive nor dead."""
    restarter = getattr(manager, "_restarter", None)
    if restarter is not None:
        restarter.stop()
        # Later, so that the error first reaches whoever asked for the restart.
        asyncio.get_running_loop().call_soon(restarter._fire_callbacks, "dead")


def forget_failed_starts(kernels: Any) -> None:
    """Before the server stops: its list of starting kernels keeps those that failed for ever.

    It would look for them, not find them, and never get to its end.
    """
    pending: dict[str, Any] = getattr(kernels, "_pending_kernels", {})
    for kernel_id, task in [*pending.items()]:
        if task.done() and kernel_id not in kernels:
            pending.pop(kernel_id)


def release(manager: KernelManager, kernel_id: str) -> None:
    """Of a kernel that was given up, let go of the sockets and the file the server would keep."""
    kernels = manager.parent
    if kernels is not None and kernel_id in getattr(kernels, "_kernels", {}):
        for name in ("stop_watching_activity", "stop_buffering"):
            getattr(kernels, name, lambda _: None)(kernel_id)
        getattr(kernels, "_kernel_connections", {}).pop(kernel_id, None)
    manager._close_control_socket()
    manager.cleanup_connection_file()


def holder(manager: KernelManager, kernel_id: str) -> Callable[[], bool]:
    """What tells whether somebody still has the kernel: its manager, and the list that one is on.

    In a server there may be managers besides the server's own, such as an extension's.
    """
    known = weakref.ref(manager)

    def is_held() -> bool:
        kept = known()
        if kept is None or not isinstance(kept.parent, MultiKernelManager):
            return kept is not None
        starting = getattr(kept.parent, "_pending_kernels", {}).get(kernel_id)
        return kernel_id in kept.parent or (starting is not None and not starting.done())

    return is_held


def without_session(kernels: Any) -> list[str]:
    """Kernels on the server's list that were sessions of ours and are none any more."""
    provisioners = (
        (kernel_id, getattr(kernels.get_kernel(kernel_id), "provisioner", None))
        for kernel_id in getattr(kernels, "list_kernel_ids", list)()
    )
    return [k for k, provisioner in provisioners if getattr(provisioner, "is_over", False)]


def take_off(kernels: Any, kernel_id: str) -> None:
    """Take a kernel that has no session off the server's list; nothing of it runs."""
    manager = kernels.get_kernel(kernel_id)
    manager.stop_restarter()
    release(manager, kernel_id)
    kernels.remove_kernel(kernel_id)


def on_last_disconnect(kernels: Any, callback: Callable[[str], None]) -> None:
    """Have `callback` called with a kernel's id when its last WebSocket has closed.

    The manager is told so, and tells nobody; a gateway's is not told either.
    """
    original = getattr(kernels, "notify_disconnect", None)
    if original is None:
        return

    def notify(kernel_id: str) -> None:
        original(kernel_id)
        if kernels._kernel_connections.get(kernel_id, 0) <= 0:
            callback(kernel_id)

    kernels.notify_disconnect = notify


def is_culled(manager: KernelManager, kernel_id: str) -> bool:
    """Whether the server's idle culler ends kernels like this one now; it tells nobody itself."""
    kernels = manager.parent
    default = getattr(kernels, "cull_idle_timeout", 0)
    timeout = (manager.kernel_spec.metadata if manager.kernel_spec else {}).get(
        "cull_idle_timeout", default
    )
    active: datetime | None = getattr(manager, "last_activity", None)
    # Without a timeout of its own the server does not cull at all.
    if kernels is None or default <= 0 or active is None:
        return False
    connected = kernels._kernel_connections.get(kernel_id, 0) > 0
    busy = getattr(manager, "execution_state", None) == "busy"
    if (connected and not kernels.cull_connected) or (busy and not kernels.cull_busy):
        return False
    return datetime.now(timezone.utc) - active > timedelta(seconds=timeout)
