"""Where the engine finds a directory of ours: a server in a container sees other paths.

The engine mounts what *its* machine has at a path. A server that runs in a container of that very
engine is recognised, and its own mounts (volumes, directories of the host) say what a path of ours
is over there. What lies in nothing of that kind is in the server's own container only, and no
session can be given it.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docker.errors import NotFound as DockerNotFound

from ..exceptions import RuntimeUnavailable
from ..projects.mount_table import innermost, is_below, mount_table
from .docker_engine import Engine

CODE = "mounts_unusable"

SOURCE_MISSING = "bind source path does not exist"  # so says Docker
# What engines mount into a container is kept in a directory that has its id for a name:
# …/docker/containers/{id}/hostname, …/overlay-containers/{id}/userdata/hostname.
_IN_PATH = re.compile(r"containers/([0-9a-f]{64})/")
_IN_CGROUP = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")
_HOSTNAME = re.compile(r"[0-9a-f]{12,64}")


class EnginePaths:
    """Translates paths of this process to the engine's; `configured` wins over what is found."""

    def __init__(self, engine: Engine, configured: Mapping[str, str]) -> None:
        self._engine = engine
        self._configured = dict(configured)
        self._lock = threading.Lock()
        self._known = False
        # Of our own container: what is mounted where, and from where. None when we are in none.
        self._found: dict[str, str] | None = None

    def translate(self, path: Path) -> str:
        """The engine's path of one of ours. Waits for the engine.

        Raises RuntimeUnavailable (`mounts_unusable`) when it has none.
        """
        real = os.path.realpath(path)
        configured = _longest(real, self._configured)
        if configured is not None:
            return configured
        found = self._mounts()
        if found is None:
            if self._configured:
                raise RuntimeUnavailable(
                    f"{path} is below none of DockerRuntime.path_mappings, which say what the "
                    "engine's paths are: add one for it, if only to itself.",
                    CODE,
                )
            return str(path)
        mount = innermost(real, mount_table())
        source = found.get(mount.point) if mount else None
        if mount is None or source is None:
            place = "its file system" if mount is None else f"the mount {mount.point}"
            raise RuntimeUnavailable(
                f"{path} can't be given to a session: this server runs in a container, and {place} "
                "is no volume or directory of the engine's machine. Mount one there, or set "
                "DockerRuntime.path_mappings.",
                CODE,
            )
        return _moved(real, mount.point, source)

    def _mounts(self) -> dict[str, str] | None:
        with self._lock:
            if not self._known:
                self._found = self._look()
                self._known = True
            return self._found

    def _look(self) -> dict[str, str] | None:
        for candidate in dict.fromkeys(_own_ids()):
            try:
                inspected = self._engine.client().inspect_container(candidate)
            except DockerNotFound:
                continue
            if inspected["Id"] == candidate or _is_our_name(inspected, candidate):
                return _sources(inspected["Mounts"])
        return None


def source_missing(said: str) -> RuntimeUnavailable:
    """What it means that the engine does not find a directory that we have just seen."""
    path = said.partition(SOURCE_MISSING)[2].lstrip(": ")
    return RuntimeUnavailable(
        f"The Docker engine does not see the directory {path}: it is on another machine or in "
        "another mount namespace (DockerRuntime.path_mappings), or the directory has just gone.",
        CODE,
    )


def _own_ids() -> Iterator[str]:
    """Ids that the container may have in which we run, if we do; the surest first."""
    for mount in mount_table():
        if mount.point in ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf"):
            yield from _IN_PATH.findall(mount.root)
    try:
        yield from _IN_CGROUP.findall(Path("/proc/self/cgroup").read_text())
    except OSError:
        pass
    name = socket.gethostname()
    if _HOSTNAME.fullmatch(name):
        yield name


def _is_our_name(inspected: dict[str, Any], hostname: str) -> bool:
    """The engine also finds a container by a part of its id, or by its name."""
    return bool(inspected["Id"].startswith(hostname) and inspected["State"]["Running"])


def _sources(mounts: list[dict[str, Any]]) -> dict[str, str]:
    """Of a tmpfs there is no source: it is nowhere but in its container."""
    return {
        os.path.normpath(mount["Destination"]): mount["Source"]
        for mount in mounts
        if mount.get("Type") in ("bind", "volume") and mount.get("Source")
    }


def _longest(real: str, mappings: Mapping[str, str]) -> str | None:
    fitting = [point for point in mappings if is_below(real, point)]
    if not fitting:
        return None
    point = max(fitting, key=len)
    return _moved(real, point, mappings[point])


def _moved(real: str, point: str, source: str) -> str:
    return os.path.normpath(os.path.join(source, os.path.relpath(real, point)))
