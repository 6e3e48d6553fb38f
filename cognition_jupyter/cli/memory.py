"""`jupyter cognition memory`: what projects remember, and its history."""

from __future__ import annotations

from typing import Any

from traitlets import Unicode

from ..core import Cognition
from ..exceptions import InvalidInput
from ..memory.routes import HOT
from ..memory.shapes import Entry, Listing
from .base import Command
from .project import ProjectCommand, snapshot_number
from .snapshots import MemoryDiff, MemoryHistory, MemoryRestore
from .text import columns, seconds, visible


class SessionCommand(ProjectCommand):
    """Base of the commands that a session can be named to."""

    options = f"[--session SESSION_ID] {ProjectCommand.options}"
    aliases = {**ProjectCommand.aliases, "session": "SessionCommand.session"}

    session = Unicode(
        help="Id of the live session whose private memory (`/tmp/` and other routes of type "
        "`state`) is meant."
    ).tag(config=True)

    def explained(self, error: InvalidInput) -> InvalidInput:
        """The error in the words of the command line."""
        if error.code == "session_required":
            return InvalidInput(f"{error.message} Give it with --session SESSION_ID.", error.code)
        return error


class MemoryLs(SessionCommand):
    """List a directory of a project's memory, by default `/`.

    A line for each entry: type, size in bytes, time of the last change (UTC), name.
    """

    name = "jupyter-cognition-memory-ls"
    description = __doc__ or ""
    arguments = "PROJECT [PATH]"
    examples = """
jupyter cognition memory ls my-api-a7b3c2d1
jupyter cognition memory ls my-api-a7b3c2d1 /memories/hot
jupyter cognition memory ls my-api-a7b3c2d1 /tmp --session 5d1b9f0c-...
"""

    def run(self) -> None:
        """Print the listing."""
        project_id, *rest = self.given()
        path = rest[0] if rest else "/"
        listing = self.ask(project_id, lambda cognition: self._ls(cognition, project_id, path))
        self.say(*columns(map(_row, listing.entries), right={1}))
        if listing.truncated:
            self.log.warning("There are more; these are %d of them.", len(listing.entries))

    async def _ls(self, cognition: Cognition, project_id: str, path: str) -> Listing:
        try:
            memory = await cognition.memories.of(project_id, self.session or None)
            try:
                return await memory.ls(path)
            except InvalidInput as error:
                parent, _, name = path.rpartition("/")
                if error.code != "invalid_path" or not name:
                    raise
                # Perhaps a file: then it is an entry of the directory that it is in.
                found = [e for e in (await memory.ls(parent or "/")).entries if e.path == path]
                if not found:
                    raise error from None
                return Listing(parent, tuple(found))
        except InvalidInput as error:
            raise self.explained(error) from None


def _row(entry: Entry) -> tuple[str, str, str, str]:
    name = visible(entry.path.rpartition("/")[2]) + "/" * (entry.kind == "directory")
    size = str(entry.size) if entry.kind == "file" else "-"
    return entry.kind, size, seconds(entry.modified_at), name


class MemoryCat(SessionCommand):
    """Print a file of a project's memory: its bytes, as they are.

    With --snapshot N as it was in that snapshot, checked against its checksum; hot memory and
    routes of type `store` only. A file above MemorySettings.memory_file_limit (16 MiB) is refused.
    """

    name = "jupyter-cognition-memory-cat"
    description = __doc__ or ""
    arguments = "PROJECT PATH"
    options = f"[--snapshot N] {SessionCommand.options}"
    examples = """
jupyter cognition memory cat my-api-a7b3c2d1 /memories/hot/plan.md
jupyter cognition memory cat my-api-a7b3c2d1 /memories/hot/plan.md --snapshot 3
jupyter cognition memory cat my-api-a7b3c2d1 /memories/hot/model.bin \\
    --MemorySettings.memory_file_limit=100000000 > model.bin
"""
    aliases = {**SessionCommand.aliases, "snapshot": "MemoryCat.snapshot"}

    snapshot = Unicode(help="Number of the snapshot to read from.").tag(config=True)

    def run(self) -> None:
        """Print the file."""
        project_id, path = self.given()
        number = snapshot_number(self.snapshot) if self.snapshot else None
        data = self.ask(
            project_id,
            lambda cognition: (
                self._read(cognition, project_id, path)
                if number is None
                else self._read_snapshot(cognition, project_id, number, path)
            ),
        )
        self.put(data)

    async def _read(self, cognition: Cognition, project_id: str, path: str) -> bytes:
        try:
            memory = await cognition.memories.of(project_id, self.session or None)
            return (await memory.read(path)).data
        except InvalidInput as error:
            raise self.explained(error) from None

    async def _read_snapshot(
        self, cognition: Cognition, project_id: str, number: int, path: str
    ) -> bytes:
        config = (await cognition.store.get(project_id)).config
        place = cognition.memory_settings.routes(config.agent_backend_routes).find(path)
        if place is None or place[0].backend != "store":
            raise InvalidInput(f"Snapshots hold what is below {HOT}, not {path}.")
        route, parts = place
        if not parts or path.endswith("/"):
            raise InvalidInput(f"{path} is a directory.", "is_directory")
        inside = "/".join([*route.below, *parts])
        return await cognition.memories.read_snapshot(project_id, number, inside)


class Memory(Command):
    """The memory of a project: its files by virtual paths, and the snapshots of hot memory.

    No server need run, and one may. The root is --root DIR, else ProjectStore.root, else the
    outermost root at or above the current directory, else ./workspaces.
    """

    name = "jupyter-cognition-memory"
    description = __doc__ or ""
    subcommands: dict[str, Any] = {
        "ls": (MemoryLs, "List a directory."),
        "cat": (MemoryCat, "Print a file, as it is or as it was in a snapshot."),
        "history": (MemoryHistory, "List the snapshots."),
        "diff": (MemoryDiff, "Show what changed between two snapshots."),
        "restore": (MemoryRestore, "Go back to a snapshot."),
    }
