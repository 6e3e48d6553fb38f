"""What can be done with projects, policy and descriptions included: what handlers and CLI call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from ..events import Events
from ..exceptions import InvalidInput, NotFound, RuntimeUnavailable
from ..models import (
    CreateProject,
    ExtendProject,
    Metadata,
    PatchProject,
    ProjectConfig,
    SessionRecord,
    TrustProject,
)
from . import describe
from .files import in_thread
from .git import GitClone
from .index import Entry
from .stage import ProjectPaths
from .store import Populate, ProjectStore
from .templates import ProjectTemplates, Template

CONFIG_FIELDS = ("network_mode", "container_image", "agent_model", "keep_packages")
CheckPolicy = Callable[[ProjectConfig], None]
ContentsPath = Callable[[str], str | None]
#: Runs a template's command in the new project, or takes the project back and raises.
Prepare = Callable[[str, Template], Awaitable[None]]


class Projects:
    """Creates, lists, changes and describes projects."""

    def __init__(
        self,
        store: ProjectStore,
        git: GitClone,
        templates: ProjectTemplates,
        check: CheckPolicy,
        contents_path: ContentsPath,
        events: Events,
    ) -> None:
        self._store = store
        self._git = git
        self._templates = templates
        self._check = check
        self._contents_path = contents_path
        self._events = events
        self._tell = events.of("project")
        #: Set by whoever can run sessions; without it no template with a command can be used.
        self.prepare: Prepare | None = None

    async def create(
        self, request: CreateProject, on_progress: Callable[[str], None] = lambda detail: None
    ) -> dict[str, Any]:
        """A new project, from a repository or a template if one is named. Returns its details.

        `on_progress` is called with what git says of the clone, besides the event. Raises
        InvalidInput, Forbidden, Conflict (`project_limit`, `template_broken`), CloneFailed,
        PostCreateFailed, StorageFull, and for a template's command what starting a session raises.
        """
        if request.template is not None:
            return await self._create_from_template(request, request.template)
        fields = request.model_dump(include=set(ProjectConfig.model_fields))
        self._check(ProjectConfig(**fields))
        url, populate = request.repo_url, None
        if url is not None:
            self._git.check(url)
            request = request.model_copy(update={"repo_url": self._git.redact(url)})
            populate = self._clone(url, request.user_prefix, on_progress)
        created = await self._store.create(request, populate, trusted=url is None)
        self._tell("created", {"project_id": created.project_id})
        return await self._details(created)

    async def _create_from_template(self, request: CreateProject, name: str) -> dict[str, Any]:
        if request.repo_url is not None:
            raise InvalidInput("Say template or repo_url, not both.")
        template = await self._templates.get(name)
        if template.post_create is not None and self.prepare is None:
            raise RuntimeUnavailable(f"The command of template {name} can't be run here.")
        request = template.applied(request)
        self._check(ProjectConfig(**request.model_dump(include=set(ProjectConfig.model_fields))))

        async def copy(paths: ProjectPaths, metadata: Metadata) -> None:
            await self._templates.copy(template, paths.repo)

        project_id = (await self._store.create(request, copy, trusted=True)).project_id
        if self.prepare is not None:
            await self.prepare(project_id, template)
        self._tell("created", {"project_id": project_id, "origin": "template", "source": name})
        return await self.details(project_id)

    def _clone(self, url: str, prefix: str, on_progress: Callable[[str], None]) -> Populate:
        tell = self._events.of("progress")

        def note(detail: str) -> None:
            tell("clone", {"user_prefix": prefix, "detail": detail})
            on_progress(detail)

        async def clone(paths: ProjectPaths, metadata: Metadata) -> None:
            await self._git.clone(url, paths.repo, note)

        return clone

    async def details(self, project_id: str) -> dict[str, Any]:
        """Everything about one project, also in the trash. Raises NotFound, BrokenProject."""
        try:
            return await self._details(await self._store.get(project_id))
        except NotFound as error:
            try:
                trashed = await self._store.trash.get(project_id)
            except NotFound:
                raise error from None
            return await self._details(trashed, trashed=True)

    async def select(
        self, prefix: str | None, tags: list[str], status: str | None, limit: int, offset: int
    ) -> dict[str, Any]:
        """`{projects, total}`, newest access first."""
        if status == "trashed":
            entries, total = await self._store.trash.select(prefix, tags, limit, offset)
        else:
            entries, total = await self._store.select(prefix, tags, status, limit, offset)
        rows = await self._rows(entries, status == "trashed")
        return {"projects": rows, "total": total}

    @in_thread
    def _rows(self, entries: list[Entry], trashed: bool) -> list[dict[str, Any]]:
        return [self._row(entry, trashed) for entry in entries]

    def _row(self, entry: Entry, trashed: bool) -> dict[str, Any]:
        if entry.metadata is None:
            return describe.broken(entry)
        row = describe.summary(
            entry.metadata,
            status="trashed" if trashed else None,
            cleanup_at=None if trashed else self._store.cleanup_at(entry.metadata),
            now=self._store.now(),
            has_memories=self._store.has_memories(entry.project_id, trashed),
            contents_path=None if trashed else self._contents_path(entry.project_id),
            trusted=self._store.is_trusted(entry.metadata),
        )
        if trashed:
            row |= describe.trashed(entry.metadata, self._store.trash.deletion_at(entry.metadata))
        return row

    @in_thread
    def _details(self, metadata: Metadata, trashed: bool = False) -> dict[str, Any]:
        project_id = metadata.project_id
        document = metadata.model_dump(mode="json")
        return self._row(Entry(project_id, metadata, None), trashed) | {
            "config": document["config"],
            "statistics": document["statistics"],
            "sessions": [
                self.session(project_id, record, trashed) for record in metadata.sessions[::-1]
            ],
            "workspace_path": str(self._paths(project_id, trashed).repo),
            "network_mode": metadata.config.network_mode,
            "cleanup_after_days": metadata.cleanup_after_days or self._store.cleanup_after_days,
        }

    def _paths(self, project_id: str, trashed: bool) -> ProjectPaths:
        if trashed:
            return ProjectPaths.under(self._store.directory.trash / project_id)
        return self._store.paths(project_id)

    def session(
        self, project_id: str, record: SessionRecord, trashed: bool = False
    ) -> dict[str, Any]:
        """A session of the project, described."""
        return describe.session(
            project_id,
            record,
            workspace_path=str(self._paths(project_id, trashed).repo),
            contents_path=None if trashed else self._contents_path(project_id),
        )

    async def patch(self, project_id: str, request: PatchProject) -> dict[str, Any]:
        """Change what the request names; sessions started from then on see it."""
        fields = request.model_dump(include=request.model_fields_set)
        never_null = {"description", "tags", "network_mode", "keep_packages"}
        for name in never_null & fields.keys():
            if fields[name] is None:
                raise InvalidInput(f"{name}: null is not allowed; leave the field out instead.")

        def change(metadata: Metadata) -> None:
            config = {name: fields[name] for name in CONFIG_FIELDS if name in fields}
            metadata.config = metadata.config.model_copy(update=config)
            if config:
                self._check(metadata.config)
            for name in ("description", "tags", "cleanup_after_days"):
                if name in fields:
                    setattr(metadata, name, fields[name])
            metadata.last_accessed = self._store.now()

        return await self._changed(project_id, change, "changed")

    async def extend(self, project_id: str, request: ExtendProject) -> dict[str, Any]:
        """Move the cleanup date by whole days, pin or unpin."""
        if request.days is None and request.pin is None:
            raise InvalidInput("Say how many days (1 to 3650) or pin (true or false).")

        def change(metadata: Metadata) -> None:
            def due() -> datetime:
                return metadata.due_at(self._store.cleanup_after_days)

            # Not an access: the date moves by these days and no more.
            if request.days is not None:
                try:
                    metadata.extended_until = due() + timedelta(days=request.days)
                except OverflowError:
                    raise InvalidInput(
                        "days: the cleanup date would be after the year 9999; pin the project."
                    ) from None
            if request.pin is not None:
                metadata.pinned = request.pin
                if not request.pin and due() <= self._store.now():
                    metadata.last_accessed = self._store.now()  # its date passed meanwhile

        return await self._changed(project_id, change, "extended")

    async def trust(self, project_id: str, request: TrustProject) -> dict[str, Any]:
        """Let what is in the project run in its users' pages, or no longer."""

        def change(metadata: Metadata) -> None:
            self._store.set_trusted(metadata, request.trusted)
            metadata.last_accessed = self._store.now()

        return await self._changed(
            project_id, change, "trusted" if request.trusted else "distrusted"
        )

    async def _changed(
        self, project_id: str, change: Callable[[Metadata], None], action: str
    ) -> dict[str, Any]:
        details = await self._details(await self._store.change(project_id, change))
        told = {name: details[name] for name in ("project_id", "cleanup_at", "pinned")}
        self._tell(action, told)
        return details

    async def sessions(self, most_ended: int) -> dict[str, Any]:
        """`{sessions, total}`: all live sessions, and of the ended ones the last of each project.

        The newest first; of the ended ones at most so many.
        """
        active, _ = await self._store.select(status="active")
        recent, _ = await self._store.select(limit=most_ended)
        found = {e.project_id: e.metadata for e in (*active, *recent) if e.metadata is not None}
        return await self._sessions([*found.values()], most_ended)

    @in_thread
    def _sessions(self, projects: list[Metadata], most_ended: int) -> dict[str, Any]:
        records = [(m.project_id, r) for m in projects for r in m.without_old_sessions().sessions]
        live = [one for one in records if one[1].ended_at is None]
        ended = [(r.ended_at, p, r) for p, r in records if r.ended_at is not None]
        ended.sort(key=lambda one: one[0], reverse=True)
        live.sort(key=lambda one: one[1].started_at, reverse=True)
        shown = [*live, *((p, r) for _, p, r in ended[:most_ended])]
        rows = [self.session(project_id, record) for project_id, record in shown]
        return {"sessions": rows, "total": len(rows)}

    async def resumable(self) -> dict[str, Any]:
        """Projects without a live session, for clients of the original system."""
        entries, total = await self._store.select(status="resumable")
        rows = await self._resumable_rows([e.metadata for e in entries if e.metadata is not None])
        noun = "project" if total == 1 else "projects"
        return {"sessions": rows, "total": total, "message": f"{total} {noun} can be resumed."}

    @in_thread
    def _resumable_rows(self, projects: list[Metadata]) -> list[dict[str, Any]]:
        return [
            describe.resumable(
                self._row(Entry(metadata.project_id, metadata, None), False),
                last_session_duration_seconds=metadata.last_session_seconds,
                total_messages=metadata.statistics.total_messages,
                workspace_path=str(self._store.paths(metadata.project_id).repo),
            )
            for metadata in projects
        ]
