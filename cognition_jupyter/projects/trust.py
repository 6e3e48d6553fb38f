"""Whether a project is trusted, by what is on disk: for who has no store at hand."""

from __future__ import annotations

from pathlib import Path

from ..exceptions import CognitionError
from .metadata import read_metadata
from .root import read_marker


def is_trusted(project: Path) -> bool:
    """Whether what is in the project in this directory may run in the user's page.

    False also when that can't be told. Waits for the disk.
    """
    try:
        metadata = read_metadata(project.parent, project.name)
        return metadata.trusted_in == read_marker(project.parent)["uuid"]
    except (CognitionError, OSError):
        return False
