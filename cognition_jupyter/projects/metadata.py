"""`.project_metadata.json`: read with suspicion, written durably."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import from_json

from ..exceptions import BrokenProject, NotFound
from ..models import METADATA_VERSION, Metadata, first_problem
from .files import read_bounded, write_durably
from .naming import check_project_id

METADATA_FILE = ".project_metadata.json"
MAX_METADATA_BYTES = 8 << 20  # a whole one with 50 sessions is about 20 kB


def signature(directory: Path | str) -> str | None:
    """Changes whenever the project's metadata does; None where there is none."""
    try:
        status = os.stat(f"{directory}/{METADATA_FILE}", follow_symlinks=False)
    except OSError:
        return None
    # The time of change rather than of modification: permissions make a project broken, too.
    return f"{status.st_ctime_ns}:{status.st_size}:{status.st_ino}"


def read_metadata(parent: Path, project_id: str) -> Metadata:
    """The metadata of the project in `parent/project_id`.

    Raises InvalidInput for what is no id, NotFound, and BrokenProject with the reason for whatever
    else stands there.
    """
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        folder = os.open(parent / check_project_id(project_id), flags)
    except FileNotFoundError:
        raise NotFound(f"There is no project {project_id}.") from None
    except NotADirectoryError:
        raise BrokenProject(f"{project_id} is not a directory.") from None
    except OSError as error:
        raise BrokenProject(f"{project_id} can't be opened: {error.strerror}.") from None
    try:
        metadata = _parse(read_bounded(METADATA_FILE, MAX_METADATA_BYTES, folder))
    except ValidationError as error:
        raise BrokenProject(f"{project_id}: {METADATA_FILE}: {first_problem(error)}") from None
    except OSError as error:
        reason = f"can't be read: {error.strerror}"
        raise BrokenProject(f"{project_id}: {METADATA_FILE} {reason}.") from None
    except ValueError as error:
        reason = f"can't be read: {str(error)[:200]}"
        raise BrokenProject(f"{project_id}: {METADATA_FILE} {reason}.") from None
    finally:
        os.close(folder)
    named = f"{metadata.user_prefix}-{project_id[-8:]}"
    if metadata.project_id != project_id or named != project_id:
        said = metadata.project_id if metadata.project_id != project_id else named
        raise BrokenProject(f"{project_id}: its metadata says {said[:64]!r}.")
    return metadata


def _parse(text: bytes) -> Metadata:
    # Not the standard library's parser: this one ends at a depth that can be written back.
    document = from_json(text, allow_inf_nan=False)
    version = document.get("version") if isinstance(document, dict) else None
    if version != METADATA_VERSION:
        raise ValueError(f"version {str(version)[:40]}, this release knows {METADATA_VERSION}")
    return Metadata.model_validate(document)


def write_metadata(directory: Path, metadata: Metadata) -> None:
    """Replace the project's metadata as a whole.

    Raises ValueError, with nothing changed, for what could not be read back.
    """
    text = metadata.model_dump_json(indent=1, warnings="error").encode()
    if len(text) > MAX_METADATA_BYTES:
        raise ValueError(f"{METADATA_FILE} would be too large")
    _parse(text)
    write_durably(directory / METADATA_FILE, text)
