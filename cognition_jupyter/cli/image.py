"""`jupyter cognition image`: the session image."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import shorten
from typing import Any

from jupyter_core.application import base_aliases, base_flags
from traitlets import Dict, Unicode

from ..image.build import build_session_image
from ..kernels.policy import DEFAULT_IMAGE
from ..runtimes.docker import DockerRuntime
from .base import Command

_STEP = re.compile(
    r"step \d+/\d+\s*:", re.IGNORECASE
)  # docker's "Step 1/9 :", podman's "STEP 1/9:"
_COLUMNS = 100


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
