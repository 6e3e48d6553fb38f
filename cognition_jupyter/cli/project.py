"""What the commands on one project share: their arguments, the root, and its Cognition."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import cleandoc
from pathlib import Path
from typing import Any, TypeVar

from jupyter_core.application import base_aliases, base_flags
from traitlets import default

from ..core import Cognition, root_without_server
from ..exceptions import CognitionError, NotFound
from ..projects.root import MARKER, is_marked_root
from .base import Command, WrongUsage

T = TypeVar("T")
_NUMBER = re.compile(r"[0-9]{1,15}")


class ProjectCommand(Command):
    """Base of the commands on projects. They need no server, and work beside one."""

    #: What stands behind the command's name, optional things in brackets.
    arguments = "PROJECT"
    options = "[--root DIR]"
    aliases = {**base_aliases, "root": "ProjectStore.root"}
    flags = base_flags

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        usage = " ".join(filter(None, (self._command, self.arguments, self.options)))
        self.description = f"{usage}\n\n{cleandoc(self.description)}"

    @default("log_level")
    def _only_warnings(self) -> int:
        return logging.WARNING

    @property
    def _command(self) -> str:
        return str(self.name).replace("-", " ")

    def given(self) -> list[str]:
        """The arguments, as many as there may be. Raises WrongUsage."""
        names = self.arguments.split()
        least = sum(not name.startswith("[") for name in names)
        given = [*self.extra_args]
        if not least <= len(given) <= len(names):
            raise WrongUsage(
                f"`{self._command}` takes {self.arguments or 'nothing'} (and {self.options}); "
                f"{len(given)} "
                f"argument{'' if len(given) == 1 else 's'} given."
            )
        return given

    def ask(self, project_id: str | None, question: Callable[[Cognition], Awaitable[T]]) -> T:
        """Ask the Cognition of the root, which is closed again in any case."""
        return asyncio.run(self._ask(project_id, question))

    async def _ask(
        self, project_id: str | None, question: Callable[[Cognition], Awaitable[T]]
    ) -> T:
        async with (
            Cognition.unserved(self._find_root(), self.config) as cognition,
            _visit(cognition, project_id),
        ):
            return await question(cognition)

    def _find_root(self) -> Path:
        """The root that was given, configured or found. Never made: raises NotFound."""
        here = Path(os.path.realpath(os.curdir))
        given = self.cli_config.get("ProjectStore", {}).get("root")
        root = here / os.path.expanduser(given) if given else root_without_server(self.config, here)
        if root is not None:
            if os.path.lexists(root / MARKER):
                return root
            raise NotFound(
                f"{root} is no root of projects: there is no {MARKER} in it. Give the directory "
                "that holds the projects with --root DIR.",
                "root_not_found",
            )
        beside = here / (self.config.get("ProjectStore", {}).get("root") or "workspaces")
        if is_marked_root(beside):
            return beside
        raise NotFound(
            f"There is no root of projects at {here} or above it, and none in {beside}: give one "
            "with --root DIR, or set ProjectStore.root in jupyter_cognition_config.",
            "root_not_found",
        )


@asynccontextmanager
async def _visit(cognition: Cognition, project_id: str | None) -> AsyncIterator[None]:
    """Let hot memory that was not in RAM leave it again: without a server nobody else would."""
    hot = cognition.hot
    there = project_id in await hot.in_ram()
    try:
        yield
    finally:
        if not there and project_id in await hot.in_ram():
            try:
                await hot.release(project_id)
            except (CognitionError, OSError) as error:
                hot.tell_failure(project_id, "release", error)


def snapshot_number(text: str) -> int:
    """The number of a snapshot as somebody typed it. Raises WrongUsage."""
    if not _NUMBER.fullmatch(text):
        raise WrongUsage(
            f"A snapshot has a number of at most 15 digits, as `jupyter cognition memory history` "
            f"shows it, not {text[:40]!r}."
        )
    return int(text)
