"""The connection to a Docker engine: calls that end in time, errors that become sentences."""

from __future__ import annotations

import asyncio
import http.client
import logging
import math
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException

from ..exceptions import CognitionError, RuntimeUnavailable

T = TypeVar("T")

# The engine was not reached, broke off, or said no.
UNREACHABLE = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    DockerException,
    OSError,
)
# What reading an answer of the wrong shape ends in.
_NONSENSE = (LookupError, TypeError, ValueError, AttributeError)
_TOO_LATE = (asyncio.TimeoutError, TimeoutError, requests.exceptions.Timeout)

_SCHEME = "unix://"
_THREADS = 8  # of each kind


class Engine:
    """Calls the engine at `base_url` from a fixed number of threads.

    A quick call may take `timeout` seconds, a patient one (create, start, remove) `patience`. Each
    kind has threads of its own, so that an interrupt does not queue behind slow starts. A call that
    runs out of time fails for its caller at once; its thread is free again when the request's own
    timeout, the same number of seconds, has passed.
    """

    def __init__(self, base_url: str, timeout: float, patience: float, log: logging.Logger) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self.patience = patience
        self._log = log
        self._lock = threading.Lock()
        self._clients: dict[bool, docker.APIClient] = {}
        self._cpus = 0
        self._threads = {False: _Threads(_THREADS), True: _Threads(_THREADS)}

    @property
    def socket(self) -> str:
        """Path of the engine's socket. Raises RuntimeUnavailable for an engine elsewhere."""
        if not self.base_url.startswith(_SCHEME):
            scheme, separator, _ = self.base_url.partition("://")  # the rest may hold a password
            where = f"{scheme}://…" if separator else self.base_url
            raise RuntimeUnavailable(
                f"The Docker engine at {where} can't be used: only one on this machine, at a "
                "unix:// socket, can mount the workspaces."
            )
        return "/" + self.base_url[len(_SCHEME) :].lstrip("/")

    # -- in a thread -----------------------------------------------------------------------

    def client(self, patient: bool = False) -> docker.APIClient:
        """A client whose requests have their timeout; connects. Waits for the engine."""
        with self._lock:
            known = self._clients.get(patient)
        if known is not None:
            return known
        # Not under the lock: one thread that hangs must not make the next hang after it.
        limit = self.patience if patient else self.timeout
        made = docker.APIClient(
            base_url=f"{_SCHEME}{self.socket}",
            version=self.client().api_version if patient else "auto",
            timeout=max(1, math.ceil(limit)),
        )
        with self._lock:
            kept = self._clients.setdefault(patient, made)
        if kept is not made:
            made.close()
        return kept

    def cpus(self) -> int:
        """How many CPUs the engine has; it refuses a limit beyond that. Waits for the engine."""
        cpus = self._cpus or int(self.client().info()["NCPU"])
        if cpus < 1:  # a limit of 0 would be none
            raise ValueError(f"{cpus} CPUs")
        self._cpus = cpus
        return cpus

    def forget(self) -> None:
        """Connect anew for the next call: the engine may have become another version."""
        with self._lock:
            clients, self._clients = self._clients, {}
        self._cpus = 0
        for client in clients.values():
            client.close()

    # -- on the event loop -----------------------------------------------------------------

    def submit(self, what: Callable[..., T], *args: Any, patient: bool = False) -> Future[T]:
        """Run `what` in a thread. Raises RuntimeUnavailable when the runtime is closed."""
        return self._threads[patient].submit(what, *args)

    async def result(self, job: Future[T], limit: float) -> T:
        """What a job returns, within `limit` seconds. Raises RuntimeUnavailable."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job), limit)
        except CognitionError:
            raise
        except (*_TOO_LATE, *UNREACHABLE, *_NONSENSE) as error:
            raise self.unavailable(error, limit) from None

    async def ask(self, what: Callable[..., T], *args: Any, patient: bool = False) -> T:
        """Run `what` in a thread and wait for what it returns. Raises RuntimeUnavailable."""
        limit = self.patience if patient else self.timeout
        return await self.result(self.submit(what, *args, patient=patient), limit)

    def unavailable(self, error: BaseException, limit: float) -> RuntimeUnavailable:
        """What happened, as a sentence."""
        # Docker's client wraps timeouts in an exception of its own.
        if isinstance(error, _TOO_LATE) or "timed out" in str(error):
            return RuntimeUnavailable(f"The Docker engine did not answer within {limit:g} s.")
        if isinstance(error, APIError):
            return RuntimeUnavailable(f"The Docker engine refuses: {explain(error)}.")
        if isinstance(error, UNREACHABLE):
            return RuntimeUnavailable(f"The Docker engine can't be used: {explain(error)}.")
        self._log.warning("An answer of the Docker engine was not understood", exc_info=error)
        return RuntimeUnavailable("The Docker engine gave an answer that makes no sense.")

    def close(self) -> None:
        """Let go of threads and connections; calls under way end by themselves."""
        for threads in self._threads.values():
            threads.close()
        self.forget()


class _Threads:
    """At most `size` threads, that never keep the process from ending (a ThreadPoolExecutor's do).

    After `close` they end as soon as nothing is left to do.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, what: Callable[..., T], *args: Any) -> Future[T]:
        job: Future[T] = Future()

        def run() -> None:
            if job.set_running_or_notify_cancel():
                try:
                    job.set_result(what(*args))
                except BaseException as error:  # for whoever waits
                    job.set_exception(error)

        with self._lock:
            if self._closed:
                raise RuntimeUnavailable("The runtime docker has been closed.")
            self._jobs.put(run)
            if self._idle < self._jobs.qsize() and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name="cognition-engine", daemon=True).start()
        return job

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            run = self._jobs.get()
            with self._lock:
                self._idle -= 1
            if run is None:
                return
            run()

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in range(self._threads):
                    self._jobs.put(None)


def explain(error: BaseException) -> str:
    """The innermost cause of an engine error, short."""
    if isinstance(error, APIError):
        # Of "can't do this: can't do that: cause", the cause says most.
        text = str(error.explanation).split("unable to start container process: ")[-1]
        return text[:300].rstrip(". \n")
    text = str(error)
    for known in ("Permission denied", "No such file or directory", "Connection refused"):
        if known in text:
            return known
    return text[:300].rstrip(". \n") or type(error).__name__
