"""The store: projects on disk, changed one whole step at a time."""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from traitlets import Integer, Unicode
from traitlets.config import LoggingConfigurable

from ..environment import environment_default
from ..exceptions import CognitionError, Conflict, NotFound
from ..models import (
    MAX_DAYS,
    CreateProject,
    Metadata,
    ProjectConfig,
    SessionRecord,
    utcnow,
)
from .catalog import Catalog, trashed
from .files import in_thread
from .index import Entry
from .metadata import write_metadata
from .naming import check_prefix, check_project_id
from .root import Root
from .stage import ProjectPaths, Stage
from .tree import remove_tree

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

    def open(self, root: Path) -> None:
        """Open `root`, make it if it is missing, and finish what a killed server left half done.

        Raises RootRefused, and TraitError for a wrong value in the environment. Call once, before
        anything else.
        """
        for name in self.trait_names(config=True):
            getattr(self, name)  # a default is looked up when it is first asked for
        self.directory = Root(root)
        self.catalog = Catalog(self.directory)
        self.recover()

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

    @in_thread
    def select_trashed(
        self, prefix: str | None, tags: Iterable[str], limit: int | None, offset: int
    ) -> tuple[list[Entry], int]:
        """Projects in the trash that match, newest access first, and how many match in all."""
        wanted = set(tags)
        found = [
            Entry(metadata.project_id, metadata, None)
            for metadata in trashed(self.directory)
            if metadata.user_prefix.startswith(prefix or "")
            and (not wanted or wanted & set(metadata.tags))
        ]
        return found[offset : None if limit is None else offset + limit], len(found)

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

    async def create(self, request: CreateProject, populate: Populate | None = None) -> Metadata:
        """A new project; it appears in the root whole or not at all.

        `populate` fills its parts (a clone, a template) before the project appears.
        Raises InvalidInput, Conflict (`project_limit`) and what `populate` raises.
        """
        check_prefix(request.user_prefix)
        stage = Stage(self.directory)
        try:
            await self._begin(stage, request.user_prefix)
            metadata = self._metadata(stage.project_id, request)
            if populate is not None:
                await populate(stage.paths, metadata)
            return await self._appear(stage, metadata)
        except BaseException:
            await self._take_back(stage)
            raise

    @in_thread
    def _begin(self, stage: Stage, prefix: str) -> None:
        self._check_limit()  # before the work; what counts is the check in `_appear`
        stage.begin(prefix)

    def _check_limit(self) -> None:
        self.catalog.catch_up()
        if self.max_projects and self.catalog.index.count() >= self.max_projects:
            raise Conflict(
                f"This server keeps at most {self.max_projects} projects (max_projects); "
                "delete one first.",
                "project_limit",
            )

    def _metadata(self, project_id: str, request: CreateProject) -> Metadata:
        now = self.now()
        fields = request.model_dump(exclude={"user_prefix", "template"})
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
            self._check_limit()
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
            self._delete(stage.project_id, permanent=True)
        except (CognitionError, OSError) as error:
            # Somebody was quick to use or delete it, or the next start will tidy up.
            self.log.warning("Taking %s back: %s", stage.project_id, error)

    @contextmanager
    def _locked(self, project_id: str) -> Iterator[None]:
        """Hold the lock of a project that is in the root: one on its way in can take long."""
        check_project_id(project_id)
        if not os.path.lexists(self.directory.path / project_id):
            raise NotFound(f"There is no project {project_id}.")
        with self.directory.project_lock(project_id):
            yield

    def _change(self, project_id: str, change: Callable[[Metadata], object]) -> Metadata:
        with self._locked(project_id):
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

    @in_thread
    def delete(self, project_id: str, permanent: bool = False) -> None:
        """Move the project to the trash, or remove it for good.

        Raises NotFound, BrokenProject, Conflict (`active_sessions`) while sessions live: end them
        first. Once a permanent deletion has begun the project does not come back: what a crash or
        an error keeps from being removed goes at the next start.
        """
        self._delete(project_id, permanent)

    def _delete(self, project_id: str, permanent: bool) -> None:
        target = self.directory.trash / project_id
        if permanent:
            target = self.directory.deleting / f"{project_id}.{secrets.token_hex(4)}"
        with self.directory.lock(), self._locked(project_id):
            if self.catalog.read(project_id).live_sessions:
                raise Conflict(
                    f"{project_id} has live sessions; end them first or use force=true.",
                    "active_sessions",
                )
            if os.path.lexists(target):
                raise Conflict(f"{project_id} is in the trash already.", "in_trash")
            self.catalog.move(project_id, self.directory.path / project_id, target)
            self.catalog.index.remove(project_id)
        if permanent:
            try:
                remove_tree(target)
            except OSError as error:
                raise CognitionError(
                    f"{project_id} is deleted, but files of it remain in {target} "
                    f"({error.strerror}); their removal is tried again.",
                    "files_remain",
                ) from None

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
