"""Prometheus metrics, on the server's own `/metrics`.

They are made once for the process, however many servers run in it. A scrape reads what is in
memory: it never waits for the disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from logging import Logger, LoggerAdapter
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from .events import Event
from .kernels.launcher import Launcher
from .maintenance.periodic import Periodic
from .projects.files import in_thread
from .projects.naming import is_project_id
from .projects.store import ProjectStore

_STATUSES = ("active", "idle", "broken", "trashed")
_STATES = ("starting", "running", "ending")
_CLEANED = ("trashed", "deleted", "warned", "failed")
_REFRESH = 60.0  # seconds; what this server does itself is seen at once

PROJECTS = Gauge("cognition_projects", "Projects in the root, by status", ["status"])
SESSIONS = Gauge("cognition_sessions", "Sessions of this server, by state", ["state"])
START = Histogram(
    "cognition_session_start_seconds",
    "Time from opening a session until its container runs",
    ["runtime"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
START_FAILURES = Counter(
    "cognition_session_failures_total", "Sessions that could not start, or not again", ["code"]
)
RESTARTS = Counter("cognition_session_restarts_total", "Kernels that were restarted", ["reason"])
ENDS = Counter("cognition_session_ends_total", "Sessions that ended", ["reason"])
SNAPSHOT = Histogram(
    "cognition_snapshot_seconds",
    "Time that a snapshot of hot memory took which made a new generation",
    ["reason"],
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60),
)
SNAPSHOT_FAILURES = Counter(
    "cognition_snapshot_failures_total", "Snapshots that could not be taken", ["reason"]
)
CLEANUP = Histogram(
    "cognition_cleanup_seconds",
    "Time that a round of cleanup took",
    buckets=(0.01, 0.1, 1, 10, 60, 600),
)
CLEANED = Counter(
    "cognition_cleanup_projects_total", "Projects that cleanup has seen to, by result", ["result"]
)
MENDED = Counter("cognition_reconcile_total", "What reconcile has told, by action", ["action"])

_served: list[Metrics] = []


def _number_of(kind: str, name: str) -> float:
    return sum(metrics.count(kind, name) for metrics in _served)


for _status in _STATUSES:
    PROJECTS.labels(_status).set_function(partial(_number_of, "project", _status))
for _state in _STATES:
    SESSIONS.labels(_state).set_function(partial(_number_of, "session", _state))
for _result in _CLEANED:
    CLEANED.labels(_result)  # there from the start, as 0


def _note_cleanup(data: dict[str, Any]) -> None:
    if "seconds" in data:
        CLEANUP.observe(data["seconds"])
    for result in _CLEANED:
        CLEANED.labels(result).inc(data.get(result, 0))


def _unknown(data: dict[str, Any], name: str) -> str:
    return str(data.get(name, "unknown"))


#: What is counted of an event, by its noun and action.
_COUNTS: dict[tuple[str, str], Callable[[dict[str, Any]], None]] = {
    ("session", "started"): lambda d: START.labels(_unknown(d, "runtime")).observe(d["seconds"]),
    ("session", "failed"): lambda d: START_FAILURES.labels(_unknown(d, "code")).inc(),
    ("session", "restarted"): lambda d: RESTARTS.labels(_unknown(d, "reason")).inc(),
    ("session", "ended"): lambda d: ENDS.labels(_unknown(d, "reason")).inc(),
    ("memory", "snapshot"): lambda d: SNAPSHOT.labels(_unknown(d, "reason")).observe(d["seconds"]),
    ("memory", "failed"): lambda d: SNAPSHOT_FAILURES.labels(_unknown(d, "reason")).inc(),
    ("cleanup", "finished"): _note_cleanup,
}


class Metrics:
    """Counts what one server's events tell, and its projects and sessions. For one event loop."""

    def __init__(
        self, store: ProjectStore, launcher: Launcher, log: Logger | LoggerAdapter[Any]
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._projects: dict[str, int] = {}
        self._clock = Periodic("Metrics", self._refresh, _REFRESH, log)

    def start(self) -> None:
        """From now on, projects and sessions are shown."""
        _served.append(self)
        self._clock.start(now=True)

    async def stop(self) -> None:
        """The opposite of `start`."""
        if self in _served:
            _served.remove(self)
        await self._clock.stop()

    def count(self, kind: str, name: str) -> int:
        """How many projects have a status, or sessions a state. Called at each scrape."""
        return self._projects.get(name, 0) if kind == "project" else self._sessions(name)

    def _sessions(self, state: str) -> int:
        live, starting = self._launcher.live, self._launcher.starting
        states = ["starting" for session_id in starting if session_id not in live]
        for session in live.values():
            begins = session.launches == 0 or session.session_id in starting
            states.append("ending" if session.closing else "starting" if begins else "running")
        return states.count(state)

    async def _refresh(self) -> None:
        counts = {}
        for status in ("active", "idle", "broken"):
            _, counts[status] = await self._store.select(status=status, limit=0)
        counts["trashed"] = await in_thread(self._trashed)()
        self._projects = counts

    def _trashed(self) -> int:
        return sum(map(is_project_id, os.listdir(self._store.directory.trash)))

    def note(self, event: Event) -> None:
        """Count the event; for `Events.subscribe`."""
        if self in _served and event.noun in ("project", "session", "cleanup"):
            self._clock.run_again()
        count = _COUNTS.get((event.noun, event.action))
        if count is not None:
            count(event.data)
        elif event.noun == "reconcile":
            MENDED.labels(event.action).inc()
