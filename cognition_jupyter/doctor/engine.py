"""The engine: does it answer, has it the image, does it see our directories, has it orphans?"""

from __future__ import annotations

import errno
import grp
import os
import socket
from pathlib import Path

from ..exceptions import CognitionError, RuntimeUnavailable
from ..projects.files import in_thread
from ..projects.root import owner_holds_lock
from ..runtimes.docker import DockerRuntime
from ..runtimes.probe import check_sources
from .finding import Finding, fault, ok, unknown
from .subject import Subject, user_name

_SCHEME = "unix://"
_CONNECT_SECONDS = 5
_NAMED = 5


async def check_engine(subject: Subject) -> list[Finding]:
    """Findings on sessions' runtime, engine, image, mounts, containers. Writes nothing."""
    runtime = await _runtime(subject)
    if subject.runtime not in ("auto", "docker"):
        return [runtime, ok("engine", f"Not needed: RuntimeChoice.runtime is {subject.runtime}.")]
    docker = subject.docker()
    try:
        engine = await _engine(docker)
        if engine.status != "ok":
            rest = [unknown(name, "The engine can't be asked.") for name in ("image", "containers")]
            return [runtime, engine, *rest]
        image = await _image(subject, docker)
        containers = await _containers(subject, docker)
    finally:
        await docker.close()
    if image.status != "ok":
        mounts = unknown("mounts", "Without the image no container can be started.")
    else:
        mounts = await _mounts(subject)
    return [runtime, engine, image, mounts, containers]


async def _runtime(subject: Subject) -> Finding:
    choice = subject.choice()
    try:
        health = await choice.health()
    finally:
        await choice.close()
    if not health.available:
        cure = "See the finding on the engine; or set RuntimeChoice.runtime to one that works here."
        return fault("runtime", "no_runtime", f"No session can start: {health.detail}", cure)
    isolated = "isolated" if health.isolated else "NOT isolated"
    return ok("runtime", f"Sessions start in {health.name}, {isolated}: {health.detail}.")


async def _engine(docker: DockerRuntime) -> Finding:
    if docker.base_url.startswith(_SCHEME):
        found = await in_thread(_socket)("/" + docker.base_url[len(_SCHEME) :].lstrip("/"))
        if found is not None:
            return found
    health = await docker.health()
    if health.available:
        return ok("engine", f"{health.detail} answers at {docker.base_url}.")
    cure = "Look into its log (journalctl -u docker) and start it anew, or set DOCKER_HOST."
    return fault("engine", "engine_fails", health.detail, cure)


def _socket(path: str) -> Finding | None:
    """What is wrong with the engine's socket, if anything."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_CONNECT_SECONDS)
            connection.connect(path)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return _no_permission(path)
        message = f"No Docker engine answers at {path}: {error.strerror or error}."
        cure = (
            "Start it (systemctl start docker), or install one (docker.io; podman with its "
            "socket), or set DOCKER_HOST or DockerRuntime.base_url to its socket. To do without, "
            'set RuntimeChoice.runtime to "bubblewrap".'
        )
        return fault("engine", "no_engine", message, cure)
    return None


def _no_permission(path: str) -> Finding:
    message = f"{user_name()} may not use the engine's socket {path}."
    try:
        group = grp.getgrgid(os.stat(path).st_gid).gr_name
    except (OSError, KeyError):
        group = "docker"
    cure = (
        f"Add the user to its group (usermod -aG {group} NAME) and log in anew. Whoever may use "
        "the socket is as good as root."
    )
    return fault("engine", "engine_permission", message, cure)


async def _image(subject: Subject, docker: DockerRuntime) -> Finding:
    image = subject.policy.image
    try:
        there = await docker.has_image(image)
    except RuntimeUnavailable as error:
        return unknown("image", error.message)
    if there:
        return ok("image", f"The engine has {image}.")
    cure = "Build it with `jupyter cognition image build`, pull it, or set SessionPolicy.image."
    return fault("image", "image_missing", f"The engine has no image {image}.", cure)


async def _mounts(subject: Subject) -> Finding:
    """Whether a container is given the directories that we see, or the nearest above them."""
    places = await in_thread(_nearest)(subject.root), await in_thread(_nearest)(subject.hot)
    # A root of its own: the reconcile of a server would remove what it does not know.
    docker = subject.docker("doctor")
    try:
        sources = [await docker.source_of(place) for place in places]
        await check_sources(docker, places, subject.store.user, subject.policy.image)
    except CognitionError as error:
        cure = (
            "Engine and server must see the same files: run both on one machine. For a server in "
            "a container, mount root and RAM directory from the host; see docs/doctor.md."
        )
        return fault("mounts", "mounts_unusable", error.message, cure)
    finally:
        await docker.close()
    named = " and ".join(
        str(place) if source == str(place) else f"{place} (there {source})"
        for place, source in zip(places, sources, strict=True)
    )
    return ok("mounts", f"Containers are given {named} as they are here.")


def _nearest(path: Path) -> Path:
    while not path.is_dir():
        path = path.parent
    return path


async def _containers(subject: Subject, docker: DockerRuntime) -> Finding:
    if not subject.marker.uuid:
        return ok("containers", "There is no root yet, and so no container of it.")
    try:
        found = await docker.found()
        owners = {one.owner for one in found}
        dead = {o for o in owners if not await in_thread(owner_holds_lock)(subject.root, o)}
    except RuntimeUnavailable as error:
        return unknown("containers", error.message)
    except OSError as error:
        return unknown("containers", f"The root's owners can't be read: {error.strerror}.")
    orphans = [one for one in found if one.owner in dead]
    if not orphans:
        return ok("containers", f"{len(found)} containers, each of a server that lives.")
    named = ", ".join(f"{one.container_id[:12]} ({one.project_id})" for one in orphans[:_NAMED])
    more = f" and {len(orphans) - _NAMED} more" if len(orphans) > _NAMED else ""
    message = f"The process that started them is gone, and they are still there: {named}{more}."
    cure = (
        "Start a server on this root: it saves their memory and removes them, at its start and "
        "every minute. If one runs, look for `Reconcile` in its log."
    )
    return fault("containers", "orphan_containers", message, cure)
