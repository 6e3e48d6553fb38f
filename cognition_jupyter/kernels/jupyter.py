"""What we have to know of Jupyter's kernel managers beyond the provisioner's contract.

Checked in jupyter_client 8.6 to 8.10 and jupyter_server 2.15 to 2.21. Everything here does nothing
where there is no such thing, as without a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from jupyter_client.manager import KernelManager


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
