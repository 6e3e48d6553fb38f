"""What of deleted projects this process may not remove: an engine's root may."""

from __future__ import annotations

import os
import secrets
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any

from ..exceptions import CognitionError
from ..projects.files import in_thread, in_tree_thread
from ..projects.store import ProjectStore
from ..projects.tree import remove_tree
from ..runtimes.base import WORKSPACE, ContainerSpec, Mount, Runtime
from ..runtimes.choice import RuntimeChoice

PATIENCE = 600.0  # seconds that a container may take to remove a tree


class Remains:
    """Removes trees below `.cognition/deleting/` whose files belong to others."""

    def __init__(
        self,
        store: ProjectStore,
        choice: RuntimeChoice,
        owner: str,
        image: str | None,
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        self._store = store
        self._choice = choice
        self._owner = owner
        self._image = image
        self._log = log
        #: What containers at work are called, where a session's id would stand.
        self.at_work: set[str] = set()

    async def remove_all(self) -> None:
        """Try again what earlier attempts have left. Raises OSError."""
        for name in await in_thread(os.listdir)(self._store.directory.deleting):
            await self.remove(self._store.directory.deleting / name)

    async def remove(self, place: Path) -> bool:
        """Remove the tree `place`; false, with a word in the log, where that can't be done."""
        if await self._remove(place):
            return True
        for runtime in self._choice.for_reconcile():
            try:
                await self._empty(runtime, place)
            except CognitionError as error:
                self._log.warning("%s can't be removed: %s", place, error)
        return await self._remove(place)

    @in_tree_thread
    def _remove(self, place: Path) -> bool:
        try:
            remove_tree(place)
        except OSError as error:
            self._log.warning("%s can't be removed: %s", place, error.strerror)
            return False
        return True

    async def _empty(self, runtime: Runtime, place: Path) -> None:
        """Have root in a container, with no network and no other mount, remove all in `place`."""
        spec = ContainerSpec(
            root_uuid=runtime.root_uuid,
            owner=self._owner,
            project_id="removal-00000000",
            session_id=f"removal-{secrets.token_hex(4)}",
            command=("find", WORKSPACE, "-mindepth", "1", "-delete"),
            environment={"PATH": "/usr/bin:/bin"},
            working_directory="/",
            mounts=(Mount(place, WORKSPACE),),
            network_mode="OFF",
            user=(0, 0),
            image=self._image,
            capabilities=("DAC_OVERRIDE", "FOWNER"),
        )
        self.at_work.add(spec.session_id)
        try:
            container_id = await runtime.start(spec)
            try:
                await runtime.wait(container_id, PATIENCE)
            finally:
                await runtime.remove(container_id)
        finally:
            self.at_work.discard(spec.session_id)
