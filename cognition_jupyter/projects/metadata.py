"""`.project_metadata.json`: read with suspicion, written durably."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ValidationError

from ..exceptions import BrokenProject, NotFound
from ..models import METADATA_VERSION, Metadata, first_problem
from .files import write_durably
from .naming import check_project_id

METADATA_FILE = ".project_metadata.json"
MAX_METADATA_BYTES = 8 << 20  # a whole one with 50 sessions is about 20 kB


def signature(directory: Path) -> str | None:
    """Changes whenever the project's metadata is replaced; None where there is no project."""
    try:
        status = os.stat(directory / METADATA_FILE, follow_symlinks=False)
    except OSError:
        return "unreadable" if os.path.lexists(directory) else None
    if directory.is_symlink():
        return "unreadable"
    return f"{status.st_mtime_ns}:{status.st_size}:{status.st_ino}"


def read_metadata(parent: Path, project_id: str) -> Metadata:
    """The metadata of the project in `parent/project_id`.

    Raises NotFound; BrokenProject with the reason for whatever else stands there. Never follows a
    symbolic link, never waits on a FIFO, never reads without a bound.
    """
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        folder = os.open(parent / check_project_id(project_id), flags)
    except FileNotFoundError:
        raise NotFound(f"There is no project {project_id}.") from None
    except OSError:
        raise BrokenProject(f"{project_id} is not a directory.") from None
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(METADATA_FILE, flags, dir_fd=folder), "rb") as file:
            text = file.read(MAX_METADATA_BYTES + 1)
        metadata = _parse(text)
    except ValidationError as error:
        raise BrokenProject(f"{project_id}: {METADATA_FILE}: {first_problem(error)}") from None
    except (OSError, ValueError, RecursionError) as error:
        detail = error.strerror if isinstance(error, OSError) else str(error)
        raise BrokenProject(f"{project_id}: {METADATA_FILE} can't be read: {detail}.") from None
    finally:
        os.close(folder)
    if metadata.project_id != project_id:
        raise BrokenProject(f"{project_id}: its metadata says {metadata.project_id!r}.")
    return metadata


def _parse(text: bytes) -> Metadata:
    if len(text) > MAX_METADATA_BYTES:
        raise ValueError("it is larger than 8 MiB")
    document = json.loads(text)
    version = document.get("version") if isinstance(document, dict) else None
    if version != METADATA_VERSION:
        raise ValueError(f"version {version!r}, this release knows {METADATA_VERSION}")
    return Metadata.model_validate(document)


def write_metadata(directory: Path, metadata: Metadata) -> None:
    """Replace the project's metadata as a whole."""
    write_durably(directory / METADATA_FILE, metadata.model_dump_json(indent=1).encode())


def remove_temporary_files(directory: Path) -> None:
    """Remove what a writer left that was killed before its rename; the caller holds the lock."""
    for path in directory.glob(f".{METADATA_FILE}.*.tmp"):
        path.unlink(missing_ok=True)
