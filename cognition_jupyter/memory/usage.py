"""What a project is used for and what it takes: sessions a day, disk, memory over time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from traitlets import Float, Integer
from traitlets.config import LoggingConfigurable

from ..models import Metadata, format_time
from ..projects.files import in_thread, in_tree_thread
from ..projects.stage import ProjectPaths
from ..projects.store import ProjectStore
from .disk import DiskUsage, disk_usage
from .snapshots.generations import list_generations

SNAPSHOTS = 100  # newest generations of hot memory that are shown


@dataclass(frozen=True)
class Measured:
    """The parts of a project on disk, at some time."""

    parts: dict[str, DiskUsage]
    at: datetime

    @property
    def document(self) -> dict[str, Any]:
        """As REST answers it."""
        parts = self.parts.values()
        return {
            "bytes": sum(part.bytes for part in parts),
            "complete": all(part.complete for part in parts),
            "measured_at": format_time(self.at),
            "parts": {
                name: {"bytes": part.bytes, "entries": part.entries, "complete": part.complete}
                for name, part in self.parts.items()
            },
        }


class ProjectUsage(LoggingConfigurable):
    """Says what projects are used for; looks at their files seldom and never without end."""

    most_entries = Integer(
        100_000, min=1, help="Entries of each part of a project that a measurement looks at."
    ).tag(config=True)
    most_seconds = Float(
        5.0, min=0, help="Seconds that the measurement of each part may take."
    ).tag(config=True)
    kept_seconds = Float(
        300.0, min=0, help="Seconds for which a measurement is answered without a new one."
    ).tag(config=True)

    def __init__(self, store: ProjectStore, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._store = store
        self._measured: dict[str, Measured] = {}
        self._measuring: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        #: How many entries were looked at since the start.
        self.visited = 0

    async def of(self, project_id: str) -> dict[str, Any]:
        """The use of a project, ready for JSON. Raises NotFound, BrokenProject."""
        metadata = await self._store.get(project_id)
        snapshots = self._store.paths(project_id).snapshots
        rows = await in_thread(list_generations)(snapshots, 0, SNAPSHOTS)
        return {
            "project_id": project_id,
            **_history(metadata, self._store.now()),
            "disk": (await self._measure(project_id)).document,
            "memory": [
                {
                    "generation": row.number,
                    "taken_at": format_time(row.taken_at),
                    "files": row.files,
                    "bytes": row.bytes,
                }
                for row in reversed(rows)
                if row.taken_at is not None
            ],
        }

    async def _measure(self, project_id: str) -> Measured:
        """The last measurement, or a new one when that is old; many askers share one."""
        async with self._measuring.setdefault(project_id, asyncio.Lock()):
            now, keep = self._store.now(), timedelta(seconds=self.kept_seconds)
            last = self._measured.get(project_id)
            # A clock that was set back makes it old, too.
            if last is not None and timedelta() <= now - last.at < keep:
                return last
            parts = await in_tree_thread(self._walk)(self._store.paths(project_id))
            self.visited += sum(part.entries for part in parts.values())
            measured = Measured(parts, now)
            fresh = {k: m for k, m in self._measured.items() if now - m.at < keep}
            self._measured = {**fresh, project_id: measured}
            return measured

    def _walk(self, paths: ProjectPaths) -> dict[str, DiskUsage]:
        places = {
            "repo": paths.repo,
            "deps": paths.deps,
            "persistent_memory": paths.persistent,
            "snapshots": paths.snapshots,
            "logs": paths.logs,
            "agent": paths.agent,
        }
        return {
            name: disk_usage(path, self.most_entries, self.most_seconds)
            for name, path in places.items()
        }


def _history(metadata: Metadata, now: datetime) -> dict[str, Any]:
    usage = metadata.usage.model_copy(deep=True)
    for record in metadata.live_sessions:
        usage.add_time(record.started_at, now)
    return {
        "days": [
            {
                "date": date,
                "sessions": day.sessions,
                "seconds": day.seconds,
                "messages": day.messages,
            }
            for date, day in sorted(usage.days.items())
        ],
        "reasons": dict(sorted(usage.reasons.items())),
        "totals": {
            "sessions": metadata.statistics.total_sessions,
            "seconds": metadata.statistics.total_duration_seconds,
            "messages": metadata.statistics.total_messages,
        },
    }
