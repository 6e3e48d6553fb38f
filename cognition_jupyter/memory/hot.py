"""Hot memory of a root's projects: whole before it is used, on disk before it may go."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from traitlets.config import LoggingConfigurable

from ..exceptions import BrokenProject, CognitionError, NotFound
from ..models import SnapshotReason
from ..projects.files import in_thread, in_tree_thread, locked
from ..projects.naming import is_project_id
from ..projects.store import ProjectStore
from .paths import encode_path, shown
from .project_memory import writers_lock
from .ram import RamDirectories
from .routes import MemorySettings
from .shapes import MIB
from .snapshots import restore as restoring
from .snapshots.marker import RESTORING, HotMemory, boot_id, read_marker
from .snapshots.restore import Restored
from .snapshots.take import Taken, release, take, thin

Emit = Callable[[str, dict[str, Any]], None]
NAMED = 20  # files that an event names at most
NOT_RESTORED = "memory_not_restored"


class HotMemories(LoggingConfigurable):
    """Restores, snapshots and releases hot memory, and tells of it.

    Sessions come here when they start and end, the clock in between, REST and the command line
    when somebody asks. Coroutines never wait on the loop; the others wait for the disk.
    """

    def __init__(
        self, store: ProjectStore, ram: RamDirectories, settings: MemorySettings, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._store = store
        self._ram = ram
        self._settings = settings
        self._boot = boot_id()
        self._used: dict[str, float] = {}  # when each was last asked for, by the monotonic clock
        self._over: set[str] = set()  # projects of which we have told that they hold too much
        #: Called on the event loop with what happened and its data.
        self.emit: Emit = lambda action, data: None

    def of(self, project_id: str) -> HotMemory:
        """Where the project's hot memory is. Raises NotFound, OSError."""
        paths = self._store.paths(project_id)
        try:  # step by step: a project that is not there (any more) must not come out of it empty
            for directory in (paths.snapshots.parent, paths.snapshots):
                # Not `exist_ok`, which looks again, when it may be gone.
                with suppress(FileExistsError):
                    directory.mkdir(mode=0o700)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"There is no project {project_id}.") from None
        return HotMemory(
            ram=self._ram.hot(project_id),
            disk=paths.snapshots,
            marker=self._ram.marker(project_id),
            root_uuid=self._store.directory.uuid,
            user=self._store.user,
            boot=self._boot,
        )

    # -- before use ------------------------------------------------------------------------

    async def ensure(self, project_id: str) -> None:
        """Make sure that the project's hot memory is whole in RAM; restored if it was not.

        Raises NotFound, StorageFull, RuntimeUnavailable (`locked`), OSError.
        """
        restored = await in_thread(self.ensure_now)(project_id)
        if restored is not None:
            self._tell_restored(project_id, restored)

    def ensure_now(self, project_id: str) -> Restored | None:
        """As `ensure`, in this thread, and told only to the log."""
        self._used[project_id] = time.monotonic()
        restored = restoring.ensure_restored(self.of(project_id))
        if restored is not None:
            self._log_restored(project_id, restored)
        return restored

    async def restore(self, project_id: str, generation: int) -> tuple[Restored, Taken]:
        """Restore a generation, after a snapshot of what is there: (what was done, that snapshot).

        Running sessions see it at once. Raises NotFound (`snapshot_not_found`), Conflict
        (`snapshot_damaged`), StorageFull, RuntimeUnavailable (`locked`), OSError.
        """
        await self.ensure(project_id)
        restored, before = await in_tree_thread(self._restore)(project_id, generation)
        self._log_restored(project_id, restored)
        self._tell_restored(project_id, restored)
        return restored, before

    def _restore(self, project_id: str, generation: int) -> tuple[Restored, Taken]:
        with locked(writers_lock(self._store.paths(project_id))):
            self.ensure_now(project_id)  # another process may just have released it
            return restoring.restore(self.of(project_id), generation)

    # -- before it may go ------------------------------------------------------------------

    async def snapshot(
        self, project_id: str, reason: SnapshotReason, thorough: bool = False
    ) -> Taken:
        """Snapshot what is in RAM, if anything changed; thin out the older generations.

        Raises NotFound, Conflict (`memory_not_restored`), StorageFull, RuntimeUnavailable
        (`locked`), OSError.
        """
        taken, seconds = await in_tree_thread(self._snapshot)(project_id, reason, thorough)
        self._tell_taken(project_id, reason, taken, seconds)
        return taken

    def _snapshot(
        self, project_id: str, reason: SnapshotReason, thorough: bool
    ) -> tuple[Taken, float]:
        begun = time.monotonic()
        hot = self.of(project_id)
        taken = take(hot, reason, thorough=thorough)
        if taken.created:
            thin(hot, self._settings.snapshot_keep)
        return taken, time.monotonic() - begun

    async def save(self, project_id: str, reason: SnapshotReason) -> None:
        """A thorough snapshot for whoever must go on in any case: a failure is told, not raised."""
        try:
            await self.snapshot(project_id, reason, thorough=True)
        except (CognitionError, OSError) as error:
            if reason == "reconcile" and getattr(error, "code", None) == NOT_RESTORED:
                return  # whoever was killed had not come so far
            self.tell_failure(project_id, reason, error)

    async def release(self, project_id: str) -> bool:
        """Snapshot the hot memory of a project that no session uses and free its RAM.

        False when it has to stay: a session lives, or something in it can't be kept on disk.
        Raises as `snapshot`.
        """
        taken, freed, seconds = await in_tree_thread(self._release)(project_id)
        if taken.created:  # also when the RAM has to stay
            self._tell_taken(project_id, "release", taken, seconds)
        if freed:
            self._over.discard(project_id)
        return freed

    def _release(self, project_id: str) -> tuple[Taken, bool, float]:
        begun = time.monotonic()
        hot = self.of(project_id)
        with locked(writers_lock(self._store.paths(project_id))):
            marker = read_marker(hot)
            if marker is not None and marker.state == RESTORING:
                self.ensure_now(project_id)  # which keeps what is there
            # A session has its record before it looks whether its memory is whole.
            taken, freed = release(hot, lambda: self._in_use(project_id))
        if freed:
            self._used.pop(project_id, None)
        if taken.created:
            thin(hot, self._settings.snapshot_keep)
        return taken, freed, time.monotonic() - begun

    def _in_use(self, project_id: str) -> bool:
        try:
            return bool(self._store.catalog.read(project_id).live_sessions)
        except NotFound:
            return False
        except BrokenProject:  # nobody knows
            return True

    async def forget(self, project_id: str) -> bool:
        """Free the RAM of a project that is gone; false if it is there (again).

        Raises RuntimeUnavailable (`locked`), OSError.
        """
        if not await in_thread(self._forget)(project_id):
            return False
        self._used.pop(project_id, None)
        self._over.discard(project_id)
        return True

    def _forget(self, project_id: str) -> bool:
        directory = self._store.directory
        with directory.project_lock(project_id):  # nobody brings it back meanwhile
            gone = directory.lacks(project_id)
            if gone:
                self._ram.remove_hot(project_id)
        return gone

    def idle_seconds(self, project_id: str) -> float:
        """How long nobody has asked this process for the project's hot memory; it may be for ever.

        A reader does not wait for a release, so that what is in use should not be released.
        """
        return time.monotonic() - self._used.get(project_id, -math.inf)

    async def traces(self) -> list[str]:
        """Projects of which anything is in RAM, if only half a restore."""
        return await in_thread(self._ram.traces)()

    async def in_ram(self) -> list[str]:
        """Projects that have hot memory in RAM."""
        return await in_thread(self._ram.projects)()

    # -- telling ---------------------------------------------------------------------------

    def tell_failure(self, project_id: str, reason: SnapshotReason, error: Exception) -> None:
        """Tell that a snapshot could not be taken. What is in RAM stays there."""
        message = error.message if isinstance(error, CognitionError) else str(error)
        code = error.code if isinstance(error, CognitionError) else "storage_unavailable"
        self.log.warning("Memory of %s: no snapshot (%s): %s", project_id, reason, message)
        if is_project_id(project_id):
            data = {"project_id": project_id, "reason": reason, "message": message, "code": code}
            self.emit("failed", data)

    def _tell_taken(
        self, project_id: str, reason: SnapshotReason, taken: Taken, seconds: float
    ) -> None:
        for path, why in taken.skipped if taken.created else ():
            self.log.warning("Memory of %s: %s is left out: %s", project_id, shown(path), why)
        if taken.created:
            data = _numbers(taken.generation, taken.files, taken.bytes)
            data |= {"skipped": len(taken.skipped) + taken.unnamed, "seconds": round(seconds, 4)}
            self.emit("snapshot", {"project_id": project_id, "reason": reason, **data})
        self._watch_limit(project_id, taken.bytes)

    def _watch_limit(self, project_id: str, size: int) -> None:
        """Warn once when sessions have put more into hot memory than the limit."""
        limit = self._settings.hot_memory_limit
        if size <= limit:
            self._over.discard(project_id)
        elif project_id not in self._over:
            self._over.add(project_id)
            message = (
                f"Hot memory of {project_id} holds {size / MIB:.4g} MiB; it may hold "
                f"{limit / MIB:.4g} MiB (hot_memory_limit)."
            )
            self.log.warning("%s", message)
            self.emit("over_limit", {"project_id": project_id, "bytes": size, "message": message})

    def _log_restored(self, project_id: str, restored: Restored) -> None:
        head = f"Memory of {project_id}"
        if message := _found(restored):
            self.log.warning("%s: %s", head, message)
        for number, problem in restored.damaged:
            self.log.error("%s: snapshot %d is damaged: %s", head, number, problem)
        for one in restored.recovered:
            self.log.warning(
                "%s: %s came from snapshot %d: %s", head, shown(one.path), one.generation, one.why
            )
        for lost in restored.lost:
            self.log.error("%s: %s is lost: %s", head, shown(lost.path), lost.why)
        if restored.generation is not None:
            self.log.info("%s: snapshot %d was restored", head, restored.generation)

    def _tell_restored(self, project_id: str, restored: Restored) -> None:
        if restored.unsaved is not None:
            self.tell_failure(project_id, "restore", restored.unsaved)
        if restored.generation is None and not restored.damaged:
            return
        numbers = _numbers(restored.generation, restored.files, restored.bytes)
        data = {"project_id": project_id, **numbers, "lost_files": len(restored.lost)}
        if message := _found(restored):
            data["message"] = message
        self.emit("restored", data | problems(restored, NAMED))


def _found(restored: Restored) -> str:
    """What a restore that nobody asked for found in RAM and kept, as a sentence; or ''."""
    if restored.asked or restored.kept is None:
        return ""
    what = (
        f"Another server, with a RAM of its own, has made snapshot {restored.generation} since; it "
        "was restored"
        if restored.elsewhere
        else "A restore was interrupted and done again"
    )
    return f"{what}. What was in RAM is kept as snapshot {restored.kept.generation}."


def problems(restored: Restored, most: int) -> dict[str, Any]:
    """What was damaged, recovered and lost, as JSON; of each the first `most`."""

    def first(rows: Collection[dict[str, Any]]) -> list[dict[str, Any]]:
        return [*rows][:most]

    return {
        "damaged": first([{"generation": n, "why": why} for n, why in restored.damaged]),
        "recovered": first(
            [
                {"path": encode_path(one.path), "why": one.why, "generation": one.generation}
                for one in restored.recovered
            ]
        ),
        "lost": first([{"path": encode_path(p.path), "why": p.why} for p in restored.lost]),
    }


def _numbers(generation: int | None, files: int, size: int) -> dict[str, Any]:
    return {"generation": generation, "files": files, "bytes": size}
