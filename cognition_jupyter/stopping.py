"""The server stops in order, and comes to its end."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from jupyter_server.serverapp import ServerApp

_PAUSE = 0.02  # seconds
_LOOKS = 5  # that find nothing: a request has its next call in a thread at once after the last


def stop_on_interrupt(serverapp: ServerApp) -> None:
    """Have SIGINT do what SIGTERM does, where Jupyter has left it to Python.

    It does so without a terminal, as under JupyterHub, which stops servers with SIGINT: the event
    loop breaks off, no extension and no kernel is stopped, and all that is in RAM would be lost.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return

    def stop(number: int, frame: Any) -> None:
        serverapp.log.critical("Received signal %s, stopping", signal.Signals(number).name)
        serverapp.stop(from_signal=True)

    signal.signal(signal.SIGINT, stop)


async def requests_at_rest(patience: float = 10.0) -> None:
    """Wait until no request of Jupyter's works in a thread any more.

    Jupyter breaks its event loop off under them, and AnyIO's thread for a request that is never
    answered is never told to end: the process would stay for ever, with nothing left to serve.
    Raises TimeoutError after `patience` seconds.
    """
    threads = current_default_thread_limiter()
    clock = asyncio.get_running_loop().time
    deadline = clock() + patience
    looks = 0
    while looks < _LOOKS:
        if clock() > deadline:
            raise TimeoutError("requests are still answered; this process may have to be killed")
        await asyncio.sleep(_PAUSE)
        looks = 0 if threads.borrowed_tokens else looks + 1
