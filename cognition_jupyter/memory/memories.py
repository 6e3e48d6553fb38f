"""What can be done with the memory of a root's projects: what handlers and command line call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..exceptions import Conflict, InvalidInput
from ..models import Metadata, ProjectConfig, format_time
from ..projects.files import in_thread, in_tree_thread
from ..projects.store import ProjectStore
from .hot import HotMemories, problems
from .paths import encode_path
from .project_memory import ProjectMemory
from .ram import RamDirectories
from .routes import MemorySettings, Route
from .shapes import Content, Listing, Usage, Written
from .snapshots.diff import Change, Difference, diff
from .snapshots.generations import Summary, found, list_generations, numbers
from .snapshots.manifest import SKIPPED, Entry
from .snapshots.recover import read_file

SHOWN = 1000  # files of a snapshot that are listed, and problems of a restore that are named


class Memories:
    """Reads and changes what projects remember, and its history. Answers are ready for JSON."""

    def __init__(
        self, store: ProjectStore, ram: RamDirectories, settings: MemorySettings, hot: HotMemories
    ) -> None:
        self._store = store
        self._ram = ram
        self._settings = settings
        self._hot = hot

    def check(self, config: ProjectConfig) -> None:
        """Raise InvalidInput when a project's own routes are no routes, or not allowed."""
        self._settings.routes(config.agent_backend_routes)

    async def of(self, project_id: str, session_id: str | None = None) -> ProjectMemory:
        """The memory of a project, whole, as the session sees it if one is named.

        Raises NotFound, BrokenProject, InvalidInput, StorageFull, RuntimeUnavailable.
        """
        metadata = await self._store.get(project_id)
        await self._hot.ensure(project_id)
        return ProjectMemory(
            self._store.paths(project_id),
            self._ram.hot(project_id),
            self._store.user,
            self._settings.routes(metadata.config.agent_backend_routes),
            self._settings.limits,
            lambda asked: self._state_directory(metadata, asked),
            session_id,
            lambda: self._hot.ensure_now(project_id),
        )

    def _state_directory(self, metadata: Metadata, session_id: str) -> Path | None:
        record = metadata.session(session_id)
        if record is None or record.ended_at is not None:
            return None
        if not self._store.directory.owner_is_alive(record.owner):
            return None
        return self._ram.session_tmp(record.owner, session_id)

    # -- routes ----------------------------------------------------------------------------

    async def overview(self, project_id: str, session_id: str | None = None) -> dict[str, Any]:
        """The routes, with what is in them, and when hot memory was last snapshotted."""
        memory = await self.of(project_id, session_id)
        last = next((row for row in await self._summaries(project_id) if row.taken_at), None)
        rows = []
        for route in memory.routes:
            private = route.backend == "state" and session_id is None
            usage = None if private else await memory.usage(route.prefix)
            rows.append(_route(route, usage, last))
        return {"routes": rows, "hot_memory_limit": self._settings.hot_memory_limit}

    async def get(
        self, project_id: str, path: str, session_id: str | None = None
    ) -> dict[str, Any] | Content:
        """A directory as a listing, a file as its content."""
        memory = await self.of(project_id, session_id)
        if path.endswith("/"):
            return _listing(await memory.ls(path))
        try:
            return await memory.read(path)
        except InvalidInput as error:
            if error.code != "is_directory":
                raise
        return _listing(await memory.ls(path))

    async def put(
        self,
        project_id: str,
        path: str,
        data: bytes,
        session_id: str | None = None,
        if_match: str | None = None,
        create_only: bool = False,
    ) -> Written:
        """Put a file there; counts as an access of the project."""
        memory = await self.of(project_id, session_id)
        written = await memory.write(path, data, if_match, create_only)
        await self._note_access(project_id)
        return written

    async def delete(self, project_id: str, path: str, session_id: str | None = None) -> None:
        """Remove a file or a directory; counts as an access of the project."""
        await (await self.of(project_id, session_id)).delete(path)
        await self._note_access(project_id)

    async def _note_access(self, project_id: str) -> None:
        def note(metadata: Metadata) -> None:
            metadata.last_accessed = max(metadata.last_accessed, self._store.now())

        await self._store.change(project_id, note)

    # -- snapshots -------------------------------------------------------------------------

    async def history(self, project_id: str) -> list[dict[str, Any]]:
        """The snapshots, newest first."""
        await self._store.get(project_id)
        return [_summary(row) for row in await self._summaries(project_id)]

    async def _summaries(self, project_id: str) -> list[Summary]:
        return await in_thread(list_generations)(self._store.paths(project_id).snapshots, 0)

    async def snapshot(self, project_id: str) -> dict[str, Any]:
        """Take one now. `created` is false when nothing had changed since the last."""
        await self._store.get(project_id)
        await self._hot.ensure(project_id)
        taken = await self._hot.snapshot(project_id, "request", thorough=True)
        return {
            "generation": taken.generation,
            "created": taken.created,
            "files": taken.files,
            "bytes": taken.bytes,
            "skipped": [{"path": encode_path(s.path), "why": s.why} for s in taken.skipped[:SHOWN]],
        }

    async def describe(self, project_id: str, generation: int) -> dict[str, Any]:
        """One snapshot and what is in it; at most 1,000 entries, `more` says how many are not."""
        await self._store.get(project_id)
        return await in_tree_thread(self._describe)(project_id, generation)

    def _describe(self, project_id: str, generation: int) -> dict[str, Any]:
        with found(self._store.paths(project_id).snapshots, generation) as snapshot:
            header, totals = snapshot.header, snapshot.totals
            entries: list[dict[str, Any]] = []
            more = 0
            for entry in snapshot.reader.entries():
                if len(entries) < SHOWN:
                    entries.append(_entry(entry))
                else:
                    more += 1
        row = Summary(generation, header.taken_at, header.reason, totals.files, totals.bytes)
        skipped = {"skipped": totals.skipped + totals.unnamed}
        return _summary(row) | skipped | {"entries": entries, "more": more}

    async def diff(
        self, project_id: str, generation: int, against: int | None = None
    ) -> dict[str, Any]:
        """What changed from the snapshot `against` (default: the one before) to `generation`."""
        await self._store.get(project_id)
        return await in_tree_thread(self._diff)(project_id, generation, against)

    def _diff(self, project_id: str, generation: int, against: int | None) -> dict[str, Any]:
        disk = self._store.paths(project_id).snapshots
        if against is None:
            against = next((number for number in numbers(disk) if number < generation), None)
        if against is None:
            raise Conflict(
                f"There is no snapshot before {generation}: say against which to compare.",
                "no_earlier_snapshot",
            )
        return {"from": against, "to": generation, **_difference(diff(disk, against, generation))}

    async def read_snapshot(self, project_id: str, generation: int, path: str) -> bytes:
        """A file as it was in a snapshot, verified; `path` is relative to hot memory."""
        await self._store.get(project_id)
        disk = self._store.paths(project_id).snapshots
        limit = self._settings.memory_file_limit
        return await in_tree_thread(read_file)(disk, generation, path, limit)

    async def restore(self, project_id: str, generation: int) -> dict[str, Any]:
        """Go back to a snapshot; `undo` is the one to restore to take this back."""
        await self._store.get(project_id)
        restored, before = await self._hot.restore(project_id, generation)
        await self._note_access(project_id)
        return {
            "generation": generation,
            "files": restored.files,
            "bytes": restored.bytes,
            "undo": before.generation,
            **problems(restored, SHOWN),
        }


# -- shapes ----------------------------------------------------------------------------------


def _name(path: str) -> str:
    """Last part of a path, for reading: what is not UTF-8 is shown as U+FFFD."""
    return os.fsencode(path.rpartition("/")[2]).decode("utf-8", "replace")


def _route(route: Route, usage: Usage | None, last: Summary | None) -> dict[str, Any]:
    taken_at = _summary(last)["taken_at"] if last and route.backend == "store" else None
    return {
        "prefix": route.prefix,
        "type": route.backend,
        "files": usage.files if usage else None,
        "bytes": usage.bytes if usage else None,
        "truncated": bool(usage and usage.truncated),
        "last_snapshot_at": taken_at,
    }


def _listing(listing: Listing) -> dict[str, Any]:
    entries = [
        {
            "path": encode_path(entry.path),
            "name": _name(entry.path),
            "type": entry.kind,
            "size": entry.size if entry.kind == "file" else None,
            "modified_at": entry.modified_at,
        }
        for entry in listing.entries
    ]
    path = encode_path(listing.path)
    return {"path": path, "entries": entries, "truncated": listing.truncated}


def _summary(row: Summary) -> dict[str, Any]:
    return {
        "generation": row.number,
        "taken_at": format_time(row.taken_at) if row.taken_at else None,
        "reason": row.reason or None,
        "files": row.files,
        "bytes": row.bytes,
        "skipped": row.skipped,
        "damaged": row.damaged or None,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    row = {"path": encode_path(entry.path), "name": _name(entry.path), "type": entry.type}
    if entry.type == SKIPPED:
        return row | {"why": entry.why}
    return row | {"size": entry.size, "mode": f"{entry.mode:04o}", "sha256": entry.sha256 or None}


def _difference(difference: Difference) -> dict[str, Any]:
    kinds = ("added", "removed", "changed")
    rows = {kind: [_change(change) for change in getattr(difference, kind)] for kind in kinds}
    return rows | {"more": difference.more}


def _change(change: Change) -> dict[str, Any]:
    return {
        "path": encode_path(change.path),
        "name": _name(change.path),
        "before": _entry(change.before) if change.before else None,
        "after": _entry(change.after) if change.after else None,
        "diff": change.text,
        "note": change.note or None,
    }
