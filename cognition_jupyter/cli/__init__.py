"""`jupyter cognition …`. A subcommand is a Command with a `run`, named in its parent's list."""

from __future__ import annotations

from typing import Any

from .archive import Export, Import
from .base import Command
from .cleanup import CleanupCommand
from .doctor import DoctorCommand
from .image import Image
from .memory import Memory


class CognitionCommand(Command):
    """Cognition for Jupyter: persistent projects, and kernels in fresh containers on them."""

    name = "jupyter-cognition"
    description = __doc__ or ""
    subcommands: dict[str, Any] = {
        "export": (Export, "Write a project to a file."),
        "import": (Import, "Make a project from such a file."),
        "image": (Image, "Build the session image."),
        "cleanup": (CleanupCommand, "Do a round of cleanup now, or say what it would do."),
        "doctor": (DoctorCommand, "Say what is wrong, and what can be done about it."),
        "memory": (Memory, "Look at the memory of a project, and go back to a snapshot."),
    }


main = CognitionCommand.launch_instance
