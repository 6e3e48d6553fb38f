"""Containers of a Docker engine on this machine (also podman's Docker-compatible socket)."""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound
from docker.errors import NotFound as DockerNotFound
from docker.types import LogConfig
from docker.types import Mount as DockerMount
from traitlets import Float, Integer, List, Unicode, default

from ..exceptions import RuntimeUnavailable
from .base import ContainerSpec, Exit, Found, Guarantees, Health, Runtime, describe_exit

T = TypeVar("T")

LABEL = "cognition"
_UNREACHABLE = (requests.exceptions.RequestException, DockerException, OSError)


class DockerRuntime(Runtime):
    """Each session in a fresh, hardened container."""

    name = "docker"
    guarantees = Guarantees(isolated=True, network_off=True, limits=True, images=True, strength=2)

    base_url = Unicode(
        help="Socket of the engine, `unix://…`. Default from DOCKER_HOST, else the usual place. "
        "An engine on another machine can't mount the workspaces and is refused."
    ).tag(config=True)
    network_name = Unicode(
        "cognition",
        help="Name of the bridge that containers with network ON join; made when it is missing.",
    ).tag(config=True)
    memory_limit = Unicode("2g", help="Memory a container may use, swap included.").tag(config=True)
    cpu_limit = Float(2.0, help="CPUs a container may use.").tag(config=True)
    pids_limit = Integer(512, help="Processes and threads a container may have.").tag(config=True)
    open_files_limit = Integer(4096, help="Files a process may hold open.").tag(config=True)
    security_options = List(
        Unicode(),
        help="Security options besides `no-new-privileges`, as `docker run --security-opt` takes.",
    ).tag(config=True)
    engine_timeout = Float(
        10.0, help="Seconds the engine may take to answer before it counts as unavailable."
    ).tag(config=True)
    start_timeout = Float(
        60.0, help="Seconds the engine may take to create or start a container."
    ).tag(config=True)

    @default("base_url")
    def _default_base_url(self) -> str:
        return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._exits: dict[str, Exit | None] = {}
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._watcher: _Watcher | None = None
        # Threads of our own: a hung engine must not keep anybody else waiting.
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="cognition-engine")

    # -- talking to the engine -------------------------------------------------------------

    async def _ask(self, what: Callable[..., T], *args: Any, timeout: float | None = None) -> T:
        """Run `what` in a thread; RuntimeUnavailable when the engine fails or takes too long."""
        limit = timeout or self.engine_timeout
        loop = asyncio.get_running_loop()
        try:
            work = loop.run_in_executor(self._threads, functools.partial(what, *args))
            return await asyncio.wait_for(work, limit)
        except RuntimeUnavailable:
            raise
        except ImageNotFound as error:
            raise RuntimeUnavailable(
                "The session image is not there; build it with `jupyter cognition image build` "
                f"({error.explanation}).",
                "image_missing",
            ) from None
        except (asyncio.TimeoutError, requests.exceptions.Timeout):
            raise RuntimeUnavailable(
                f"The Docker engine did not answer within {limit:g} s."
            ) from None
        except _UNREACHABLE as error:
            raise RuntimeUnavailable(
                f"The Docker engine can't be used: {explain(error)}."
            ) from None

    def _connect(self) -> docker.APIClient:
        with self._lock:
            if self._client is None:
                if not self.base_url.startswith("unix://"):
                    raise RuntimeUnavailable(
                        f"The Docker engine at {self.base_url.partition('://')[0]}://… is not on "
                        "this machine; only unix:// sockets can mount the workspaces."
                    )
                self._client = docker.APIClient(
                    base_url=self.base_url, version="auto", timeout=int(self.engine_timeout)
                )
            return self._client

    async def health(self) -> Health:
        try:
            version = await self._ask(lambda: self._connect().version())
        except RuntimeUnavailable as error:
            return Health(self.name, False, True, error.message)
        return Health(self.name, True, True, f"Docker engine {version['Version']}")

    # -- one container ---------------------------------------------------------------------

    async def start(self, spec: ContainerSpec) -> str:
        name = f"cognition-{spec.project_id}-{secrets.token_hex(4)}"
        await self._ask(self._watch)
        try:
            return await self._ask(self._start, spec, name, timeout=self.start_timeout)
        except BaseException:
            # Whatever went wrong, also a cancellation: nothing may be left running.
            self._threads.submit(self._remove_quietly, name)
            raise

    def _start(self, spec: ContainerSpec, name: str) -> str:
        client = self._connect()
        network = "none" if spec.network_mode == "OFF" else self._bridge(client)
        host_config = client.create_host_config(
            network_mode=network,
            mounts=[
                DockerMount(m.target, str(m.source), type="bind", read_only=m.read_only)
                for m in spec.mounts
            ],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges", *self.security_options],
            read_only=True,
            mem_limit=self.memory_limit,
            memswap_limit=self.memory_limit,
            nano_cpus=int(self.cpu_limit * 1e9),
            pids_limit=self.pids_limit,
            ulimits=[
                docker.types.Ulimit(
                    name="nofile", soft=self.open_files_limit, hard=self.open_files_limit
                )
            ],
            log_config=LogConfig(type="none"),
            ipc_mode="private",
            init=True,
        )
        container_id = str(
            client.create_container(
                image=spec.image,
                command=list(spec.command),
                entrypoint=[],
                name=name,
                hostname="cognition",
                user="{}:{}".format(*spec.user),
                working_dir=spec.working_directory,
                environment=spec.environment,
                labels={
                    f"{LABEL}.root": spec.root_uuid,
                    f"{LABEL}.owner": spec.owner,
                    f"{LABEL}.project": spec.project_id,
                    f"{LABEL}.session": spec.session_id,
                },
                host_config=host_config,
            )["Id"]
        )
        self._exits[container_id] = None
        client.start(container_id)
        return container_id

    def _bridge(self, client: docker.APIClient) -> str:
        """The bridge for network ON: containers on it can't reach each other."""
        found = [n for n in client.networks([self.network_name]) if n["Name"] == self.network_name]
        option = "com.docker.network.bridge.enable_icc"
        if not found:
            try:
                client.create_network(
                    self.network_name,
                    driver="bridge",
                    options={option: "false"},
                    check_duplicate=True,
                    labels={f"{LABEL}.network": "1"},
                )
            except APIError as error:
                if error.status_code != 409:  # another server was quicker
                    raise
            return self._bridge(client)
        if found[0]["Driver"] != "bridge" or found[0]["Options"].get(option) != "false":
            raise RuntimeUnavailable(
                f"The network {self.network_name} lets containers reach each other; remove it or "
                "set DockerRuntime.network_name."
            )
        return self.network_name

    def exit_of(self, container_id: str) -> Exit | None:
        return self._exits.get(container_id)

    async def signal(self, container_id: str, signum: int) -> None:
        def kill() -> None:
            try:
                self._connect().kill(container_id, signal=signum)
            except APIError as error:
                if error.status_code not in (404, 409):  # gone, or not running any more
                    raise

        await self._ask(kill)

    async def remove(self, container_id: str) -> None:
        await self._ask(self._remove, container_id, timeout=self.start_timeout)
        self._exits.pop(container_id, None)

    def _remove(self, container: str) -> None:
        try:
            self._connect().remove_container(container, force=True, v=True)
        except DockerNotFound:
            pass
        except APIError as error:
            if error.status_code != 409:  # the engine is at it already
                raise

    def _remove_quietly(self, container: str) -> None:
        try:
            self._remove(container)
        except _UNREACHABLE as error:
            self.log.warning("Container %s is left to reconcile: %s", container, explain(error))

    async def found(self) -> list[Found]:
        rows = await self._ask(self._list)
        return [
            Found(
                row["Id"],
                row["Labels"].get(f"{LABEL}.owner", ""),
                row["Labels"].get(f"{LABEL}.project", ""),
                row["Labels"].get(f"{LABEL}.session", ""),
            )
            for row in rows
        ]

    def _list(self) -> list[dict[str, Any]]:
        labels = {"label": [f"{LABEL}.root={self.root_uuid}"]}
        return list(self._connect().containers(all=True, filters=labels))

    # -- events ----------------------------------------------------------------------------

    def _watch(self) -> None:
        """Follow the engine's events; returns once they flow."""
        with self._lock:
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = _Watcher(self)
                self._watcher.start()
            watcher = self._watcher
        if not watcher.connected.wait(self.engine_timeout):
            raise RuntimeUnavailable(
                f"The Docker engine sends no events: {watcher.problem or 'no answer'}."
            )

    def note_exit(self, client: docker.APIClient, container_id: str) -> None:
        """A container of ours ended or is gone (called from the watcher's thread)."""
        if self._exits.get(container_id, "unknown") is not None:
            return
        try:
            state = client.inspect_container(container_id)["State"]
        except DockerNotFound:
            self._exits[container_id] = Exit(137, "engine", "The container was removed.")
            return
        if state["Running"]:
            return
        ended = describe_exit(int(state["ExitCode"]), bool(state["OOMKilled"]))
        self._exits[container_id] = ended

    def recheck(self, client: docker.APIClient) -> None:
        """After a gap in the events: see which of our containers ended meanwhile."""
        for container_id in [c for c, ended in list(self._exits.items()) if ended is None]:
            self.note_exit(client, container_id)

    async def close(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
        if self._client is not None:
            self._client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Watcher(threading.Thread):
    """Follows the engine's event stream and comes back when the engine does."""

    def __init__(self, runtime: DockerRuntime) -> None:
        super().__init__(name="cognition-events", daemon=True)
        self._runtime = runtime
        self._stopped = threading.Event()
        self._stream: Any = None
        self.connected = threading.Event()
        self.problem = ""

    def stop(self) -> None:
        self._stopped.set()
        if self._stream is not None:
            try:
                self._stream.close()
            except _UNREACHABLE:
                pass

    def run(self) -> None:
        pause = 0.2
        while not self._stopped.is_set():
            try:
                self._follow()
                pause = 0.2
            except Exception as error:  # the thread must outlive whatever the engine does
                self.problem = explain(error)
            if self.connected.is_set() and not self._stopped.is_set():
                self._runtime.log.warning("The Docker engine's events stopped: %s", self.problem)
            self.connected.clear()
            self._stopped.wait(pause)
            pause = min(pause * 2, 5.0)

    def _follow(self) -> None:
        runtime = self._runtime
        client = docker.APIClient(
            base_url=runtime.base_url, version="auto", timeout=int(runtime.engine_timeout)
        )
        try:
            label = f"{LABEL}.root={runtime.root_uuid}"
            self._stream = client.events(
                decode=True,
                filters={"type": "container", "event": ["die", "destroy"], "label": label},
            )
            runtime.recheck(client)
            self.connected.set()
            for event in self._stream:
                runtime.note_exit(client, event["id"])
        finally:
            client.close()


def explain(error: BaseException) -> str:
    """The innermost cause of an engine error, short."""
    if isinstance(error, APIError):
        return str(error.explanation)[:300].rstrip(". \n")
    text = str(error)
    for known in ("Permission denied", "No such file or directory", "Connection refused"):
        if known in text:
            return known
    return text[:300].rstrip(". \n") or type(error).__name__
