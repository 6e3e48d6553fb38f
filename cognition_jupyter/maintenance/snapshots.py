"""Snapshots by the clock: what is in RAM gets onto the disk, and leaves the RAM when idle."""

from __future__ import annotations

from traitlets import Bool, Integer
from traitlets.config import LoggingConfigurable

from ..environment import environment_default
from ..exceptions import BrokenProject, CognitionError, NotFound
from ..memory.hot import HotMemories
from ..projects.files import in_thread
from ..projects.store import ProjectStore


class MemorySnapshots(LoggingConfigurable):
    """Goes over the projects that have hot memory in RAM; the others can't have changed."""

    memory_snapshot_enabled = Bool(
        True,
        help="Whether hot memory is snapshotted by the clock, besides the snapshots when a session "
        "ends or the last connection to it closes. Default from MEMORY_SNAPSHOT_ENABLED.",
    ).tag(config=True)
    memory_snapshot_interval = Integer(
        300,
        min=1,
        max=86_400,
        help="Seconds between two rounds of snapshots, and how long a project without a session "
        "stays in RAM at least. Default from MEMORY_SNAPSHOT_INTERVAL.",
    ).tag(config=True)

    _default_enabled = environment_default(
        "memory_snapshot_enabled", "MEMORY_SNAPSHOT_ENABLED", True
    )
    _default_interval = environment_default(
        "memory_snapshot_interval", "MEMORY_SNAPSHOT_INTERVAL", 300, minimum=1, maximum=86_400
    )

    def __init__(self, store: ProjectStore, hot: HotMemories, **kwargs: object) -> None:
        """Raise TraitError for a wrong value in the environment."""
        super().__init__(**kwargs)
        self._store = store
        self._hot = hot
        for name in self.trait_names(config=True):
            getattr(self, name)  # a default is looked up when it is first asked for

    async def run(self) -> None:
        """One round. The failure of one project is told and keeps no other."""
        for project_id in await self._hot.in_ram():
            try:
                await self._run(project_id)
            except (CognitionError, OSError) as error:
                self._hot.tell_failure(project_id, "interval", error)

    async def _run(self, project_id: str) -> None:
        try:
            live = bool((await self._store.get(project_id)).live_sessions)
        except NotFound:
            if not await in_thread(self._store.directory.lacks)(project_id):
                raise  # such as when the root's disk is away
            return  # reconcile frees it
        except BrokenProject:  # who knows whether anybody uses it
            live = True
        if live or self._hot.idle_seconds(project_id) < self.memory_snapshot_interval:
            await self._hot.ensure(project_id)  # a session may just be starting
            await self._hot.snapshot(project_id, "interval")
        else:
            await self._hot.release(project_id)
