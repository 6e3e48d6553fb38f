"""Data shapes: what is stored on disk, what REST takes and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)

from .exceptions import InvalidInput

NetworkMode = Literal["OFF", "ON"]
Status = Literal["active", "idle", "trashed", "broken"]
#: Why a project was moved to the trash.
TrashReason = Literal["client", "cleanup"]
#: Why a session ended.
Reason = Literal[
    "client",
    "disconnected",
    "idle",
    "out_of_memory",
    "crashed",
    "engine",
    "cleanup",
    "deleted",
    "server_stopped",
]
#: Why a snapshot of hot memory was taken.
SnapshotReason = Literal[
    "interval", "disconnect", "session", "release", "reconcile", "request", "restore"
]

METADATA_VERSION = 1
SESSIONS_KEPT = 50
USAGE_DAYS = 90


def utcnow() -> datetime:
    """The time now, in UTC."""
    return datetime.now(timezone.utc)


def _parse_time(value: object) -> object:
    if isinstance(value, str):
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value


def _require_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone: write it in UTC, ending in Z")
    try:
        return value.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("a time must be in the years 1 to 9999 of UTC") from None


def format_time(value: datetime) -> str:
    """ISO 8601 in UTC with microseconds, ending in `Z`."""
    return value.astimezone(timezone.utc).isoformat(timespec="microseconds")[:-6] + "Z"


UtcTime = Annotated[
    datetime,
    BeforeValidator(_parse_time),
    AfterValidator(_require_utc),
    PlainSerializer(format_time, return_type=str),
]


_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]")  # all but tab and newline


def _no_controls(value: str) -> str:
    if _CONTROLS.search(value):
        raise ValueError("control characters and lone surrogates are not allowed")
    return value


Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_no_controls)]
ShortText = Annotated[
    str, StringConstraints(min_length=1, max_length=256), AfterValidator(_no_controls)
]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_no_controls)]
Tags = Annotated[list[Tag], Field(max_length=32)]
MAX_DAYS = 3650
Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]


class Stored(BaseModel):
    """Base of what is on disk: strict about types, keeps fields it does not know."""

    model_config = ConfigDict(strict=True, extra="allow")


class Request(BaseModel):
    """Base of what REST takes: strict about types, refuses fields it does not know."""

    model_config = ConfigDict(strict=True, extra="forbid")


class ProjectConfig(Stored):
    """What a project asks for; held against the administrator's policy at each session start."""

    network_mode: NetworkMode = "OFF"
    repo_url: str | None = None
    agent_model: str | None = None
    container_image: str | None = None
    agent_backend_routes: dict[str, Any] | None = None
    keep_packages: bool = True
    template: str | None = None


class SessionRecord(Stored):
    """One use of a project. `session_id` is Jupyter's kernel id; `ended_at` null while it lives."""

    session_id: str
    kernel_id: str
    container_id: str | None = None
    owner: str
    runtime: str
    isolated: bool
    network_mode: NetworkMode
    container_image: str | None = None
    started_at: UtcTime
    ended_at: UtcTime | None = None
    reason: Reason | None = None
    detail: str | None = None


class Statistics(Stored):
    """Sums over all sessions of a project."""

    total_sessions: int = 0
    total_messages: int = 0
    files_modified: int = 0
    tests_run: int = 0
    total_duration_seconds: float = Field(default=0.0, allow_inf_nan=False)


class UsageDay(Stored):
    """What happened on one day (UTC)."""

    sessions: Annotated[int, Field(ge=0)] = 0
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    messages: Annotated[int, Field(ge=0)] = 0


class UsageHistory(Stored):
    """What a project was used for, by day, and how its sessions ended."""

    days: dict[Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")], UsageDay] = Field(
        default_factory=dict
    )
    reasons: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)

    def add(
        self, when: datetime, sessions: int = 0, seconds: float = 0.0, messages: int = 0
    ) -> None:
        """Count on the day of `when`; the newest `USAGE_DAYS` with anything on them are kept."""
        date = when.astimezone(timezone.utc).date().isoformat()
        day = self.days.setdefault(date, UsageDay())
        day.sessions = max(0, day.sessions + sessions)
        day.seconds += seconds
        day.messages += messages
        if day == UsageDay():
            del self.days[date]
        for old in sorted(self.days)[:-USAGE_DAYS]:
            del self.days[old]

    def add_time(self, start: datetime, end: datetime) -> None:
        """Count the time from `start` to `end`, each day's part on that day."""
        try:
            start = max(start, end - timedelta(days=USAGE_DAYS))
        except OverflowError:  # an edited file may say the year 1
            return
        while start < end:
            day = start.replace(hour=0, minute=0, second=0, microsecond=0)
            until = end if end.date() == day.date() else day + timedelta(days=1)
            self.add(start, seconds=(until - start).total_seconds())
            start = until

    def add_end(self, start: datetime, end: datetime, reason: str) -> None:
        """Count the end of a session."""
        self.add_time(start, end)
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Metadata(Stored):
    """`.project_metadata.json`: all that is kept about a project besides its files."""

    version: int = METADATA_VERSION
    project_id: str
    user_prefix: str
    created_at: UtcTime
    last_accessed: UtcTime
    config: ProjectConfig = Field(default_factory=ProjectConfig)
    sessions: list[SessionRecord] = Field(default_factory=list)
    statistics: Statistics = Field(default_factory=Statistics)
    usage: UsageHistory = Field(default_factory=UsageHistory)
    tags: list[str] = Field(default_factory=list)
    description: str = ""
    pinned: bool = False
    #: The root, by its uuid, whose user trusts it: nobody else can say so in a copy of the project.
    trusted_in: str | None = None
    cleanup_after_days: Days | None = None
    extended_until: UtcTime | None = None
    warned_at: UtcTime | None = None
    trashed_at: UtcTime | None = None  # means nothing outside the trash
    trashed_reason: TrashReason | None = None
    trashed_bytes: int | None = None  # on disk, measured in the trash

    @property
    def live_sessions(self) -> list[SessionRecord]:
        """Sessions that have not ended."""
        return [record for record in self.sessions if record.ended_at is None]

    @property
    def last_session_seconds(self) -> float | None:
        """Duration of the session that ended last; None before the first."""
        ended = [r for r in self.sessions if r.ended_at is not None]
        if not ended:
            return None
        last = max(ended, key=lambda record: record.ended_at or record.started_at)
        return ((last.ended_at or last.started_at) - last.started_at).total_seconds()

    def without_old_sessions(self) -> Metadata:
        """A copy with the live sessions and the one that ended last: all that a list needs.

        Without the history of its use.
        """
        ended = [r for r in self.sessions if r.ended_at is not None]
        newest = sorted(ended, key=lambda r: r.ended_at or r.started_at)[-1:]
        kept = {"sessions": [*newest, *self.live_sessions], "usage": UsageHistory()}
        return self.model_copy(update=kept)

    def session(self, session_id: str) -> SessionRecord | None:
        """The session of that id, or None."""
        return next((r for r in self.sessions if r.session_id == session_id), None)

    def due_at(self, default_days: int) -> datetime:
        """When the project would be due to be cleaned up if it were not pinned."""
        days = self.cleanup_after_days or default_days
        return due_at(self.last_accessed, days, self.extended_until)

    def keep_newest_sessions(self) -> None:
        """Drop the oldest ended sessions beyond `SESSIONS_KEPT`; a live one is never dropped."""
        excess = len(self.sessions) - SESSIONS_KEPT
        for record in [r for r in self.sessions if r.ended_at is not None][: max(excess, 0)]:
            self.sessions.remove(record)


class CreateProject(Request):
    """Body of `POST /api/projects`."""

    user_prefix: str
    template: ShortText | None = None
    network_mode: NetworkMode = "OFF"
    repo_url: (
        Annotated[str, StringConstraints(max_length=2048), AfterValidator(_no_controls)] | None
    ) = None
    agent_model: ShortText | None = None
    container_image: ShortText | None = None
    agent_backend_routes: dict[str, Any] | None = None
    keep_packages: bool = True
    tags: Tags = Field(default_factory=list)
    description: Text = ""
    cleanup_after_days: Days | None = None


class PatchProject(Request):
    """Body of `PATCH /api/projects/{id}`; what is left out stays as it is."""

    description: Text | None = None
    tags: Tags | None = None
    network_mode: NetworkMode | None = None
    container_image: ShortText | None = None
    agent_model: ShortText | None = None
    keep_packages: bool | None = None
    cleanup_after_days: Days | None = None


class ExtendProject(Request):
    """Body of `POST /api/projects/{id}/extend`."""

    days: Days | None = None
    pin: bool | None = None


class TrustProject(Request):
    """Body of `POST /api/projects/{id}/trust`."""

    trusted: bool


class DuplicateProject(Request):
    """Body of `POST /api/projects/{id}/duplicate`."""

    memory: bool = True
    user_prefix: str | None = None
    description: Text | None = None


class StartSession(Request):
    """Body of `POST /api/projects/{id}/sessions`."""

    network_mode: NetworkMode | None = None


def parse(model: type[Request], data: object) -> Any:
    """`data` as `model`, or InvalidInput with one sentence that names the field."""
    if not isinstance(data, Mapping):
        raise InvalidInput("The body must be a JSON object.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidInput(first_problem(error)) from None


def first_problem(error: ValidationError) -> str:
    """The first problem of a pydantic error as a sentence: `field: what is wrong.`"""
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"]) or "value"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where[:100]}: {message[:300].rstrip('.')}."


def due_at(last_accessed: datetime, days: int, extended_until: datetime | None) -> datetime:
    """When a project is due to be cleaned up, or to leave the trash for good."""
    try:
        due = last_accessed + timedelta(days=days)
    except OverflowError:  # an edited file may say the year 9999
        due = datetime.max.replace(tzinfo=timezone.utc)
    return max(due, extended_until) if extended_until else due


def days_left(cleanup_at: datetime | None, now: datetime) -> int | None:
    """Whole days until `cleanup_at`, rounded up, 0 when it is past; None for None."""
    if cleanup_at is None:
        return None
    return max(0, -((now - cleanup_at) // timedelta(days=1)))
