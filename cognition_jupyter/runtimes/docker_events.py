"""Following the events of a Docker engine, through its deaths and silences."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from ..exceptions import CognitionError, RuntimeUnavailable
from .docker_engine import Engine, explain

_ACTIONS = ["create", "start", "kill", "die", "destroy"]
_LONGEST_EVENT = 1 << 20
_LONGEST_PAUSE = 5.0
# Seconds of the past to ask for at each connect: an engine may begin to listen to itself a moment
# after it has said that the events flow.
_OVERLAP = 5


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket, which can be shut from another thread at any moment."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        # `sock` is taken away when the other side announces the end of the connection.
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)

    def connect(self) -> None:
        self.sock = self.socket
        self.sock.connect(self._path)

    def shut(self) -> None:
        """Wake whoever waits for this connection; from then on it is of no use."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class EngineEvents(threading.Thread):
    """One thread that reads the events of the containers with a label.

    `on_connect(again)` is called at each connect, `again` after the first: what happened in between
    has to be asked for. `on_event(action, container id, attributes)` follows. Both may wait for the
    engine, and raise when it fails: then it is connected to anew. `on_loss()`, which may neither
    wait nor raise, is called when events that flowed do so no more.
    """

    def __init__(
        self,
        engine: Engine,
        label: str,
        on_connect: Callable[[bool], None],
        on_event: Callable[[str, str, dict[str, Any]], None],
        on_loss: Callable[[], None],
        log: logging.Logger,
    ) -> None:
        super().__init__(name="cognition-events", daemon=True)
        self._engine = engine
        self._filters = {"type": ["container"], "event": _ACTIONS, "label": [label]}
        self._on_connect = on_connect
        self._on_event = on_event
        self._on_loss = on_loss
        self._log = log
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._stopped = threading.Event()
        self._hurry = threading.Event()
        self._changed = threading.Condition()
        self._attempt = 0  # number of the present or last attempt to connect
        self._failed = 0  # number of the last that failed
        self._flowing = False
        self._problem: BaseException = TimeoutError()

    def wait_until_flowing(self) -> None:
        """Wait for the engine's events; the first call starts the thread.

        Raises RuntimeUnavailable after the engine's timeout, or as soon as an attempt to connect
        that was made after this call has failed.
        """
        with self._lock:
            if not self.is_alive() and not self._stopped.is_set():
                self.start()
        with self._changed:
            fresh = self._attempt + 1
            self._hurry.set()
            if self._changed.wait_for(
                lambda: self._flowing or self._failed >= fresh, self._engine.timeout
            ):
                if self._flowing:
                    return
                problem = self._problem
            else:
                problem = TimeoutError()
        if isinstance(problem, CognitionError):
            raise problem
        raise self._engine.unavailable(problem, self._engine.timeout)

    def stop(self) -> None:
        """End the thread, whatever it waits for."""
        self._stopped.set()
        self._hurry.set()
        with self._lock:
            if self._connection is not None:
                self._connection.shut()

    def run(self) -> None:
        """Connect, read, and again."""
        pause, again = 0.2, False
        while not self._stopped.is_set():
            self._hurry.clear()
            with self._changed:
                self._attempt += 1
            try:
                self._follow(again)
            except Exception as error:  # the thread must outlive whatever the engine does
                self._problem = error
            with self._changed:
                flowed, self._flowing = self._flowing, False
                self._failed = self._attempt
                self._changed.notify_all()
            if flowed:
                pause, again = 0.2, True
                if not self._stopped.is_set():
                    self._log.warning("The Docker engine is gone: %s", explain(self._problem))
                    self._on_loss()
            self._engine.forget()
            self._hurry.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _follow(self, again: bool) -> None:
        query = f"since={int(time.time()) - _OVERLAP}&filters={quote(json.dumps(self._filters))}"
        version = self._engine.client().api_version
        connection = _Connection(self._engine.socket, self._engine.timeout)
        with self._lock:
            self._connection = connection
        try:
            connection.connect()
            connection.request("GET", f"/v{version}/events?{query}")
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeUnavailable(
                    f"The Docker engine gives no events (HTTP status {answer.status})."
                )
            connection.socket.settimeout(None)  # from here on silence is no failure
            if self._stopped.is_set():  # before there was anything to shut
                return
            self._on_connect(again)
            with self._changed:
                self._flowing = True
                self._changed.notify_all()
            while line := answer.readline(_LONGEST_EVENT):
                event = json.loads(line)
                self._on_event(event["Action"], event["id"], event["Actor"]["Attributes"] or {})
            raise ConnectionError("the engine closed the connection")
        finally:
            with self._lock:
                self._connection = None
            connection.close()
            connection.socket.close()
