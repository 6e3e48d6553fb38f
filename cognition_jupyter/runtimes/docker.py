"""Containers of a Docker engine on this machine (also podman's Docker-compatible socket)."""

from __future__ import annotations

import asyncio
import math
import os
import re
import secrets
import signal as signals
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.errors import APIError, ImageNotFound
from docker.errors import NotFound as DockerNotFound
from traitlets import Dict, Float, Integer, List, TraitError, Unicode, default, validate

from ..exceptions import RuntimeUnavailable
from ..models import Reason
from .base import ContainerSpec, Exit, Found, Guarantees, Health, Runtime, describe_exit
from .docker_engine import Engine
from .docker_engine import explain as explain
from .docker_events import EngineEvents
from .docker_options import LABEL, bridge, container_options
from .docker_paths import SOURCE_MISSING, EnginePaths, source_missing
from .docker_removal import Removal
from .usage import Usage, usage_of_cgroup

_MEMORY = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)([bkmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LEAST_MEMORY = 6 << 20  # the engine's own limit
# Statuses of containers that a dying or starting engine has ended: killed, terminated, unknown.
_WITH_THE_ENGINE = (137, 143, 255)
_ENDED = ("exited", "dead", "removing", "stopped")  # podman's word is the last
# Exits that are known, of containers that are gone.
_REMEMBERED = 1000


@dataclass
class _Container:
    """What is known of a container that this process started."""

    ended: Exit | None = None
    sent: set[int] = field(default_factory=set)  # the signals we had the engine send
    foreign: int = 0  # the last signal somebody else had it send


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
    memory_limit = Unicode(
        "2g", help="Memory a container may use, swap included: bytes, or with k, m or g."
    ).tag(config=True)
    cpu_limit = Float(
        2.0, min=0.01, max=4096, help="CPUs a container may use; no more than the engine has."
    ).tag(config=True)
    pids_limit = Integer(
        512, min=8, max=1 << 22, help="Processes and threads a container may have."
    ).tag(config=True)
    open_files_limit = Integer(
        4096, min=64, max=1 << 20, help="Files a process may hold open."
    ).tag(config=True)
    security_options = List(
        Unicode(),
        help="Security options besides `no-new-privileges`, as the engine's API takes them: "
        "`label=type:NAME`, `apparmor=PROFILE`, `seccomp=` and the profile itself.",
    ).tag(config=True)
    path_mappings = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="Where the engine finds directories of this server: `{server's path: engine's path}`, "
        "the longest that fits. Needed only where the two differ and the server does not run in a "
        "container of that engine, where its own mounts say it. When set, a directory that neither "
        "covers is refused.",
    ).tag(config=True)
    engine_timeout = Float(
        10.0,
        min=0.1,
        max=3600,
        help="Seconds the engine may take to answer before it counts as unavailable.",
    ).tag(config=True)
    start_timeout = Float(
        60.0,
        min=0.1,
        max=3600,
        help="Seconds the engine may take to create and start a container, or to remove one.",
    ).tag(config=True)

    @default("base_url")
    def _default_base_url(self) -> str:
        return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"

    @validate("memory_limit")
    def _valid_memory_limit(self, proposal: dict[str, Any]) -> str:
        value = str(proposal["value"])
        if not _LEAST_MEMORY <= parse_size(value) < 1 << 62:
            raise TraitError(
                f"DockerRuntime.memory_limit can't be {value!r}: it is a number of bytes, or a "
                "number with k, m or g, such as 512m or 2g, and at least 6m."
            )
        return value

    @validate("path_mappings")
    def _valid_mappings(self, proposal: dict[str, Any]) -> dict[str, str]:
        for path in (path for pair in proposal["value"].items() for path in pair):
            if not path.startswith("/") or os.path.normpath(path) != path:
                raise TraitError(
                    f"DockerRuntime.path_mappings can't hold {path!r}: both sides are absolute "
                    "paths of directories, without `..` and without a slash at the end."
                )
        return dict(proposal["value"])

    @validate("cpu_limit", "engine_timeout", "start_timeout")
    def _valid_number(self, proposal: dict[str, Any]) -> float:
        value = float(proposal["value"])
        if math.isnan(value):  # neither too small nor too large
            raise TraitError(f"DockerRuntime.{proposal['trait'].name} can't be {value}.")
        return value

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._engine = Engine(self.base_url, self.engine_timeout, self.start_timeout, self.log)
        self._paths = EnginePaths(self._engine, self.path_mappings)
        self._removal = Removal(self._engine, self.log)
        self._containers: dict[str, _Container] = {}
        label = f"{LABEL}.root={self.root_uuid}"
        self._events = EngineEvents(
            self._engine, label, self._recheck, self._note, lambda: self.on_change(), self.log
        )
        self._said: set[str] = set()

    async def health(self) -> Health:
        try:
            version = await self._engine.ask(lambda: self._engine.client().version()["Version"])
        except RuntimeUnavailable as error:
            return Health(self.name, False, True, error.message)
        return Health(self.name, True, True, f"Docker engine {version}")

    async def has_image(self, image: str) -> bool:
        """Whether the engine has the image. Raises RuntimeUnavailable."""

        def look() -> bool:
            try:
                self._engine.client().inspect_image(image)  # type: ignore[no-untyped-call]
            except DockerNotFound:
                return False
            return True

        return await self._engine.ask(look)

    async def source_of(self, directory: Path) -> str:
        """Where the engine finds a directory of ours. Raises RuntimeUnavailable."""
        return await self._engine.ask(self._paths.translate, directory)

    # -- start -----------------------------------------------------------------------------

    async def start(self, spec: ContainerSpec) -> str:
        name = f"cognition-{spec.project_id}-{secrets.token_hex(4)}"
        await self._engine.ask(self._events.wait_until_flowing)
        # Events may flow no more without a word: an engine that hangs is known by a quick question.
        await self._engine.ask(lambda: self._engine.client().ping())
        job = self._engine.submit(self._start, spec, name, patient=True)
        try:
            return await self._engine.result(job, self.start_timeout)
        except BaseException:
            self._abandon(job, name)
            raise

    def _abandon(self, job: Future[str], name: str) -> None:
        """Nobody waits for the job any more: what it makes has to go, once it has made it."""
        if job.cancel() or (job.done() and job.exception() is not None):
            return  # it has not begun, or has tidied up itself
        self._removal.want(name)
        job.add_done_callback(lambda _: self._removal.soon(name))

    def _start(self, spec: ContainerSpec, name: str) -> str:
        container_id = self._create(spec, name)
        if name in self._removal:  # abandoned meanwhile
            return container_id
        self._containers[container_id] = _Container()
        try:
            self._engine.client(patient=True).start(container_id)
        except BaseException:
            del self._containers[container_id]
            self._removal.try_to_remove(container_id)
            raise
        return container_id

    def _create(self, spec: ContainerSpec, name: str) -> str:
        if not spec.image:  # the engine would start an empty container
            raise RuntimeUnavailable("No image is set: SessionPolicy.image.", "image_missing")
        client = self._engine.client(patient=True)
        cpus = self._engine.cpus()
        if cpus < self.cpu_limit:
            self._say(f"the engine has {cpus} CPUs, and no session can have more")
        options = container_options(
            client,
            spec,
            sources=[self._paths.translate(mount.source) for mount in spec.mounts],
            network="none" if spec.network_mode == "OFF" else bridge(client, self.network_name),
            memory=parse_size(self.memory_limit),
            cpus=min(self.cpu_limit, cpus),
            pids=self.pids_limit,
            open_files=self.open_files_limit,
            security=self.security_options,
        )
        try:
            answer = client.create_container(name=name, **options)
            container_id = str(answer["Id"])
        except DockerNotFound as error:
            if not isinstance(error, ImageNotFound) and "image" not in explain(error):  # podman's
                raise
            raise RuntimeUnavailable(
                f"The image {spec.image} is not on the Docker engine ({explain(error)}); build the "
                "session image with `jupyter cognition image build`, or pull the image.",
                "image_missing",
            ) from None
        except APIError as error:  # an answer: nothing was made
            if SOURCE_MISSING in explain(error):
                raise source_missing(explain(error)) from None
            raise
        except BaseException:
            self._removal.want(name)  # the engine may be at it still
            raise
        for warning in answer.get("Warnings") or ():
            self._say(warning)
        return container_id

    def _say(self, what: str) -> None:
        """Log once what the engine can't do, such as limits that its kernel does not support."""
        if what not in self._said:
            self._said.add(what)
            self.log.warning("Docker: %s", what)

    # -- watch -----------------------------------------------------------------------------

    def exit_of(self, container_id: str) -> Exit | None:
        known = self._containers.get(container_id)
        return known.ended if known else None

    def _note(self, action: str, container_id: str, attributes: dict[str, Any]) -> None:
        """Called from the events' thread, also for containers of other servers of this root."""
        if action in ("create", "start"):
            name = attributes.get("name", "")
            if name in self._removal:
                self._removal.soon(name)
            return
        known = self._containers.get(container_id)
        if known is None or known.ended is not None:
            return
        if action == "kill":
            signum = str(attributes.get("signal", ""))
            if signum.isdigit() and int(signum) not in known.sent:
                known.foreign = int(signum)
        else:
            self._look(container_id, known, gap=False)

    def _recheck(self, again: bool) -> None:
        """The events flow, maybe after a gap: see which of our containers ended meanwhile."""
        for container_id, known in list(self._containers.items()):
            if known.ended is None:
                self._look(container_id, known, gap=again)
        if again:
            self.on_change()

    async def look(self, container_id: str) -> Exit | None:
        known = self._containers.get(container_id)
        if known is not None and known.ended is None:
            await self._engine.ask(self._look, container_id, known, False)
        return self.exit_of(container_id)

    def _look(self, container_id: str, known: _Container, gap: bool) -> None:
        try:
            state = self._engine.client().inspect_container(container_id)["State"]
        except DockerNotFound:
            reason: Reason = "crashed" if signals.SIGKILL in known.sent else "engine"
            known.ended = Exit(137, reason, "The container was removed.")
            return
        if state["Running"] or state["Status"] == "created":
            return
        code = int(state["ExitCode"])
        ended = describe_exit(code, bool(state["OOMKilled"]))
        if ended.reason != "out_of_memory":
            if known.foreign and code == 128 + known.foreign:
                detail = f"Somebody had the Docker engine send signal {known.foreign}."
                ended = Exit(code, "engine", detail)
            elif gap and code in _WITH_THE_ENGINE and code - 128 not in known.sent:
                detail = "The container ended while the Docker engine was away."
                ended = Exit(code, "engine", detail)
        known.ended = ended

    async def usage(self, container_id: str) -> Usage:
        return await asyncio.to_thread(usage_of_cgroup, container_id)

    # -- stop ------------------------------------------------------------------------------

    async def signal(self, container_id: str, signum: int) -> None:
        def kill() -> None:
            try:
                self._engine.client().kill(container_id, signal=signum)
            except APIError as error:
                if error.status_code not in (404, 409):  # gone, or not running any more
                    raise

        if known := self._containers.get(container_id):
            known.sent.add(int(signum))
        await self._engine.ask(kill)

    async def remove(self, container_id: str) -> None:
        known = self._containers.get(container_id)
        if known:
            known.sent.add(signals.SIGKILL)
        # What can't be removed now is removed when the engine is back, by whoever asks `found`.
        self._removal.want(container_id)
        await self._engine.ask(self._removal.remove, container_id, patient=True)
        self._removal.forget(container_id)
        if known:
            known.ended = known.ended or Exit(137, "crashed", "The container was removed.")
            self._forget_old_exits()

    def _forget_old_exits(self) -> None:
        ended = [c for c, known in list(self._containers.items()) if known.ended is not None]
        for container_id in ended[:-_REMEMBERED]:
            self._containers.pop(container_id, None)

    async def found(self) -> list[Found]:
        return await self._engine.ask(self._list)

    def _list(self) -> list[Found]:
        labels = {"label": [f"{LABEL}.root={self.root_uuid}"]}
        rows = self._engine.client().containers(all=True, filters=labels)
        if not isinstance(rows, list):  # or nonsense would look like no containers
            raise TypeError(type(rows))
        return [
            Found(
                row["Id"],
                row["Labels"].get(f"{LABEL}.owner", ""),
                row["Labels"].get(f"{LABEL}.project", ""),
                row["Labels"].get(f"{LABEL}.session", ""),
                row["State"] not in _ENDED,
            )
            for row in self._removal.sweep(rows)
        ]

    async def close(self) -> None:
        self._events.stop()
        self._engine.close()
        if self._events.is_alive():
            # Within a second, unless a silent engine keeps it; then it ends at its timeout.
            await asyncio.get_running_loop().run_in_executor(None, self._events.join, 1)


def parse_size(text: str) -> int:
    """`512m` in bytes; -1 for what is no amount of memory."""
    amount = _MEMORY.fullmatch(text)
    return int(float(amount[1]) * _UNITS[amount[2].lower()]) if amount else -1
