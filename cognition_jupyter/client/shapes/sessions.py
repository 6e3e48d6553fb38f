"""Sessions and their events, as servers describe them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ...models import NetworkMode
from .base import Answer


class Session(Answer):
    """One use of a project; `ended_at` is None while it lives."""

    session_id: str
    project_id: str
    kernel_id: str
    container_id: str | None
    runtime: str
    isolated: bool
    network_mode: NetworkMode
    container_image: str | None
    workspace_path: str
    contents_path: str | None
    started_at: datetime
    ended_at: datetime | None
    reason: str | None
    detail: str | None


class SessionList(Answer):
    """All sessions of a project that are kept, newest first."""

    sessions: list[Session]
    total: int


class SessionUsage(Answer):
    """What a session takes of the machine; None where that is not known."""

    memory_bytes: int | None
    memory_limit_bytes: int | None
    cpu_seconds: float | None
    processes: int | None


class Resumable(Answer):
    """A project without a live session."""

    project_id: str
    user_prefix: str
    last_accessed: datetime
    has_memories: bool
    cleanup_in_days: int | None
    pinned: bool
    last_session_duration_seconds: float | None
    total_messages: int
    workspace_path: str


class ResumableList(Answer):
    """All projects without a live session."""

    sessions: list[Resumable]
    total: int


class Event(Answer):
    """Something that happened in a session; `docs/websocket.md` has the fields of each.

    `event[name]` is one of those. `seq` is None for what is not in the journal.
    """

    event: str
    session_id: str | None = None
    seq: int | None = None
    time: datetime | None = None

    def __getitem__(self, name: str) -> Any:
        """A field of its own. Raises KeyError."""
        return (self.model_extra or {})[name]


class Events(Answer):
    """A piece of a session's journal; `last_seq` is the newest number there is."""

    events: list[Event]
    last_seq: int
