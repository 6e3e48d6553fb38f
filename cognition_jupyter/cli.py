"""`jupyter cognition …`. A subcommand is a Command with a `run`, named in its parent's list."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from textwrap import shorten
from typing import Any

from jupyter_core.application import JupyterApp, base_aliases, base_flags
from traitlets import Dict, Unicode

from . import __version__
from .core import Cognition
from .exceptions import CognitionError
from .image.build import build_session_image
from .kernels.policy import DEFAULT_IMAGE
from .runtimes.docker import DockerRuntime

_STEP = re.compile(
    r"step \d+/\d+\s*:", re.IGNORECASE
)  # docker's "Step 1/9 :", podman's "STEP 1/9:"
_COLUMNS = 100


class Command(JupyterApp):
    """Base of the commands: one configuration file for all, errors as one sentence and status 1."""

    version = __version__
    config_file_name = "jupyter_cognition_config"
    subcommand_description = "For help on one, add its name and --help."

    def __init__(self, **kwargs: Any) -> None:
        # For --help-all and --generate-config: whatever can be configured.
        self.classes = [type(self), *Cognition.classes]
        super().__init__(**kwargs)

    def start(self) -> None:
        """Run the command, or the subcommand that was named. Called by traitlets."""
        super().start()  # raises NoStart when there is a subcommand, or --generate-config
        try:
            self.run()
        except CognitionError as error:
            sys.stderr.write(f"{error.message}\n")
            self.exit(1)
        except KeyboardInterrupt:
            self.exit(130)

    def run(self) -> None:
        """Do the work. Raises CognitionError. A command that only has subcommands shows them."""
        self.print_description()
        self.print_subcommands()
        self.exit(1)

    def say(self, line: str) -> None:
        """One line on standard output, at once."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


class ImageBuild(Command):
    """Build the session image, the one that kernels run in.

    Needs a Docker engine (or podman's Docker-compatible socket) and, without --wheels, a network
    in which pip finds packages.
    """

    name = "jupyter-cognition-image-build"
    description = __doc__ or ""
    examples = """
jupyter cognition image build
jupyter cognition image build --base registry.example.org/python:3.13-slim
jupyter cognition image build --base my-debian --wheels ./wheels    # without a network
"""
    aliases = {
        **base_aliases,
        "base": "ImageBuild.base",
        "wheels": "ImageBuild.wheels",
        "tag": "ImageBuild.tag",
        "label": "ImageBuild.labels",
    }
    flags = base_flags

    base = Unicode(
        help="Image to build on: Debian or made from it, with python3 and pip. Default: the "
        "Dockerfile's own, an official Python image."
    ).tag(config=True)
    wheels = Unicode(
        help="Directory with the wheels to install, made for the base's Python. Then pip asks no "
        "package index."
    ).tag(config=True)
    tag = Unicode(DEFAULT_IMAGE, help="Name of the image that is built.").tag(config=True)
    labels = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="Labels for the image, `--label NAME=VALUE`; may be repeated.",
    ).tag(config=True)

    def run(self) -> None:
        """Build, a line for each step."""
        build_session_image(
            DockerRuntime(parent=self).base_url,
            self.tag,
            self.base,
            Path(self.wheels) if self.wheels else None,
            self.labels,
            self._show,
        )
        self.say(f"Built {self.tag}")

    def _show(self, line: str) -> None:
        self.log.debug(line)
        if _STEP.match(line):
            self.say(shorten(line, _COLUMNS, placeholder=" …"))


class Image(Command):
    """The session image: what is in the containers that kernels run in."""

    name = "jupyter-cognition-image"
    description = __doc__ or ""
    subcommands: dict[str, Any] = {
        "build": (ImageBuild, "Build the session image."),
    }


class CognitionCommand(Command):
    """Cognition for Jupyter: persistent projects, and kernels in fresh containers on them."""

    name = "jupyter-cognition"
    description = __doc__ or ""
    subcommands: dict[str, Any] = {
        "image": (Image, "Build the session image."),
    }


main = CognitionCommand.launch_instance

if __name__ == "__main__":
    main()
