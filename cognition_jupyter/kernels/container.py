"""What a session's container is made of: its mounts, working directory, connection file, command.

Everything here waits for the disk.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..exceptions import NotFound, RuntimeUnavailable
from ..memory.ram import RamDirectories, SessionDirectories
from ..projects.files import write_durably
from ..projects.store import ProjectStore
from ..runtimes import base
from ..runtimes.base import ContainerSpec, Mount
from .policy import SessionPolicy
from .session import LiveSession

CONNECTION_FILE = "connection.json"
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


def mounts_of(
    store: ProjectStore,
    ram: RamDirectories,
    project_id: str,
    directories: SessionDirectories,
    keep_packages: bool,
) -> tuple[Mount, ...]:
    """The mounts of a session, the workspace first. Nothing else of the host is ever mounted."""
    paths = store.paths(project_id)
    return (
        Mount(paths.repo, base.WORKSPACE),
        Mount(ram.hot(project_id), base.HOT),
        Mount(paths.persistent, base.PERSISTENT),
        Mount(paths.deps if keep_packages else directories.deps, base.DEPS),
        Mount(directories.tmp, base.TMP),
        Mount(directories.sockets, base.SOCKETS),
    )


def make_sources(ram: RamDirectories, session_id: str, mounts: tuple[Mount, ...]) -> None:
    """Make what is missing of the mounts' sources, as when `.deps` was removed by hand.

    Raises NotFound when the workspace itself is gone: an empty one would look like lost work.
    """
    if not mounts[0].source.is_dir():
        raise NotFound(f"The project's folder {mounts[0].source} is gone.", "no_workspace")
    with space_for(session_id):
        for mount in mounts[1:]:
            ram.make(mount.source)


@contextmanager
def space_for(session_id: str) -> Iterator[None]:
    """Around what writes below the directories of a session: a full disk is a sentence, too."""
    try:
        yield
    except OSError as error:
        raise RuntimeUnavailable(
            f"The directories of session {session_id} can't be made: {error.strerror} "
            f"({error.filename}).",
            "no_space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "storage_unavailable",
        ) from None


def container_spec(
    session: LiveSession,
    store: ProjectStore,
    policy: SessionPolicy,
    owner: str,
    argv: list[str],
    connection: dict[str, Any],
    notebook: str | None,
) -> ContainerSpec:
    """The session's container as it would be started now; its connection file is written."""
    runtime, mounts = session.runtime, session.mounts
    info = connection | {
        "transport": "ipc",
        "ip": runtime.inside(f"{base.SOCKETS}/k", mounts),
        **{f"{name}_port": n for n, name in enumerate(CHANNELS, 1)},
    }
    file = session.directories.sockets / CONNECTION_FILE
    with space_for(session.session_id):
        write_durably(file, json.dumps(info).encode())
        if os.geteuid() == 0:
            os.chown(file, *store.user, follow_symlinks=False)
    working_directory = runtime.inside(_working_directory(session), mounts)
    environment = policy.environment_of(runtime, mounts)
    if notebook:
        environment["JPY_SESSION_NAME"] = f"{working_directory}/{os.path.basename(notebook)}"
    inside = runtime.inside(f"{base.SOCKETS}/{CONNECTION_FILE}", mounts)
    command = [part.replace("{connection_file}", inside) for part in argv]
    if command[0] in ("python", "python3"):
        command[0] = runtime.python
    return ContainerSpec(
        root_uuid=store.directory.uuid,
        owner=owner,
        project_id=session.project_id,
        session_id=session.session_id,
        command=tuple(command),
        environment=environment,
        working_directory=working_directory,
        mounts=mounts,
        network_mode=session.network_mode,
        user=store.user,
        image=session.image,
    )


def _working_directory(session: LiveSession) -> str:
    """The notebook's folder in the container, or the nearest above it that is there.

    Looked at just before the start, since an engine would make a missing one, as root.
    """
    repo = session.mounts[0].source
    place: Path = session.directory
    while not place.is_dir() and place != repo and place.is_relative_to(repo):
        place = place.parent
    real = Path(os.path.realpath(place))
    relative = real.relative_to(repo).as_posix() if real.is_relative_to(repo) else "."
    return base.WORKSPACE if relative == "." else f"{base.WORKSPACE}/{relative}"
