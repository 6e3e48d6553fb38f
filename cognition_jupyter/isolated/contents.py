"""Jupyter's contents manager, kept inside each project."""

# Jupyter's contents managers have no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import os
from base64 import b64decode
from contextlib import suppress
from typing import Any

from anyio.to_thread import run_sync
from jupyter_core.paths import is_file_hidden, is_hidden
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError
from traitlets import default

from . import operations
from .checkpoints import ProjectCheckpoints
from .files import ProjectFilesHandler, refusals
from .trust import ProjectTrust


class ProjectContentsManager(ProjectTrust, AsyncLargeFileManager):  # type: ignore[misc]
    """Contents without a way from one project's files into another's, or out of it.

    What is in no project is treated as Jupyter does.
    """

    @default("checkpoints_class")
    def _confined_checkpoints(self) -> type[ProjectCheckpoints]:
        return ProjectCheckpoints

    @default("files_handler_class")
    def _confined_files_handler(self) -> type[ProjectFilesHandler]:
        return ProjectFilesHandler

    def _in_no_project(self, *paths: str) -> bool:
        with refusals():
            return all(self.territory.of(path) is None for path in paths)

    def _refuse_hidden(self, *paths: str) -> None:
        if not self.allow_hidden and any(is_hidden(path, self.root_dir) for path in paths):
            raise HTTPError(400, "Hidden files and directories can't be changed.")

    async def _dir_model(self, path: str, content: bool = True) -> dict[str, Any]:
        """A directory; links that lead out of the project are not listed."""
        model: dict[str, Any] = await super()._dir_model(path, content=False)
        if not content:
            return model
        os_path = self._get_os_path(path)
        with refusals():
            names = await run_sync(operations.names, self.territory, os_path)
        entries = []
        for name in names:
            hidden = not self.allow_hidden and is_file_hidden(os.path.join(os_path, name))
            if self.should_list(name) and not hidden:
                with suppress(HTTPError, OSError):  # leads out, or is gone by now
                    entries.append(await self.get(f"{path}/{name}", content=False))
        return model | {"content": entries, "format": "json"}

    async def _save_directory(self, os_path: str, model: dict[str, Any], path: str = "") -> None:
        if self._in_no_project(os_path):
            await super()._save_directory(os_path, model, path)
            return
        self._refuse_hidden(os_path)
        with refusals():
            try:
                await run_sync(operations.make_directory, self.territory, os_path)
            except FileExistsError:
                if not await self.dir_exists(path):
                    raise

    async def _save_large_file(self, os_path: str, content: str, format: str) -> None:
        """A later chunk of an upload."""
        if format not in ("text", "base64"):
            raise HTTPError(400, "The format of a file must be text or base64.")
        try:
            data = content.encode() if format == "text" else b64decode(content)
        except ValueError:
            raise HTTPError(400, f"The content is not {format}.") from None
        with refusals():
            await run_sync(operations.append, self.territory, os_path, data)

    async def _copy_dir(
        self, from_path: str, to_path_original: str, to_name: str, to_path: str
    ) -> dict[str, Any]:
        source = self._get_os_path(from_path.strip("/"))
        target = self._get_os_path(to_path.strip("/"))
        limit = self.max_copy_folder_size_mb << 20
        with refusals():
            await run_sync(operations.copy_directory, self.territory, source, target, limit)
        model: dict[str, Any] = await self.get(to_path, content=False)
        return model

    async def delete_file(self, path: str) -> None:
        """Delete; without the trash, a project's directory goes with all that is in it."""
        os_path = self._get_os_path(path.strip("/"))
        with refusals():
            self.territory.check_entry(os_path)
        if self._in_no_project(os_path) or self.delete_to_trash:
            await super().delete_file(path)
            return
        self._refuse_hidden(os_path)
        with refusals():
            await run_sync(operations.remove, self.territory, os_path)

    async def rename_file(self, old_path: str, new_path: str) -> None:
        """Rename or move."""
        old, new = self._get_os_path(old_path.strip("/")), self._get_os_path(new_path.strip("/"))
        if self._in_no_project(old, new):
            await super().rename_file(old_path, new_path)
        elif old != new:
            self._refuse_hidden(old, new)
            with refusals():
                await run_sync(operations.move, self.territory, old, new)
