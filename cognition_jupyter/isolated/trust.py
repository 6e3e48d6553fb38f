"""Which outputs of a notebook may run scripts: in a project, the project's trust decides."""

# Jupyter's contents managers have no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager
from tornado.web import HTTPError

from ..projects.naming import is_project_id
from ..projects.trust import is_trusted
from .files import ConfinedFiles, refusals
from .territory import REPO


class ProjectTrust(ConfinedFiles, AsyncFileContentsManager):  # type: ignore[misc]
    """Jupyter's signatures of notebooks, but in projects.

    A signature would go with a notebook to wherever a copy of it turns up, and a page in which
    every cell was run signs what an untrusted project made. So in projects nothing is signed.
    """

    def _project_of(self, path: str) -> Path | None:
        """The directory of the project that the notebook is in."""
        with refusals():
            part = self.territory.of(self._get_os_path(path.strip("/")))
        repo = Path(part or "/")
        return repo.parent if repo.name == REPO and is_project_id(repo.parent.name) else None

    async def _notebook_model(
        self, path: str, content: bool = True, require_hash: bool = False
    ) -> dict[str, Any]:
        model: dict[str, Any] = await super()._notebook_model(path, content, require_hash)
        project = self._project_of(path)
        if content and project is not None:
            self.notary.mark_cells(model["content"], await run_sync(is_trusted, project))
        return model

    def mark_trusted_cells(self, nb: Any, path: str = "") -> None:
        """Called when a notebook is read."""
        if self._project_of(path) is None:
            super().mark_trusted_cells(nb, path)
        else:
            self.notary.mark_cells(nb, False)  # until the project was asked

    def check_and_sign(self, nb: Any, path: str = "", **options: Any) -> None:
        """Called when a notebook is saved."""
        if self._project_of(path) is None:
            super().check_and_sign(nb, path, **options)

    async def trust_notebook(self, path: str) -> None:
        """Called for `/api/contents/…/trust`. Raises HTTPError in a project that is not trusted."""
        project = self._project_of(path)
        if project is None:
            await super().trust_notebook(path)
        elif not await run_sync(is_trusted, project):
            raise HTTPError(403, f"The project {project.name} is not trusted: trust it instead.")
