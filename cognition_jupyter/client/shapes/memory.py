"""What projects remember, as servers describe it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from .base import Answer


class Route(Answer):
    """One route of a project's memory, and what is in it."""

    prefix: str
    type: str
    files: int | None
    bytes: int | None
    truncated: bool
    last_snapshot_at: datetime | None


class MemoryRoutes(Answer):
    """All routes of a project's memory."""

    routes: list[Route]
    hot_memory_limit: int


class Entry(Answer):
    """One entry of a directory. `path` is percent-encoded: names need not be UTF-8."""

    path: str
    name: str
    type: str
    size: int | None
    modified_at: datetime | None


class Listing(Answer):
    """A directory; `truncated` when it has more entries than these."""

    path: str
    entries: list[Entry]
    truncated: bool


@dataclass(frozen=True)
class File:
    """The bytes of a file, and the `ETag` for changing just what was read."""

    data: bytes
    etag: str | None


class Written(Answer):
    """A file that was put there."""

    path: str
    size: int
    etag: str


class Snapshot(Answer):
    """One generation of hot memory; `damaged` says why it can't be used."""

    generation: int
    taken_at: datetime | None
    reason: str | None
    files: int
    bytes: int
    skipped: int
    damaged: str | None


class SnapshotList(Answer):
    """All generations, newest first."""

    snapshots: list[Snapshot]


class SnapshotEntry(Answer):
    """One entry of a generation; `why` says why it was left out."""

    path: str
    name: str
    type: str
    size: int | None = None
    mode: str | None = None
    sha256: str | None = None
    why: str | None = None


class SnapshotDetails(Snapshot):
    """A generation with what is in it; `more` entries are not listed."""

    entries: list[SnapshotEntry]
    more: int


class Skipped(Answer):
    """What a snapshot had to leave out."""

    path: str
    why: str


class Taken(Answer):
    """The newest generation; not `created` when nothing had changed."""

    generation: int | None
    created: bool
    files: int
    bytes: int
    skipped: list[Skipped]


class Change(Answer):
    """How an entry differs in two generations; `note` says why there is no `diff`."""

    path: str
    name: str
    before: SnapshotEntry | None
    after: SnapshotEntry | None
    diff: str | None
    note: str | None


class Difference(Answer):
    """What changed from one generation to another; `more` changes are not shown."""

    from_: int = Field(alias="from")
    to: int
    added: list[Change]
    removed: list[Change]
    changed: list[Change]
    more: int


class DamagedSnapshot(Answer):
    """A generation that was passed over."""

    generation: int
    why: str


class Recovered(Answer):
    """A damaged file that came from another generation."""

    path: str
    why: str
    generation: int


class Lost(Answer):
    """A file that no generation has undamaged."""

    path: str
    why: str


class Restored(Answer):
    """What was restored; `undo` is the generation that takes it back."""

    generation: int
    files: int
    bytes: int
    undo: int | None
    damaged: list[DamagedSnapshot]
    recovered: list[Recovered]
    lost: list[Lost]
