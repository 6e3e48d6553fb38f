"""Builds the session image, for the command line."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from ..exceptions import InvalidInput
from ..runtimes.docker_image import build_image

_HERE = Path(__file__).parent
_FILES = ("Dockerfile", "requirements.txt")


def build_session_image(
    base_url: str,
    tag: str,
    base: str = "",
    wheels: Path | None = None,
    labels: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> None:
    """Build the session image on the engine at `base_url` and name it `tag`.

    `base` is the image to build on, by default the Dockerfile's own. `wheels` is a directory with
    wheels of everything in requirements.txt, for the base's Python: pip then needs no network.
    `progress` gets the engine's lines. Raises InvalidInput for the directory, RuntimeUnavailable
    when the engine does not answer or a step fails.
    """
    found = _wheels_in(wheels) if wheels else []
    with tempfile.TemporaryFile() as context:
        _write_context(context, found)
        context.seek(0)
        for line in build_image(base_url, context, tag, {"BASE": base} if base else {}, labels):
            progress(line)


def _wheels_in(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise InvalidInput(f"There is no directory {directory} to take wheels from.")
    found = sorted(directory.glob("*.whl"))
    if not found:
        raise InvalidInput(f"There are no wheels (*.whl) in {directory}.")
    return found


def _write_context(file: IO[bytes], wheels: list[Path]) -> None:
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in _FILES:
            tar.add(_HERE / name, name, filter=_anonymous)
        # Always there, if empty: the Dockerfile copies it.
        directory = tarfile.TarInfo("wheels")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(directory)
        for wheel in wheels:
            # What a link stands for: a cache may be made of links.
            tar.add(wheel.resolve(), f"wheels/{wheel.name}", filter=_anonymous)


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Same files, same context: so that the engine's cache of steps is of use."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    info.mode = 0o644
    return info
