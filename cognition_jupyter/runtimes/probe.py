"""The write probe: does what a container writes arrive on the host, and as whose?"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from ..exceptions import RuntimeUnavailable
from ..projects.files import in_thread
from ..projects.tree import remove_tree
from .base import HOT, WORKSPACE, ContainerSpec, Exit, Mount, Runtime

_CODE = "mounts_unusable"


async def check_mounts(
    runtime: Runtime, directory: Path, owner: str, user: tuple[int, int], image: str | None
) -> None:
    """Start a container that writes one file below `directory` and look at it from here.

    Raises RuntimeUnavailable that says which: a mount that does not arrive (an engine on another
    machine or in another mount namespace), a write that is denied (SELinux labels), a file that
    belongs to somebody else (user namespaces). Nothing is left behind.
    """
    place = directory / f"probe-{secrets.token_hex(4)}"
    word = secrets.token_hex(8)
    await _prepare(place, user)
    try:
        container_id = await runtime.start(
            ContainerSpec(
                root_uuid=runtime.root_uuid,
                owner=owner,
                project_id="probe-00000000",
                session_id=place.name,
                command=("sh", "-c", f"echo {word} > {WORKSPACE}/written"),
                environment={"PATH": "/usr/local/bin:/usr/bin:/bin"},
                working_directory=WORKSPACE,
                mounts=(Mount(place, WORKSPACE),),
                network_mode="OFF",
                user=user,
                image=image,
            )
        )
        try:
            ended = await runtime.wait(container_id)
            await _judge(runtime.name, place / "written", word, user, ended)
        finally:
            await runtime.remove(container_id)
    finally:
        await _remove(place)


_SEEN = "is seen", "is another directory", "belongs to another user"


async def check_sources(
    runtime: Runtime, directories: tuple[Path, Path], user: tuple[int, int], image: str
) -> None:
    """See whether a container of `runtime` is given these very directories. Writes nothing.

    Raises RuntimeUnavailable that says which is not the one that we see, or belongs to somebody
    else there.
    """
    sources = dict(zip((WORKSPACE, HOT), directories, strict=True))
    looks = [
        f"look {target} {await in_thread(_identity)(source)} {10 * number}"
        for number, (target, source) in enumerate(sources.items(), 1)
    ]
    function = (
        'look() { [ "$(stat -c %d:%i $1)" = $2 ] || exit $(($4 + 1)); '
        '[ "$(stat -c %u $1)" = $3 ] || exit $(($4 + 2)); }'
    )
    container_id = await runtime.start(
        ContainerSpec(
            root_uuid=runtime.root_uuid,
            owner="doctor",
            project_id="probe-00000000",
            session_id="doctor",
            command=("sh", "-c", "; ".join([function, *looks])),
            environment={"PATH": "/usr/local/bin:/usr/bin:/bin"},
            working_directory="/",
            mounts=tuple(Mount(source, target, True) for target, source in sources.items()),
            network_mode="OFF",
            user=user,
            image=image,
        )
    )
    try:
        ended = await runtime.wait(container_id)
    finally:
        await runtime.remove(container_id)
    if ended is None:
        raise RuntimeUnavailable(f"A container of {runtime.name} did not end in time.", _CODE)
    which, what = divmod(ended.code, 10)
    if ended.code and which in (1, 2) and what in (1, 2):
        raise RuntimeUnavailable(
            f"In a container of {runtime.name}, {directories[which - 1]} {_SEEN[what]}.", _CODE
        )
    if ended.code:
        raise RuntimeUnavailable(
            f"A container of {runtime.name} could not look at its mounts: {ended.detail}", _CODE
        )


def _identity(directory: Path) -> str:
    """Device, inode and owner: the same from everywhere on one machine."""
    status = os.stat(directory)
    return f"{status.st_dev}:{status.st_ino} {status.st_uid}"


@in_thread
def _prepare(place: Path, user: tuple[int, int]) -> None:
    place.mkdir(mode=0o700)
    os.chown(place, *user)


@in_thread
def _remove(place: Path) -> None:
    remove_tree(place)


@in_thread
def _judge(name: str, file: Path, word: str, user: tuple[int, int], ended: Exit | None) -> None:
    try:
        owner, text = _read(file)
    except OSError:
        how = "it did not end in time" if ended is None else f"its status was {ended.code}"
        # What a sandbox says about itself; an engine's containers have no log.
        said = ended.detail.partition(" It said: ")[2] if ended else ""
        raise RuntimeUnavailable(
            f"A container of {name} could not write into the projects' directory ({said or how}): "
            "the engine sees other files than this server, SELinux denies it, or users are mapped.",
            _CODE,
        ) from None
    if owner != user[0]:
        raise RuntimeUnavailable(
            f"A file that user {user[0]} wrote in a container of {name} belongs to user {owner} "
            "here: the engine maps users (userns-remap or rootless mode), which would break the "
            "projects' files.",
            _CODE,
        )
    if text != word:
        raise RuntimeUnavailable(
            f"What a container of {name} wrote did not arrive as written.", _CODE
        )


def _read(file: Path) -> tuple[int, str]:
    """The file's owner and its beginning. The image's `sh` may have made anything of it."""
    fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        text = os.read(fd, 100) if stat.S_ISREG(status.st_mode) else b""
    finally:
        os.close(fd)
    return status.st_uid, text.decode(errors="replace").strip()
