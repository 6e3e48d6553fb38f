"""Checkpoints: the copy of a notebook that Jupyter keeps at every save."""

from __future__ import annotations

import os
import shutil

from anyio.to_thread import run_sync
from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints

from . import operations
from .files import ConfinedFiles, refusals


class ProjectCheckpoints(ConfinedFiles, AsyncFileCheckpoints):
    """Checkpoints beside the file, as Jupyter keeps them, but not through a link."""

    def checkpoint_path(self, checkpoint_id: str, path: str) -> str:
        """Called first by everything that is done with a checkpoint."""
        parent, _, name = path.strip("/").rpartition("/")
        stem, extension = os.path.splitext(name)
        folder = f"{parent}/{self.checkpoint_dir}"
        self._get_os_path(path)
        os_path = self._get_os_path(folder)
        with refusals():
            try:
                operations.make_directory(self.territory, os_path)
            except FileExistsError:
                pass
        return self._get_os_path(f"{folder}/{stem}-{checkpoint_id}{extension}")

    async def _copy(self, src: str, dest: str) -> None:
        with self.open(src) as source, self.atomic_writing(dest, text=False) as copy:
            await run_sync(shutil.copyfileobj, source, copy)

    async def rename_checkpoint(self, checkpoint_id: str, old_path: str, new_path: str) -> None:
        """Called when a file that has this checkpoint was renamed."""
        old = self.checkpoint_path(checkpoint_id, old_path)
        new = self.checkpoint_path(checkpoint_id, new_path)
        with refusals():
            await run_sync(operations.move, self.territory, old, new, True)

    async def delete_checkpoint(self, checkpoint_id: str, path: str) -> None:
        """Called when a file that has this checkpoint was deleted, or by REST."""
        os_path = self.checkpoint_path(checkpoint_id, path)
        with refusals():
            await run_sync(operations.remove, self.territory, os_path)
