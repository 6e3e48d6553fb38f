"""An interrupt stops the server in order."""

from __future__ import annotations

import signal
import threading
from typing import Any

from jupyter_server.serverapp import ServerApp


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
