"""The conversations of this server's live sessions: opened, joined, left and ended."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from logging import Logger, LoggerAdapter
from typing import Any
from weakref import WeakValueDictionary

from ..exceptions import CognitionError, Conflict
from ..memory.memories import Memories
from ..models import Metadata
from ..projects.files import in_thread
from ..projects.store import ProjectStore
from .changes import WorkspaceChanges
from .commands import Commands
from .conversation import Conversation, Done
from .growth import Growth
from .journal import Journal, prune
from .kernel import SessionKernel
from .project_sessions import ProjectSessions
from .responders.base import Responder, ResponderContext
from .responders.choice import ResponderChoice
from .responders.code import CodeResponder
from .stream import SessionStream


class LiveConversations:
    """At most one conversation of each session: a journal has one writer. For one event loop."""

    def __init__(
        self,
        store: ProjectStore,
        sessions: ProjectSessions,
        memories: Memories,
        choice: ResponderChoice,
        on_work: Callable[[], None],
        on_growth: Callable[[str, str, int], None],
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._memories = memories
        self._choice = choice
        self._on_work = on_work
        self._on_growth = on_growth  # project, session, number of the newest event
        self._log = log
        self._live: dict[str, Conversation] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ending: dict[str, asyncio.Task[None]] = {}

    def get(self, session_id: str) -> Conversation | None:
        """The session's conversation, if one is open."""
        return self._live.get(session_id)

    def at_work(self) -> bool:
        """Whether a turn of any of them runs."""
        return any(conversation.at_work for conversation in self._live.values())

    def opening(self, session_id: str) -> asyncio.Lock:
        """To be held by who opens a session's conversation, or starts that session again.

        As long as somebody holds it or waits for it, the session's journal stays.
        """
        return self._opening.setdefault(session_id, asyncio.Lock())

    async def open(self, project_id: str, session_id: str) -> Conversation:
        """The conversation of a live session; the caller holds its lock. Raises Conflict."""
        conversation = self._live.get(session_id)
        if conversation is None:
            conversation = await self._make(project_id, session_id)
            if self._sessions.project_of(session_id) is None:
                raise Conflict(f"Session {session_id} has ended.", "session_ended")
            self._live[session_id] = conversation
        return conversation

    async def join(self, project_id: str, session_id: str) -> Conversation:
        """As `open`; counted as a client until `leave`."""
        async with self.opening(session_id):
            conversation = await self.open(project_id, session_id)
        self._sessions.connected(session_id)
        return conversation

    def leave(self, conversation: Conversation) -> None:
        """One client less; of a session that has ended and begun anew nobody leaves."""
        session_id = conversation.stream.session_id
        if self._live.get(session_id) is conversation:
            self._sessions.left(session_id)

    def restarted(self, session_id: str, reason: object) -> None:
        """The session has another container."""
        conversation = self._live.get(session_id)
        if conversation is not None:
            conversation.kernel.lose()
            container = self._sessions.container_of(session_id)
            conversation.stream.put("session_restarted", container_id=container, reason=reason)

    def ended(self, session_id: str, reason: str) -> None:
        """The session is over, and so is its conversation, in a moment."""
        conversation = self._live.pop(session_id, None)
        if conversation is not None:
            # Nobody cancels it.
            ending = asyncio.ensure_future(conversation.close(reason))
            self._ending[session_id] = ending
            ending.add_done_callback(lambda _: self._ending.pop(session_id, None))

    async def close(self) -> None:
        """Wait until the conversations that have ended are over."""
        await asyncio.gather(*self._ending.values(), return_exceptions=True)

    async def _make(self, project_id: str, session_id: str) -> Conversation:
        if ending := self._ending.get(session_id):
            await asyncio.wait([ending])
        paths = self._store.paths(project_id)
        journal = Journal(paths.logs, session_id)
        await in_thread(prune)(paths.logs, {session_id, *self._live, *self._opening})
        stream = await SessionStream.open(session_id, journal)
        growth = Growth(lambda: self._on_growth(project_id, session_id, stream.last_seq))
        stream.on_written = growth.note
        kernel = SessionKernel(self._sessions.kernels, session_id)
        run = Commands(kernel).run
        metadata = await self._store.get(project_id)
        context = ResponderContext(
            project_id=project_id,
            session_id=session_id,
            config=metadata.config,
            agent_directory=paths.agent,
            memory=await self._memories.of(project_id, session_id),
            run=run,
            kernel=kernel,
        )
        made = Conversation(
            stream,
            kernel,
            CodeResponder(context),
            functools.partial(self._responder, context),
            WorkspaceChanges(paths.repo, run),
            self._log,
        )
        made.on_work = self._on_work
        made.on_done = functools.partial(self._count, project_id)
        return made

    async def _responder(self, context: ResponderContext) -> Responder:
        return await in_thread(self._choice.make)(context)

    async def _count(self, project_id: str, done: Done) -> None:
        def count(metadata: Metadata) -> None:
            metadata.statistics.total_messages += 1
            metadata.usage.add(self._store.now(), messages=1)
            metadata.statistics.files_modified += done.files_modified
            metadata.statistics.tests_run += done.tests_run

        try:
            await self._store.change(project_id, count)
        except (CognitionError, OSError) as error:
            self._log.warning("The statistics of %s stay as they are: %s", project_id, error)
