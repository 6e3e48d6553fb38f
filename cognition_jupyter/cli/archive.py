"""`jupyter cognition export` and `import`: a project as one file."""

from __future__ import annotations

import asyncio
import os
import secrets
import select
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

from traitlets import Bool

from ..archive.layout import Report
from ..core import Cognition
from ..exceptions import Conflict, NotFound
from .base import WrongUsage
from .project import ProjectCommand

_STREAM = "-"
_PIECE = 1 << 18


class Export(ProjectCommand):
    """Write a project to a file that `import` takes, here or on another machine.

    FILE is PROJECT.tar.gz unless it is given, `-` for standard output. It holds the workspace,
    the memory and what the project asks for; not its sessions and conversations. What is in use
    is read as it is, not as of one moment. An existing file is left alone without --force.
    """

    name = "jupyter-cognition-export"
    description = __doc__ or ""
    arguments = "PROJECT [FILE]"
    options = f"[--deps] [--logs] [--force] {ProjectCommand.options}"
    examples = """
jupyter cognition export my-api-a7b3c2d1
jupyter cognition export my-api-a7b3c2d1 - --deps | ssh elsewhere jupyter cognition import -
"""
    flags = {
        **ProjectCommand.flags,
        "deps": ({"Export": {"deps": True}}, "Add the installed packages."),
        "logs": ({"Export": {"logs": True}}, "Add the journals of its sessions."),
        "force": ({"Export": {"force": True}}, "Overwrite the file."),
    }

    deps = Bool(False, help="Add the installed packages.").tag(config=True)
    logs = Bool(False, help="Add the journals of its sessions.").tag(config=True)
    force = Bool(False, help="Overwrite the file.").tag(config=True)

    def run(self) -> None:
        """Write the file, and tell what is in it."""
        project_id, *rest = self.given()
        name = rest[0] if rest else f"{project_id}.tar.gz"
        if name == _STREAM:
            if sys.stdout.isatty():
                raise WrongUsage("An archive is nothing for a terminal: name a file.")
            self.ask(project_id, lambda c: self._write(c, project_id, self.put))
            return
        target = Path(name)
        if os.path.exists(target) and not target.is_file():  # a rename would replace a device
            raise WrongUsage(f"{target} is no file to write to; `-` is standard output.")
        if os.path.lexists(target) and not self.force:
            raise Conflict(f"{target} exists; overwrite it with --force.", "file_exists")
        temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
        try:
            with temporary.open("xb") as file:
                report = self.ask(project_id, lambda c: self._write(c, project_id, file.write))
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
            self._put_in_place(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        totals = report.totals
        self.say(
            f"{target}: {size} bytes, {totals.files} files with {totals.bytes} bytes.",
            *([f"Left out: {totals.skipped}."] if totals.skipped else []),
        )

    def _put_in_place(self, temporary: Path, target: Path) -> None:
        if self.force:
            temporary.rename(target)
            return
        try:
            os.link(temporary, target)  # a rename would overwrite what has come there meanwhile
        except FileExistsError:
            raise Conflict(f"{target} exists; overwrite it with --force.", "file_exists") from None
        except OSError:  # a file system without hard links
            temporary.rename(target)

    async def _write(
        self, cognition: Cognition, project_id: str, write: Callable[[bytes], object]
    ) -> Report:
        reports: list[Report] = []
        archive = cognition.archives.export(project_id, self.deps, self.logs, reports.append)
        async with aclosing(archive) as pieces:
            async for piece in pieces:
                write(piece)
        return reports[0]


class Import(ProjectCommand):
    """Make a project from a file of `export`, under a new id, which is printed.

    FILE may be `-` for standard input. A file that is not whole, or not what it says, is refused,
    and nothing of it stays. What the project asks for must be allowed here.
    """

    name = "jupyter-cognition-import"
    description = __doc__ or ""
    arguments = "FILE"
    examples = "jupyter cognition import my-api-a7b3c2d1.tar.gz"

    def run(self) -> None:
        """Import, and print the new id."""
        (name,) = self.given()
        if name == _STREAM:
            if sys.stdin is None or sys.stdin.isatty():
                raise WrongUsage("There is no archive on a terminal: name a file.")
            project_id = self._take(sys.stdin.fileno())
        else:
            try:
                fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                raise NotFound(f"There is no file {name}.", "file_not_found") from None
            try:
                project_id = self._take(fd)
            finally:
                os.close(fd)
        self.say(project_id)

    def _take(self, fd: int) -> str:
        async def take(cognition: Cognition) -> str:
            return (await cognition.archives.take(_pieces(fd))).project_id

        return self.ask(None, take)


async def _pieces(fd: int) -> AsyncIterator[bytes]:
    """What `fd` gives. It may be a pipe: Ctrl-C has to be heard while nothing comes."""
    while True:
        if select.select([fd], [], [], 0)[0]:
            piece = os.read(fd, _PIECE)
            if not piece:
                return
            yield piece
        else:
            await asyncio.sleep(0.02)
