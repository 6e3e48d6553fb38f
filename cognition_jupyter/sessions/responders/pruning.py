"""What a kept conversation does not need any more goes: it would grow with every step for ever."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from .strict_serializer import StrictSerializer

_NEWEST = "checkpoint_ns = '' ORDER BY checkpoint_id DESC LIMIT 1"
_ONE = "checkpoint_ns = '' AND checkpoint_id = ?"
_OTHERS = (
    "thread_id = ? AND NOT "
    "(checkpoint_ns = '' AND checkpoint_id IN (SELECT value FROM json_each(?)))"
)


def prune(database: Path, thread_id: str, channels: Collection[str]) -> None:
    """Remove all checkpoints but the newest and those that it is rebuilt from.

    Of `channels` LangGraph keeps what each step has added, and all of it only every 50 additions
    (DeltaChannel): without its ancestors back to there the newest checkpoint would be an empty
    conversation. Those of subagents are worth nothing when no turn runs; the caller has the turn.

    Waits for the disk. Raises sqlite3.Error, ConversationRefused.
    """
    address = f"{database.absolute().as_uri()}?mode=rw"  # it makes none
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as base, base:
        base.execute("BEGIN IMMEDIATE")
        needed = json.dumps(_needed(base, thread_id, channels))
        for table in ("writes", "checkpoints"):
            base.execute(f"DELETE FROM {table} WHERE {_OTHERS}", (thread_id, needed))


def _needed(base: sqlite3.Connection, thread_id: str, channels: Collection[str]) -> list[str]:
    """The newest checkpoint, as LangGraph finds it, and its ancestors as far as they are read."""
    needed: list[str] = []
    missing: set[str] | None = None
    row = _row(base, _NEWEST, thread_id)
    while row is not None and row[0] not in needed:
        name, parent, kind, content = row
        needed.append(name)
        checkpoint = StrictSerializer().loads_typed((kind, content))
        if missing is None:  # a channel without a version was never written
            missing = {channel for channel in channels if channel in checkpoint["channel_versions"]}
        missing -= checkpoint["channel_values"].keys()
        if not missing:
            break
        row = _row(base, _ONE, thread_id, parent)
    return needed


def _row(base: sqlite3.Connection, which: str, *values: str) -> tuple[str, str, str, bytes] | None:
    found: tuple[str, str, str, bytes] | None = base.execute(
        "SELECT checkpoint_id, parent_checkpoint_id, type, checkpoint FROM checkpoints "
        f"WHERE thread_id = ? AND {which}",
        values,
    ).fetchone()
    return found
