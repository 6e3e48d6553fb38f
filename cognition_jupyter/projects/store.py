"""The store: projects on disk, changed one whole step at a time."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from traitlets import Bool, Integer, Unicode
from traitlets.config import LoggingConfigurable

from ..environment import environment_default
from ..exceptions import CognitionError, Conflict, NotFound
from ..models import (
    MAX_DAYS,
    CreateProject,
    Metadata,
    ProjectConfig,
    SessionRecord,
    due_at,
    utcnow,
)
from .catalog import Catalog
from .files import in_thread
from .index import Entry
from .metadata import write_metadata
from .naming import check_prefix, check_project_id
from .root import Root
from .stage import ProjectPaths, Stage
from .trash import Trash

MAX_UID = (1 << 32) - 2  # the last one means "leave it" to chown

#: Fills the parts of a project on its way in, and may change what is recorded of it.
Populate = Callable[[ProjectPaths, Metadata], Awaitable[None]]


class ProjectStore(LoggingConfigurable):
    """Creates, reads, changes and deletes projects. Every method may be called from any loop."""

    root = Unicode(
        "",
        help="Directory that holds the projects. Default: `workspaces` under the Jupyter root "
        "directory; without a server, the outermost marked root above the notebook.",
    ).tag(config=True)
    max_projects = Integer(
        1000,
        min=0,
        help="Projects this root may hold, broken ones included; 0 for no limit. "
        "Default from MAX_PROJECTS.",
    ).tag(config=True)
    cleanup_after_days = Integer(
        30,
        min=1,
        max=MAX_DAYS,
        help="Days without access after which a project is due to be cleaned up, where it has no "
        "number of its own. Default from PROJECT_CLEANUP_AFTER_DAYS.",
    ).tag(config=True)
    project_cleanup_enabled = Bool(
        True,
        help="Whether projects that nobody uses go to the trash in the end. Default from "
        "PROJECT_CLEANUP_ENABLED.",
    ).tag(config=True)
    trash_retention_days = Integer(
        7,
        min=1,
        max=MAX_DAYS,
        help="Days that a deleted project stays in the trash before it is removed for good.",
    ).tag(config=True)
    container_uid = Integer(
        1000,
        min=1,
        max=MAX_UID,
        help="User id that sessions run as and that owns the projects' files, when the server "
        "runs as root. Otherwise the server's own user is taken.",
    ).tag(config=True)
    container_gid = Integer(
        1000, min=1, max=MAX_UID, help="Group id that goes with `container_uid`."
    ).tag(config=True)

    #: The clock: a test has its own.
    now: Callable[[], datetime] = staticmethod(utcnow)

    _default_max_projects = environment_default("max_projects", "MAX_PROJECTS", 1000)
    _default_cleanup_after_days = environment_default(
        "cleanup_after_days", "PROJECT_CLEANUP_AFTER_DAYS", 30, minimum=1, maximum=MAX_DAYS
    )

    _default_enabled = environment_default(
        "project_cleanup_enabled", "PROJECT_CLEANUP_ENABLED", True
    )

    def open(self, root: Path) -> None:
        """Open `root`, make it if it is missing, and finish what a killed server left half done.

        Raises RootRefused, and TraitError for a wrong value in the environment. Call once, before
        anything else.
        """
        for name in self.trait_names(config=True):
            getattr(self, name)  # a default is looked up when it is first asked for
        self.directory = Root(root)
        self.catalog = Catalog(self.directory)
        self.trash = Trash(self)
        self.recover()
        self.trash.recover()

    def close(self) -> None:
        """Close the index."""
        self.catalog.index.close()

    @property
    def user(self) -> tuple[int, int]:
        """(uid, gid) that sessions run as. Never 0."""
        if os.geteuid() == 0:
            return self.container_uid, self.container_gid
        return os.geteuid(), os.getegid()

    def paths(self, project_id: str) -> ProjectPaths:
        """Where the project's parts are; InvalidInput for what is no project id."""
        return ProjectPaths.under(self.directory.path / check_project_id(project_id))

    def cleanup_at(self, metadata: Metadata) -> datetime | None:
        """When the project is due to be cleaned up; None for never."""
        if metadata.pinned or not self.project_cleanup_enabled:
            return None
        return metadata.due_at(self.cleanup_after_days)

    def is_trusted(self, metadata: Metadata) -> bool:
        """Whether what is in the project may run in the user's page (scripts in outputs)."""
        return metadata.trusted_in == self.directory.uuid

    def set_trusted(self, metadata: Metadata, trusted: bool) -> None:
        """Trust the project from now on, or no longer."""
        metadata.trusted_in = self.directory.uuid if trusted else None

    # -- reading ---------------------------------------------------------------------------

    @in_thread
    def get(self, project_id: str) -> Metadata:
        """The project's metadata as it is on disk now. Raises NotFound, BrokenProject."""
        return self.catalog.read(project_id)

    @in_thread
    def select(
        self,
        prefix: str | None = None,
        tags: Iterable[str] = (),
        status: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[Entry], int]:
        """Projects that match, newest access first, and how many match in all.

        Their `sessions` hold the live ones and the last that ended. Sees at once what other
        processes created, changed or deleted through this package, and directories that came or
        went by hand; a file edited by hand is seen by `get` at once and here at the next sweep.
        """
        self.catalog.catch_up()
        return self.catalog.index.select(prefix, tags, status, limit, offset)

    def has_memories(self, project_id: str, trashed: bool = False) -> bool:
        """Whether anything is remembered on disk for the project (waits for the disk)."""
        parent = self.directory.trash if trashed else self.directory.path
        for part in ("persistent", "hot"):
            try:
                with os.scandir(f"{parent}/{project_id}/.memories/{part}") as entries:
                    if next(entries, None) is not None:
                        return True
            except OSError:
                continue
        return False

    @in_thread
    def sweep(self) -> None:
        """Compare every project with the index; finds what was edited by hand."""
        self.catalog.sweep()

    # -- changing --------------------------------------------------------------------------

    async def create(
        self, request: CreateProject, populate: Populate | None = None, trusted: bool = False
    ) -> Metadata:
        """A new project; it appears in the root whole or not at all.

        `populate` fills its parts (a clone, a template) before the project appears. `trusted` says
        that nothing in it comes from elsewhere.
        Raises InvalidInput, Conflict (`project_limit`) and what `populate` raises.
        """
        check_prefix(request.user_prefix)
        stage = Stage(self.directory)
        try:
            await self._begin(stage, request.user_prefix)
            metadata = self._metadata(stage.project_id, request)
            self.set_trusted(metadata, trusted)
            if populate is not None:
                await populate(stage.paths, metadata)
            return await self._appear(stage, metadata)
        except BaseException:
            await self._take_back(stage)
            raise

    @in_thread
    def _begin(self, stage: Stage, prefix: str) -> None:
        self.check_limit()  # before the work; what counts is the check in `_appear`
        stage.begin(prefix)

    def check_limit(self) -> None:
        """Raise Conflict (`project_limit`) when there may not be one more. The root is locked."""
        self.catalog.catch_up()
        if self.max_projects and self.catalog.index.count() >= self.max_projects:
            raise Conflict(
                f"This server keeps at most {self.max_projects} projects (max_projects); "
                "delete one first.",
                "project_limit",
            )

    def _metadata(self, project_id: str, request: CreateProject) -> Metadata:
        now = self.now()
        fields = request.model_dump(exclude={"user_prefix"})
        return Metadata(
            project_id=project_id,
            user_prefix=request.user_prefix,
            created_at=now,
            last_accessed=now,
            config=ProjectConfig(**{k: fields[k] for k in ProjectConfig.model_fields}),
            tags=request.tags,
            description=request.description,
            cleanup_after_days=request.cleanup_after_days,
        )

    @in_thread
    def _appear(self, stage: Stage, metadata: Metadata) -> Metadata:
        metadata.created_at = metadata.last_accessed = self.now()
        stage.finish(self.user)
        source, target = stage.paths.project, self.directory.path / stage.project_id
        write_metadata(source, metadata)
        with self.directory.lock():
            self.check_limit()
            self.catalog.move(stage.project_id, source, target)
            self.catalog.record(metadata)
        stage.release()
        return metadata

    @in_thread
    def _take_back(self, stage: Stage) -> None:
        """Leave nothing of a project whose creation failed or was cancelled."""
        try:
            if not stage.is_gone():
                stage.discard()
                return
            stage.release()
            self.trash.delete_now(stage.project_id)
        except (CognitionError, OSError) as error:
            # Somebody was quick to use or delete it, or the next start will tidy up.
            self.log.warning("Taking %s back: %s", stage.project_id, error)

    @contextmanager
    def locked(self, project_id: str) -> Iterator[None]:
        """Hold the lock of a project that is in the root: one on its way in can take long."""
        check_project_id(project_id)
        if not os.path.lexists(self.directory.path / project_id):
            raise NotFound(f"There is no project {project_id}.")
        with self.directory.project_lock(project_id):
            yield

    def _change(self, project_id: str, change: Callable[[Metadata], object]) -> Metadata:
        with self.locked(project_id):
            metadata = self.catalog.read(project_id)
            change(metadata)
            self.catalog.write(metadata)
            return metadata

    @in_thread
    def change(self, project_id: str, change: Callable[[Metadata], object]) -> Metadata:
        """Read, change and write the metadata under the project's lock; no update is lost.

        `change` edits in place and may raise to leave everything as it was.
        """
        return self._change(project_id, change)

    # -- sessions --------------------------------------------------------------------------

    @in_thread
    def open_session(
        self, project_id: str, record: SessionRecord, max_total: int, max_per_project: int
    ) -> Metadata:
        """Record a session that is about to start, unless a limit (0: none) stands against it."""

        def add(metadata: Metadata) -> None:
            if max_per_project and len(metadata.live_sessions) >= max_per_project:
                raise Conflict(
                    f"{project_id} has {max_per_project} live sessions, the most a project may "
                    "have; end one first.",
                    "session_limit",
                )
            metadata.sessions.append(record)
            metadata.keep_newest_sessions()
            metadata.last_accessed = self.now()
            metadata.statistics.total_sessions += 1
            metadata.usage.add(record.started_at, sessions=1)

        with self.directory.lock():
            self.catalog.catch_up()
            if max_total and self.catalog.index.live_sessions() >= max_total:
                raise Conflict(
                    f"This server runs at most {max_total} sessions at once (max_sessions); "
                    "end one first.",
                    "session_limit",
                )
            return self._change(project_id, add)

    @in_thread
    def due_before(self, time: datetime, pinned: bool = False) -> list[tuple[datetime, str]]:
        """Idle projects that are due to be cleaned up by `time`: (when, id), the first first.

        With `pinned`, also those that would be if they were unpinned. By the index; what counts is
        the metadata, under the project's lock.
        """
        self.catalog.catch_up()
        found = [
            (due_at(accessed, days or self.cleanup_after_days, extended), project_id)
            for project_id, accessed, days, extended in self.catalog.index.unused(pinned)
        ]
        return sorted(one for one in found if one[0] <= time)

    @in_thread
    def projects_with_live_sessions(self) -> list[str]:
        """Ids of the projects in whose metadata a session has not ended."""
        self.catalog.catch_up()
        return self.catalog.index.with_live_sessions()

    # -- after a crash ---------------------------------------------------------------------

    def recover(self) -> None:
        """Finish what killed processes left half done; live ones keep theirs. Waits.

        Safe at any time, beside other threads and processes.
        """
        for problem in self.directory.recover():
            self.log.warning("%s", problem)
        self.catalog.sweep()
