"""Taking projects away and giving them back, their hot memory included."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from ..events import Events
from ..exceptions import CognitionError, Conflict, FilesRemain
from ..memory.disk import disk_usage
from ..memory.hot import HotMemories
from ..memory.snapshots.durable import storage_full
from ..models import Metadata, TrashReason
from ..projects.files import in_thread
from ..projects.store import ProjectStore
from .remains import Remains

# What measuring a project may cost whoever deletes it.
MEASURED_ENTRIES = 200_000
MEASURED_SECONDS = 2.0


class Removal:
    """What DELETE, restore and cleanup call. Sessions must have ended before."""

    def __init__(
        self, store: ProjectStore, hot: HotMemories, remains: Remains, events: Events
    ) -> None:
        self._store = store
        self._hot = hot
        self._remains = remains
        self._tell = events.of("project")

    async def trash(
        self,
        project_id: str,
        reason: TrashReason = "client",
        wanted: Callable[[Metadata], bool] = lambda metadata: True,
        force: bool = False,
    ) -> bool:
        """Move a project to the trash; false if it is not `wanted` there by its metadata now.

        Raises NotFound, BrokenProject, Conflict (`active_sessions`, `in_trash`; without `force`
        `memory_not_kept`, when hot memory holds what no snapshot can), StorageFull, OSError.
        """
        await self._keep_memory(project_id, force)
        with storage_full(f"{project_id} stays where it is (permanent=true would need no room)"):
            moved = await self._store.trash.put(project_id, reason, wanted)
        if moved is None:
            return False
        await self._forget_memory(project_id)
        size = await self._measure(project_id)
        self._tell("trashed", {"project_id": project_id, "reason": reason, "bytes": size})
        return True

    async def _measure(self, project_id: str) -> int | None:
        """What it takes on disk, recorded; None when that is too much to look at."""
        place = self._store.directory.trash / project_id
        # Not in the threads for trees: whoever deletes would wait behind all removals.
        usage = await in_thread(disk_usage)(place, MEASURED_ENTRIES, MEASURED_SECONDS)
        if not usage.complete:
            return None
        with suppress(CognitionError, OSError):  # it is in the trash all the same
            await self._store.trash.note_size(project_id, usage.bytes)
        return usage.bytes

    async def _keep_memory(self, project_id: str, force: bool) -> None:
        """Get what is in RAM onto the disk, where it goes to the trash with the rest."""
        if project_id not in await self._hot.in_ram():
            return
        try:
            if await self._hot.release(project_id):
                return
        except FileNotFoundError:
            await self._store.get(project_id)  # NotFound when somebody was quicker
            raise
        if (await self._store.get(project_id)).live_sessions or force:
            return  # of the first the trash has its own word
        raise Conflict(
            f"Hot memory of {project_id} holds what can't be kept on disk (the log names it): "
            "remove it, or delete the project with force=true.",
            "memory_not_kept",
        )

    async def delete(self, project_id: str) -> None:
        """Remove a project for good, from the trash or from where it is.

        Raises NotFound, BrokenProject, Conflict (`active_sessions`), FilesRemain,
        OSError.
        """
        await self._delete(self._store.trash.delete, project_id, "client")

    async def take_back(self, project_id: str) -> None:
        """As `delete`, for a project whose creation failed: nobody was told of it."""
        await self._delete(self._store.trash.delete, project_id, None)

    async def expire(self, project_id: str) -> None:
        """Remove a project for good that has been in the trash for as long as it is kept there.

        Raises NotFound when it is not there or not due, BrokenProject, FilesRemain, OSError.
        """
        await self._delete(self._store.trash.expire, project_id, "retention")

    async def _delete(
        self, step: Callable[[str], Awaitable[None]], project_id: str, reason: str | None
    ) -> None:
        try:
            await step(project_id)
        except FilesRemain as error:
            if not await self._remains.remove(error.place):
                await self._note_deleted(project_id, reason)  # there is no way back
                raise
        await self._note_deleted(project_id, reason)

    async def _note_deleted(self, project_id: str, reason: str | None) -> None:
        await self._forget_memory(project_id)
        if reason is not None:
            self._tell("deleted", {"project_id": project_id, "reason": reason})

    async def _forget_memory(self, project_id: str) -> None:
        """What is left in RAM now is freed by the next reconcile."""
        with suppress(CognitionError, OSError):
            await self._hot.forget(project_id)

    async def restore(self, project_id: str) -> Metadata:
        """Bring a project back from the trash.

        Raises NotFound, BrokenProject, Conflict (`project_exists`, `project_limit`), StorageFull.
        """
        with storage_full(f"{project_id} stays in the trash"):
            metadata = await self._store.trash.restore(project_id)
        self._tell("restored", {"project_id": project_id})
        return metadata
