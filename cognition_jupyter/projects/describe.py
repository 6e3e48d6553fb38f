"""How projects and sessions look to REST clients."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..models import Metadata, SessionRecord, Status, days_left, format_time
from .index import Entry


def summary(
    metadata: Metadata,
    *,
    status: Status | None = None,
    cleanup_at: datetime | None,
    now: datetime,
    has_memories: bool,
    contents_path: str | None,
    trusted: bool,
) -> dict[str, Any]:
    """A row of the list of projects."""
    live = len(metadata.live_sessions)
    return {
        "project_id": metadata.project_id,
        "user_prefix": metadata.user_prefix,
        "description": metadata.description,
        "tags": metadata.tags,
        "created_at": format_time(metadata.created_at),
        "last_accessed": format_time(metadata.last_accessed),
        "total_sessions": metadata.statistics.total_sessions,
        "active_sessions": live,
        "status": status or ("active" if live else "idle"),
        "cleanup_in_days": days_left(cleanup_at, now),
        "cleanup_at": None if cleanup_at is None else format_time(cleanup_at),
        "pinned": metadata.pinned,
        "has_memories": has_memories,
        "contents_path": contents_path,
        "trusted": trusted,
    }


def trashed(metadata: Metadata, deletion_at: datetime) -> dict[str, Any]:
    """What a row has besides when the project is in the trash."""
    return {
        "trashed_at": metadata.trashed_at and format_time(metadata.trashed_at),
        "trashed_reason": metadata.trashed_reason,
        "deletion_at": format_time(deletion_at),
        "disk_bytes": metadata.trashed_bytes,
    }


def broken(entry: Entry) -> dict[str, Any]:
    """A row for a project whose metadata can't be read; `reason` says why."""
    return {
        "project_id": entry.project_id,
        "user_prefix": entry.project_id.rpartition("-")[0],
        "description": "",
        "tags": [],
        "created_at": None,
        "last_accessed": None,
        "total_sessions": 0,
        "active_sessions": 0,
        "status": "broken",
        "reason": entry.broken,
        "cleanup_in_days": None,
        "cleanup_at": None,
        "pinned": False,
        "has_memories": False,
        "contents_path": None,
        "trusted": False,
    }


def session(
    project_id: str, record: SessionRecord, *, workspace_path: str, contents_path: str | None
) -> dict[str, Any]:
    """A session. `workspace_path` is the host's; code in a container finds it at /workspace."""
    return {
        "session_id": record.session_id,
        "project_id": project_id,
        "kernel_id": record.kernel_id,
        "container_id": record.container_id,
        "runtime": record.runtime,
        "isolated": record.isolated,
        "network_mode": record.network_mode,
        "container_image": record.container_image,
        "workspace_path": workspace_path,
        "contents_path": contents_path,
        "started_at": format_time(record.started_at),
        "ended_at": None if record.ended_at is None else format_time(record.ended_at),
        "reason": record.reason,
        "detail": record.detail,
    }


def resumable(
    row: dict[str, Any],
    *,
    last_session_duration_seconds: float | None,
    total_messages: int,
    workspace_path: str,
) -> dict[str, Any]:
    """A project that can be resumed, as the original system listed it."""
    kept = ("project_id", "user_prefix", "last_accessed", "has_memories", "cleanup_in_days")
    return {name: row[name] for name in (*kept, "pinned")} | {
        "last_session_duration_seconds": last_session_duration_seconds,
        "total_messages": total_messages,
        "workspace_path": workspace_path,
    }
