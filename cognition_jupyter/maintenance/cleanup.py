"""Cleanup: projects that nobody has used for long go to the trash, after warnings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from traitlets import Integer
from traitlets.config import LoggingConfigurable

from ..environment import environment_default
from ..events import Events
from ..exceptions import CognitionError, Conflict, NotFound, RuntimeUnavailable
from ..models import MAX_DAYS, Metadata, days_left, format_time
from ..projects.store import ProjectStore
from ..runtimes.choice import RuntimeChoice
from .changes import last_change
from .cleanup_round import Case, Round
from .remains import Remains
from .removal import Removal

_DAY = timedelta(days=1)


class Cleanup(LoggingConfigurable):
    """Goes over the projects that are due, or nearly, and over the trash."""

    project_cleanup_warning_days = Integer(
        3,
        min=0,
        max=MAX_DAYS,
        help="Days before its cleanup from which on a project is warned of, once a day. Default "
        "from PROJECT_CLEANUP_WARNING_DAYS.",
    ).tag(config=True)
    project_cleanup_check_interval = Integer(
        86_400,
        min=1,
        max=86_400,
        help="Seconds between two rounds at most; there is one in between when a project is due. "
        "Default from PROJECT_CLEANUP_CHECK_INTERVAL.",
    ).tag(config=True)

    _default_warning_days = environment_default(
        "project_cleanup_warning_days", "PROJECT_CLEANUP_WARNING_DAYS", 3, maximum=MAX_DAYS
    )
    _default_interval = environment_default(
        "project_cleanup_check_interval",
        "PROJECT_CLEANUP_CHECK_INTERVAL",
        86_400,
        minimum=1,
        maximum=86_400,
    )

    def __init__(
        self,
        store: ProjectStore,
        choice: RuntimeChoice,
        removal: Removal,
        remains: Remains,
        events: Events,
        **kwargs: Any,
    ) -> None:
        """Raise TraitError for a wrong value in the environment."""
        super().__init__(**kwargs)
        self._store = store
        self._choice = choice
        self._removal = removal
        self._remains = remains
        self._in_use: set[str] = set()  # projects that a container runs on
        self._silent = False  # an engine that matters did not answer the round before
        self._tell = events.of("cleanup")
        self._at_it = asyncio.Lock()
        self._last: datetime | None = None  # round, by the wall clock
        self._next: datetime | None = None
        for name in self.trait_names(config=True):
            getattr(self, name)  # a default is looked up when it is first asked for

    async def run(self, dry: bool = False) -> Round:
        """One round; with `dry`, only say what it would do.

        The failure of one project is told and keeps no other. Raises RuntimeUnavailable, with
        nothing done, when an engine that may use projects does not answer.
        """
        async with self._at_it:
            try:
                self._in_use = await self._choice.projects_in_use()
            except RuntimeUnavailable as error:
                self._note_silence(error)
                raise
            self._silent = False
            return await self._run(dry)

    def _note_silence(self, error: RuntimeUnavailable) -> None:
        if not self._silent:
            self._silent = True
            message = f"Nothing is cleaned up: {error.message}"
            self.log.warning("Cleanup: %s", message)
            self._tell("failed", {"message": message, "code": error.code})

    async def _run(self, dry: bool) -> Round:
        begun, done = time.monotonic(), Round()
        window = timedelta(days=self.project_cleanup_warning_days)
        if self._store.project_cleanup_enabled:
            for _, project_id in await self._store.due_before(self._store.now() + window):
                await self._try(project_id, done, dry, self._look_at)
        for project_id in await self._store.trash.due():
            await self._try(project_id, done, dry, self._expire)
        if not dry:
            await self._remains.remove_all()
            self._tell("finished", done.counts | {"seconds": time.monotonic() - begun})
        return done

    async def _try(
        self, project_id: str, done: Round, dry: bool, step: Callable[[str, Round, bool], Any]
    ) -> None:
        try:
            if project_id in self._in_use and not await self._has_session(project_id):
                raise Conflict("A container that no session knows runs on it.", "container_runs")
            await step(project_id, done, dry)
        except NotFound:
            pass  # somebody was quicker
        except (CognitionError, OSError) as error:
            message = error.message if isinstance(error, CognitionError) else str(error)
            code = error.code if isinstance(error, CognitionError) else "storage_unavailable"
            done.failed.append(Case(project_id, message))
            self.log.warning("Cleanup: %s stays: %s", project_id, message)
            if not dry:
                told = {"project_id": project_id, "message": message, "code": code}
                self._tell("failed", told)

    async def _has_session(self, project_id: str) -> bool:
        try:
            return bool((await self._store.get(project_id)).live_sessions)
        except NotFound:
            return False

    # -- one project -----------------------------------------------------------------------

    async def _look_at(self, project_id: str, done: Round, dry: bool) -> None:
        metadata = await self._store.get(project_id)
        if self._cleanup_at(metadata) is None:
            return
        metadata = await self._note_changes(metadata, dry)
        cleanup_at = self._cleanup_at(metadata)
        if cleanup_at is None:
            return
        why = self._reason(metadata)
        if cleanup_at <= self._store.now():
            if dry or await self._removal.trash(project_id, "cleanup", self._is_due):
                done.trashed.append(Case(project_id, why, cleanup_at))
                if not dry:
                    self.log.info("Cleanup: %s was moved to the trash: %s", project_id, why)
        elif self._is_to_be_warned_of(metadata) and (dry or await self._note_warning(metadata)):
            done.warned.append(Case(project_id, why, cleanup_at))

    def _cleanup_at(self, metadata: Metadata) -> datetime | None:
        """When it goes; None when it does not, by its metadata."""
        idle = not metadata.live_sessions
        return self._store.cleanup_at(metadata) if idle else None

    def _is_due(self, metadata: Metadata) -> bool:
        cleanup_at = self._cleanup_at(metadata)
        return cleanup_at is not None and cleanup_at <= self._store.now()

    def _is_to_be_warned_of(self, metadata: Metadata) -> bool:
        """Whether it goes soon, and nobody has said so today (in UTC)."""
        now, cleanup_at = self._store.now(), self._cleanup_at(metadata)
        window = timedelta(days=self.project_cleanup_warning_days)
        if cleanup_at is None or now < cleanup_at - window:
            return False
        return metadata.warned_at is None or metadata.warned_at.date() != now.date()

    def _reason(self, metadata: Metadata) -> str:
        days = metadata.cleanup_after_days or self._store.cleanup_after_days
        last = format_time(metadata.last_accessed)
        extended = metadata.extended_until
        until = f", extended until {format_time(extended)}" if extended else ""
        return f"Last used {last}, kept for {days} day{'' if days == 1 else 's'}{until}."

    async def _note_changes(self, metadata: Metadata, dry: bool) -> Metadata:
        """Files that changed without a session are a use, too; the newest counts."""
        now = self._store.now()
        newest = await last_change(self._store.paths(metadata.project_id), now)
        if newest is None or newest <= metadata.last_accessed:
            return metadata

        def note(metadata: Metadata) -> None:
            metadata.last_accessed = max(metadata.last_accessed, newest)

        if dry:
            note(metadata)
            return metadata
        return await self._store.change(metadata.project_id, note)

    async def _note_warning(self, metadata: Metadata) -> bool:
        """Warn of a project; false if somebody else with this root was quicker."""
        now = self._store.now()
        news: list[datetime | None] = []

        def note(metadata: Metadata) -> None:
            if self._is_to_be_warned_of(metadata):
                metadata.warned_at = now
                news.append(self._cleanup_at(metadata))

        await self._store.change(metadata.project_id, note)
        if not news or (cleanup_at := news[0]) is None:
            return False
        days = days_left(cleanup_at, now)
        message = (
            f"{metadata.project_id} goes to the trash at {format_time(cleanup_at)} unless it is "
            "used, extended or pinned before."
        )
        self.log.warning("Cleanup: %s", message)
        told = {"project_id": metadata.project_id, "cleanup_at": format_time(cleanup_at)}
        self._tell("warning", told | {"cleanup_in_days": days, "message": message})
        return True

    async def _expire(self, project_id: str, done: Round, dry: bool) -> None:
        days = self._store.trash_retention_days
        why = f"In the trash for {days} day{'' if days == 1 else 's'}."
        if not dry:
            await self._removal.expire(project_id)
        done.deleted.append(Case(project_id, why))

    # -- when ------------------------------------------------------------------------------

    async def run_if_due(self) -> None:
        """A round if it is time for one by the wall clock, which may jump, as when we sleep."""
        now = self._store.now()
        if self._last and self._next and self._last <= now < self._next:
            return
        try:
            await self.run()
        except RuntimeUnavailable:
            return  # told; the next look tries again
        self._last, self._next = now, await self._next_after(now)

    async def _next_after(self, now: datetime) -> datetime:
        """When something is due next: a project, a warning, or the next round in any case."""
        interval = timedelta(seconds=self.project_cleanup_check_interval)
        moments = [now + interval]
        if self._store.project_cleanup_enabled:
            window = timedelta(days=self.project_cleanup_warning_days)
            # Pinned ones, too: they may be unpinned before.
            horizon = now + interval + window
            for cleanup_at, _ in await self._store.due_before(horizon, pinned=True):
                # What should have gone by now could not: not again before the interval.
                moments += [t for t in (cleanup_at - window, cleanup_at) if t > now]
                if cleanup_at > now:
                    moments.append(_midnight_after(now))  # for the warning of another day
        return min(moments)


def _midnight_after(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
