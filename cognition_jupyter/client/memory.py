"""Calls about what a project remembers. Each has the name that it has in `openapi.yaml`."""

from __future__ import annotations

from .rest import Rest, parse, part, virtual
from .shapes.memory import (
    Difference,
    File,
    Listing,
    MemoryRoutes,
    Restored,
    Snapshot,
    SnapshotDetails,
    SnapshotList,
    Taken,
    Written,
)


class MemoryCalls(Rest):
    """All calls raise ClientError. `path` is a virtual path such as `/memories/hot/plan.md`."""

    async def list_memory_routes(
        self, project_id: str, session_id: str | None = None
    ) -> MemoryRoutes:
        """The routes, with what is in them; of `state` routes only with a live session."""
        query = {"session_id": session_id}
        return await self._call(MemoryRoutes, "GET", f"{_path(project_id)}/memory", query=query)

    async def read_memory(
        self, project_id: str, path: str | bytes, session_id: str | None = None
    ) -> File | Listing:
        """A file, or the entries of a directory."""
        answer = await self._send("GET", _file(project_id, path), query={"session_id": session_id})
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            return parse(Listing, answer.content)
        return File(answer.content, answer.headers.get("ETag"))

    async def write_memory(
        self,
        project_id: str,
        path: str | bytes,
        data: bytes,
        *,
        session_id: str | None = None,
        if_match: str | None = None,
        only_new: bool = False,
    ) -> Written:
        """Put a file there as a whole.

        `if_match`: only if the present one has this `ETag`; `only_new`: only if there is none.
        Otherwise ClientError with status 412.
        """
        headers = {"Content-Type": "application/octet-stream"}
        if if_match is not None:
            headers["If-Match"] = if_match
        if only_new:
            headers["If-None-Match"] = "*"
        query = {"session_id": session_id}
        where = _file(project_id, path)
        return await self._call(Written, "PUT", where, query=query, content=data, headers=headers)

    async def delete_memory(
        self, project_id: str, path: str | bytes, session_id: str | None = None
    ) -> None:
        """Remove a file, or a directory with all that is in it."""
        await self._send("DELETE", _file(project_id, path), query={"session_id": session_id})

    async def list_snapshots(self, project_id: str) -> list[Snapshot]:
        """The generations of hot memory, newest first."""
        path = f"{_path(project_id)}/snapshots"
        return (await self._call(SnapshotList, "GET", path)).snapshots

    async def take_snapshot(self, project_id: str) -> Taken:
        """Take one now, if anything has changed."""
        return await self._call(Taken, "POST", f"{_path(project_id)}/snapshots")

    async def get_snapshot(self, project_id: str, generation: int) -> SnapshotDetails:
        """A generation with what is in it."""
        path = f"{_path(project_id)}/snapshots/{generation:d}"
        return await self._call(SnapshotDetails, "GET", path)

    async def diff_snapshots(
        self, project_id: str, generation: int, against: int | None = None
    ) -> Difference:
        """What changed since the generation `against`, by default the one before."""
        path = f"{_path(project_id)}/snapshots/{generation:d}/diff"
        return await self._call(Difference, "GET", path, query={"against": against})

    async def restore_snapshot(self, project_id: str, generation: int) -> Restored:
        """Go back to a generation, after a snapshot of what is there."""
        path = f"{_path(project_id)}/snapshots/{generation:d}/restore"
        return await self._call(Restored, "POST", path)


def _path(project_id: str) -> str:
    return f"/api/projects/{part(project_id)}"


def _file(project_id: str, path: str | bytes) -> str:
    return f"{_path(project_id)}/memory/{virtual(path)}"
