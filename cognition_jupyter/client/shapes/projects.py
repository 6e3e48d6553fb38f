"""Projects, as servers describe them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ...models import NetworkMode
from .base import Answer
from .sessions import Session


class ProjectSummary(Answer):
    """A project in a list. Of a broken one little is known: `reason` says why."""

    project_id: str
    user_prefix: str
    description: str
    tags: list[str]
    created_at: datetime | None
    last_accessed: datetime | None
    total_sessions: int
    active_sessions: int
    status: str
    cleanup_in_days: int | None
    cleanup_at: datetime | None
    pinned: bool
    has_memories: bool
    contents_path: str | None
    trusted: bool
    reason: str | None = None
    # In the trash only.
    trashed_at: datetime | None = None
    trashed_reason: str | None = None
    deletion_at: datetime | None = None
    disk_bytes: int | None = None


class ProjectList(Answer):
    """A page of a list, and how many there are in all."""

    projects: list[ProjectSummary]
    total: int


class ProjectConfig(Answer):
    """What a project asks for when a session of it starts."""

    network_mode: NetworkMode
    template: str | None
    repo_url: str | None
    agent_model: str | None
    container_image: str | None
    agent_backend_routes: dict[str, Any] | None
    keep_packages: bool


class Statistics(Answer):
    """Sums over all sessions of a project."""

    total_sessions: int
    total_messages: int
    files_modified: int
    tests_run: int
    total_duration_seconds: float


class Project(ProjectSummary):
    """A project with everything that is known about it."""

    config: ProjectConfig
    statistics: Statistics
    sessions: list[Session]
    workspace_path: str
    network_mode: NetworkMode
    cleanup_after_days: int


class Template(Answer):
    """What projects can be made from; `broken` says why it can't be used."""

    name: str
    title: str
    description: str
    defaults: dict[str, Any]
    post_create: str | None
    broken: str | None


class TemplateList(Answer):
    """All templates by name."""

    templates: list[Template]
    total: int


class CleanupCase(Answer):
    """A project that cleanup did something about, and why."""

    project_id: str
    why: str
    cleanup_at: datetime | None


class Cleanup(Answer):
    """What a round of cleanup did, or would do."""

    dry_run: bool
    trashed: list[CleanupCase]
    deleted: list[CleanupCase]
    warned: list[CleanupCase]
    failed: list[CleanupCase]


class UsageDay(Answer):
    """One day (UTC) of a project."""

    date: date
    sessions: int
    seconds: float
    messages: int


class UsageTotals(Answer):
    """Since the project was made."""

    sessions: int
    seconds: float
    messages: int


class DiskPart(Answer):
    """What one part of a project takes."""

    bytes: int
    entries: int
    complete: bool


class Disk(Answer):
    """What a project takes; not `complete` when there is more than was counted."""

    bytes: int
    complete: bool
    measured_at: datetime
    parts: dict[str, DiskPart]


class MemorySize(Answer):
    """Hot memory in one snapshot."""

    generation: int
    taken_at: datetime
    files: int
    bytes: int


class Usage(Answer):
    """What a project is used for, and what it takes."""

    project_id: str
    days: list[UsageDay]
    reasons: dict[str, int]
    totals: UsageTotals
    disk: Disk
    memory: list[MemorySize]
