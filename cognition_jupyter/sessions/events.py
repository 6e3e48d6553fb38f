"""What the server sends on `/ws` and keeps in the journal: names of events and their fields."""

from __future__ import annotations

import json
from typing import Any

from ..models import format_time, utcnow

#: Fields of each event besides `event`, `seq` and `time`; a test holds what is sent against this.
FIELDS: dict[str, tuple[str, ...]] = {
    "session_started": (
        "session_id",
        "project_id",
        "kernel_id",
        "container_id",
        "network_mode",
        "workspace_path",
        "resumed",
        "last_seq",
    ),
    "agent_ready": ("session_id",),
    "user_message": ("session_id", "content"),
    "turn_waiting": ("session_id", "is_waiting", "waits_for"),
    "tool_start": ("session_id", "tool", "input"),
    "tool_output": ("session_id", "tool", "stream", "chunk"),
    "tool_end": ("session_id", "tool", "exit_code", "artifacts"),
    "assistant_message": ("session_id", "content", "is_complete"),
    "diff_applied": ("session_id", "files_changed", "diff_preview"),
    "tests_finished": ("session_id", "exit_code", "summary"),
    "done": ("session_id",),
    "error": ("session_id", "message", "code"),
    "session_restarted": ("session_id", "container_id", "reason"),
    "session_ended": ("session_id", "reason"),
    "progress": ("stage", "detail"),
    "ping": (),
}


def now() -> str:
    """The time of an event."""
    return format_time(utcnow())


def dumps(document: dict[str, Any]) -> str:
    """One line of JSON, ASCII: a lone surrogate or a line separator breaks no client."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False, default=repr)
