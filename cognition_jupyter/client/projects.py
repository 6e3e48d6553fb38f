"""Calls about projects. Each has the name that it has in `openapi.yaml`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ..models import NetworkMode
from .rest import Rest, part
from .shapes.projects import (
    Cleanup,
    Project,
    ProjectList,
    ProjectSummary,
    Template,
    TemplateList,
    Usage,
)

_BINARY = {"Content-Type": "application/octet-stream"}


class ProjectCalls(Rest):
    """All calls raise ClientError."""

    async def list_projects(
        self,
        prefix: str | None = None,
        tags: Sequence[str] = (),
        status: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> ProjectList:
        """A page of projects, newest access first, and how many match in all."""
        query: dict[str, Any] = {"prefix": prefix, "tags": list(tags), "status": status}
        query |= {"limit": limit, "offset": offset}
        return await self._call(ProjectList, "GET", "/api/projects", query=query)

    async def iterate_projects(
        self,
        prefix: str | None = None,
        tags: Sequence[str] = (),
        status: str | None = None,
        page_size: int = 500,
    ) -> AsyncIterator[ProjectSummary]:
        """All projects that match, each once.

        One that is used meanwhile moves to the front of the list, and others move back with it;
        none of those is missed.
        """
        seen: set[str] = set()
        offset = 0
        while True:
            page = await self.list_projects(prefix, tags, status, page_size, offset)
            for project in page.projects:
                if project.project_id not in seen:
                    seen.add(project.project_id)
                    yield project
            offset += len(page.projects)
            if not page.projects or offset >= page.total:
                return

    async def create_project(
        self,
        user_prefix: str,
        *,
        template: str | None = None,
        repo_url: str | None = None,
        network_mode: NetworkMode | None = None,
        **fields: Any,
    ) -> Project:
        """A new project. `fields`: any other of `CreateProject` in `openapi.yaml`."""
        named = {"template": template, "repo_url": repo_url, "network_mode": network_mode}
        given = {name: value for name, value in named.items() if value is not None}
        body = {"user_prefix": user_prefix, **given, **fields}
        return await self._call(Project, "POST", "/api/projects", body=body)

    async def get_project(self, project_id: str) -> Project:
        """A project with everything that is known about it."""
        return await self._call(Project, "GET", _path(project_id))

    async def change_project(self, project_id: str, **fields: Any) -> Project:
        """Change `fields`, those of `PatchProject` in `openapi.yaml`; the others stay."""
        return await self._call(Project, "PATCH", _path(project_id), body=fields)

    async def delete_project(
        self, project_id: str, *, force: bool = False, permanent: bool = False
    ) -> None:
        """Move it to the trash, or remove it for good; `force` ends its sessions first."""
        query = {"force": force, "permanent": permanent}
        await self._send("DELETE", _path(project_id), query=query)

    async def restore_project(self, project_id: str) -> Project:
        """Bring it back from the trash."""
        return await self._call(Project, "POST", f"{_path(project_id)}/restore")

    async def extend_project(
        self, project_id: str, days: int | None = None, pin: bool | None = None
    ) -> Project:
        """Move its cleanup date by `days`, pin or unpin it."""
        body = {"days": days, "pin": pin}
        return await self._call(Project, "POST", f"{_path(project_id)}/extend", body=body)

    async def unpin_project(self, project_id: str) -> Project:
        """Let it be cleaned up again."""
        return await self._call(Project, "POST", f"{_path(project_id)}/unpin")

    async def trust_project(self, project_id: str, trusted: bool) -> Project:
        """Let scripts in its outputs run in its users' pages, or no longer."""
        body = {"trusted": trusted}
        return await self._call(Project, "POST", f"{_path(project_id)}/trust", body=body)

    async def duplicate_project(
        self,
        project_id: str,
        *,
        memory: bool = True,
        user_prefix: str | None = None,
        description: str | None = None,
    ) -> Project:
        """A new project from an old one, with or without its memory."""
        body = {"memory": memory, "user_prefix": user_prefix, "description": description}
        return await self._call(Project, "POST", f"{_path(project_id)}/duplicate", body=body)

    async def get_usage(self, project_id: str) -> Usage:
        """What it is used for, and what it takes on disk."""
        return await self._call(Usage, "GET", f"{_path(project_id)}/usage")

    async def list_templates(self) -> list[Template]:
        """All templates, also those that can't be used."""
        return (await self._call(TemplateList, "GET", "/api/templates")).templates

    async def clean_up(self, *, dry_run: bool) -> Cleanup:
        """Do a round of cleanup, or say what it would do."""
        query = {"dry_run": dry_run}
        return await self._call(Cleanup, "POST", "/api/projects/cleanup", query=query)

    # -- archives --------------------------------------------------------------------------

    @asynccontextmanager
    async def export_project(
        self, project_id: str, *, deps: bool = False, logs: bool = False
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The project as one file, in pieces: `async with … as pieces: async for piece …`.

        Raises ClientError in the middle when it ends early; what came so far is no archive.
        """
        path = f"{_path(project_id)}/archive"
        async with self._stream(path, {"deps": deps, "logs": logs}) as answer:
            yield answer.aiter_bytes()

    async def import_project(self, archive: bytes | AsyncIterator[bytes]) -> Project:
        """A new project from an archive, which is sent while it comes."""
        return await self._call(
            Project, "POST", "/api/projects/import", content=archive, headers=_BINARY
        )


def _path(project_id: str) -> str:
    return f"/api/projects/{part(project_id)}"
