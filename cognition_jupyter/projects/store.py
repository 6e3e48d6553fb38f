"""The store: projects on disk, changed one whole step at a time."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from traitlets import Integer, Unicode
from traitlets.config import LoggingConfigurable

from ..environment import environment_default
from ..exceptions import Conflict
from ..models import (
    CreateProject,
    Metadata,
    ProjectConfig,
    SessionRecord,
    utcnow,
)
from .catalog import Catalog, trashed
from .files import fsync_directory, in_thread, unlock
from .index import Entry
from .metadata import write_metadata
from .naming import check_prefix, check_project_id, is_project_id, new_project_id
from .root import Root
from .tree import give_tree, remove_tree

Populate = Callable[[Path], Awaitable[None]]


@dataclass(frozen=True)
class ProjectPaths:
    """Where the parts of one project are. Only the last three are ever mounted into a container."""

    project: Path
    repo: Path
    persistent: Path
    deps: Path

    @classmethod
    def under(cls, project: Path) -> ProjectPaths:
        """The parts of the project in directory `project`."""
        return cls(project, project / "repo", project / ".memories/persistent", project / ".deps")


@dataclass(frozen=True)
class _Stage:
    """A project on its way in, and the lock that says its maker is alive."""

    project_id: str
    paths: ProjectPaths
    held: tuple[Path, int]


class ProjectStore(LoggingConfigurable):
    """Creates, reads, changes and deletes projects. Every method may be called from any loop."""

    root = Unicode(
        "",
        help="Directory that holds the projects. Default: `workspaces` under the Jupyter root "
        "directory; without a server, the outermost marked root above the notebook.",
    ).tag(config=True)
    max_projects = Integer(
        1000,
        help="Projects this root may hold, broken ones included; 0 for no limit. "
        "Default from MAX_PROJECTS.",
    ).tag(config=True)
    cleanup_after_days = Integer(
        30,
        help="Days without access after which a project is due to be cleaned up, where it has no "
        "number of its own. Default from PROJECT_CLEANUP_AFTER_DAYS.",
    ).tag(config=True)
    container_uid = Integer(
        1000,
        help="User id that sessions run as and that owns the projects' files, when the server "
        "runs as root. Otherwise the server's own user is taken.",
    ).tag(config=True)
    container_gid = Integer(1000, help="Group id that goes with `container_uid`.").tag(config=True)

    _default_max_projects = environment_default("max_projects", "MAX_PROJECTS", 1000)
    _default_cleanup_after_days = environment_default(
        "cleanup_after_days", "PROJECT_CLEANUP_AFTER_DAYS", 30, minimum=1
    )

    def open(self, root: Path) -> None:
        """Open `root`, make it if it is missing, and finish what a killed server left half done.

        Raises RootRefused. Call once, before anything else.
        """
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

    def has_memories(self, project_id: str) -> bool:
        """Whether anything is remembered on disk for the project (waits for the disk)."""
        memories = self.directory.path / project_id / ".memories"
        for part in ("persistent", "hot"):
            try:
                with os.scandir(memories / part) as entries:
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

        `populate` fills the new `repo/` (a clone) before the project appears.
        Raises InvalidInput, Conflict (`project_limit`) and what `populate` raises.
        """
        check_prefix(request.user_prefix)
        stage = await self._begin(request.user_prefix)
        try:
            if populate is not None:
                await populate(stage.paths.repo)
            return await self._appear(stage, request)
        finally:
            await self._forget(stage)

    @in_thread
    def _begin(self, prefix: str) -> _Stage:
        self._check_limit()
        while True:
            project_id = new_project_id(prefix)
            held = self.directory.try_project_lock(project_id)
            if held is None:
                continue
            stage = _Stage(
                project_id, ProjectPaths.under(self.directory.incoming / project_id), held
            )
            taken = (self.directory.path / project_id, self.directory.trash / project_id)
            if any(os.path.lexists(path) for path in (stage.paths.project, *taken)):
                unlock(*held)
                continue
            for directory in (stage.paths.repo, stage.paths.persistent, stage.paths.deps):
                directory.mkdir(mode=0o700, parents=True)
            for name in (".memories/hot", ".logs", ".agent", "tmp"):
                (stage.paths.project / name).mkdir(mode=0o700)
            return stage

    def _check_limit(self) -> None:
        if self.max_projects and self.catalog.index.count() >= self.max_projects:
            raise Conflict(
                f"This server keeps at most {self.max_projects} projects (max_projects); "
                "delete one first.",
                "project_limit",
            )

    @in_thread
    def _appear(self, stage: _Stage, request: CreateProject) -> Metadata:
        now = utcnow()
        fields = request.model_dump(exclude={"user_prefix", "template"})
        metadata = Metadata(
            project_id=stage.project_id,
            user_prefix=request.user_prefix,
            created_at=now,
            last_accessed=now,
            config=ProjectConfig(**{k: fields[k] for k in ProjectConfig.model_fields}),
            tags=request.tags,
            description=request.description,
            cleanup_after_days=request.cleanup_after_days,
        )
        paths = stage.paths
        if os.geteuid() == 0:
            for directory in (paths.repo, paths.persistent, paths.deps):
                give_tree(directory, *self.user)
        fsync_directory(paths.project / ".memories")
        write_metadata(paths.project, metadata)
        with self.directory.lock():
            self._check_limit()
            with self.catalog.moving(stage.project_id):
                os.rename(paths.project, self.directory.path / stage.project_id)
            self.catalog.record(metadata)
        return metadata

    @in_thread
    def _forget(self, stage: _Stage) -> None:
        if stage.paths.project.exists():
            remove_tree(stage.paths.project)
        unlock(*stage.held)

    def _change(self, project_id: str, change: Callable[[Metadata], None]) -> Metadata:
        check_project_id(project_id)
        with self.directory.project_lock(project_id):
            metadata = self.catalog.read(project_id)
            change(metadata)
            self.catalog.write(metadata)
            return metadata

    @in_thread
    def change(self, project_id: str, change: Callable[[Metadata], None]) -> Metadata:
        """Read, change and write the metadata under the project's lock; no update is lost.

        `change` edits in place and may raise to leave everything as it was.
        """
        return self._change(project_id, change)

    @in_thread
    def delete(self, project_id: str, permanent: bool = False) -> None:
        """Move the project to the trash, or remove it for good.

        Raises Conflict (`active_sessions`) while sessions live: end them first.
        """
        check_project_id(project_id)
        target = self.directory.trash / project_id
        with self.directory.lock(), self.directory.project_lock(project_id):
            if self.catalog.read(project_id).live_sessions:
                raise Conflict(
                    f"{project_id} has live sessions; end them first or use force=true.",
                    "active_sessions",
                )
            if os.path.lexists(target):
                raise Conflict(f"{project_id} is in the trash already.", "in_trash")
            with self.catalog.moving(project_id):
                os.rename(self.directory.path / project_id, target)
                fsync_directory(self.directory.trash)
            self.catalog.index.remove(project_id)
        if permanent:
            remove_tree(target)

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
            metadata.last_accessed = utcnow()
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
        """Remove what killed processes left half done; live ones keep theirs. Waits."""
        for stage in self.directory.incoming.iterdir():
            if not is_project_id(stage.name):
                continue
            held = self.directory.try_project_lock(stage.name)
            if held is not None:
                remove_tree(stage)
                unlock(*held)
        self.directory.sweep_locks()
        self.catalog.remove_temporary_files()
        with self.directory.lock():
            for path in self.directory.private.glob(".root.json.*.tmp"):
                path.unlink(missing_ok=True)
        self.catalog.sweep()
