"""All conversations of this server: created, resumed, joined, left and ended."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from traitlets import Bool, Float
from traitlets.config import LoggingConfigurable

from ..environment import environment_default
from ..exceptions import CognitionError, Conflict, InvalidInput, NotFound
from ..kernels.session import check_session_id
from ..memory.memories import Memories
from ..models import CreateProject, Metadata, NetworkMode, SessionRecord, parse
from ..projects.files import in_thread
from ..projects.projects import Projects
from ..projects.store import ProjectStore
from .changes import WorkspaceChanges
from .commands import Commands
from .conversation import Conversation, Done
from .journal import Journal, prune, read_events
from .kernel import SessionKernel
from .project_sessions import ProjectSessions
from .responders.base import Responder, ResponderContext
from .responders.choice import ResponderChoice
from .responders.code import CodeResponder
from .stream import SessionStream

NoteProgress = Callable[[str, str], None]
JOIN_SECONDS = 10.0  # that who created a session has to join it, whatever the grace


@dataclass(frozen=True)
class Session:
    """A live session. `resumed`: its project was there before. `returned`: so was the session.

    `since`: number of the last event before this.
    """

    project_id: str
    record: SessionRecord
    resumed: bool
    returned: bool
    since: int

    @property
    def session_id(self) -> str:
        """The same as the kernel's id."""
        return self.record.session_id


class Conversations(LoggingConfigurable):
    """What `/ws` calls: sessions with a journal, and what becomes of them without clients."""

    container_stop_on_disconnect = Bool(
        True,
        help="Whether a session that a client of `/ws` has created ends `disconnect_grace` seconds "
        "after its last client has gone. Default from CONTAINER_STOP_ON_DISCONNECT.",
    ).tag(config=True)
    container_recreate_on_reconnect = Bool(
        True,
        help="Whether a client that comes back to a session that has ended gets a fresh container "
        "for it. Default from CONTAINER_RECREATE_ON_RECONNECT.",
    ).tag(config=True)
    disconnect_grace = Float(
        30.0, min=0, help="Seconds that a session lives on without any client."
    ).tag(config=True)

    _default_stop = environment_default(
        "container_stop_on_disconnect", "CONTAINER_STOP_ON_DISCONNECT", True
    )
    _default_recreate = environment_default(
        "container_recreate_on_reconnect", "CONTAINER_RECREATE_ON_RECONNECT", True
    )

    def __init__(
        self,
        store: ProjectStore,
        projects: Projects,
        sessions: ProjectSessions,
        memories: Memories,
        **kwargs: Any,
    ) -> None:
        """Raise TraitError for a wrong value in the environment."""
        super().__init__(**kwargs)
        for name in self.trait_names(config=True):
            getattr(self, name)  # a default is looked up when it is first asked for
        self._store = store
        self._projects = projects
        self._sessions = sessions
        self._memories = memories
        self._choice = ResponderChoice(parent=self)
        self._live: dict[str, Conversation] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ours: set[str] = set()  # sessions that were started here
        self._graces: dict[str, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._ending: dict[str, asyncio.Task[None]] = {}  # conversations, by session
        self.on_work: Callable[[], None] = lambda: None
        sessions.on_disconnect = self._disconnected

    # -- sessions --------------------------------------------------------------------------

    async def create_or_resume_session(
        self,
        project_id: str | None = None,
        user_prefix: str | None = None,
        session_id: str | None = None,
        network_mode: NetworkMode | None = None,
        repo_url: str | None = None,
        on_progress: NoteProgress = lambda stage, detail: None,
    ) -> Session:
        """A session in a new project (`user_prefix`), in one that is there, or the same again.

        With `session_id` a live session is joined; one that has ended gets a fresh container, if
        `container_recreate_on_reconnect`. Raises InvalidInput, NotFound, Forbidden, Conflict,
        CloneFailed, RuntimeUnavailable.
        """
        if session_id is not None and user_prefix is None:
            return await self._again(project_id, session_id, network_mode)
        if session_id is not None or (project_id is None) == (user_prefix is None):
            raise InvalidInput("Say project_id, user_prefix, or session_id with its project_id.")
        if repo_url is not None and user_prefix is None:
            raise InvalidInput("repo_url is for a new project: say user_prefix.")
        resumed = project_id is not None
        if project_id is None:
            fields = {"user_prefix": user_prefix, "repo_url": repo_url}
            fields |= {"network_mode": network_mode} if network_mode else {}
            request = parse(CreateProject, fields)
            note = functools.partial(on_progress, "clone")
            project_id = str((await self._projects.create(request, note))["project_id"])
        else:
            await self._store.get(project_id)
        on_progress("container", "starting")
        record = await self._sessions.start(project_id, network_mode)
        return await self._begun(project_id, record, resumed)

    async def _begun(self, project_id: str, record: SessionRecord, resumed: bool) -> Session:
        """The session that was just started, with its journal; or it is ended again."""
        session_id = record.session_id
        try:
            conversation = await self._open(project_id, session_id)
        except BaseException:
            await self._sessions.stop(project_id, session_id, "client")
            raise
        self._ours.add(session_id)
        self._live[session_id] = conversation
        stream = conversation.stream
        if stream.left_open:  # its server was killed
            stream.put("session_ended", reason="server_stopped")
        session = Session(project_id, record, resumed, False, stream.last_seq)
        stream.put("session_started", **self.described(session, stream.last_seq))
        stream.put("agent_ready")
        self._disconnected(session_id, at_least=JOIN_SECONDS)  # nobody has joined it yet
        return session

    async def _again(
        self, project_id: str | None, session_id: str, network_mode: NetworkMode | None
    ) -> Session:
        check_session_id(session_id)
        async with self._opening.setdefault(session_id, asyncio.Lock()):
            project_id = project_id or await self._project_of(session_id)
            record = await self._sessions.get(project_id, session_id)
            if self._sessions.project_of(session_id) == project_id:
                conversation = self._live.get(session_id)
                since = 0 if conversation is None else conversation.stream.last_seq
                return Session(project_id, record, True, True, since)
            if not self.container_recreate_on_reconnect:
                raise Conflict(f"Session {session_id} has ended.", "session_ended")
            # Refused there when it lives in another server.
            mode = network_mode or record.network_mode
            record = await self._sessions.start(project_id, mode, session_id)
            return await self._begun(project_id, record, resumed=True)

    async def _project_of(self, session_id: str) -> str:
        """The project of a session that lives, or that was its project's last."""
        if found := self._sessions.project_of(session_id):
            return found
        entries, _ = await self._store.select()
        for entry in entries:
            if entry.metadata is not None and entry.metadata.session(session_id) is not None:
                return entry.project_id
        raise NotFound(
            f"No project is known to have session {session_id}; say project_id, too.",
            "session_not_found",
        )

    async def get_session(self, project_id: str, session_id: str) -> SessionRecord:
        """One session, live or ended. Raises NotFound."""
        return await self._sessions.get(project_id, session_id)

    async def disconnect_session(self, session_id: str) -> None:
        """What happens when the last client goes: a snapshot, and the end after the grace."""
        self._sessions.disconnected(session_id)

    async def close_session(self, project_id: str, session_id: str) -> None:
        """End a session because a client said so."""
        await self._sessions.stop(project_id, session_id, "client")

    # -- conversations ---------------------------------------------------------------------

    async def join(self, session: Session) -> Conversation:
        """The conversation of a live session; counted as a client until `leave`."""
        session_id = session.session_id
        async with self._opening.setdefault(session_id, asyncio.Lock()):
            conversation = self._live.get(session_id)
            if conversation is None:
                conversation = await self._open(session.project_id, session_id)
                if self._sessions.project_of(session_id) is None:
                    raise Conflict(f"Session {session_id} has ended.", "session_ended")
                self._live[session_id] = conversation
        self._sessions.connected(session_id)
        return conversation

    def described(self, session: Session, last_seq: int) -> dict[str, Any]:
        """The fields of `session_started`, without the session's id."""
        return {
            "project_id": session.project_id,
            "kernel_id": session.record.kernel_id,
            "container_id": session.record.container_id,
            "network_mode": session.record.network_mode,
            "workspace_path": str(self._store.paths(session.project_id).repo),
            "resumed": session.resumed,
            "last_seq": last_seq,
        }

    def leave(self, conversation: Conversation) -> None:
        """One client less; of a session that has ended and begun anew nobody leaves."""
        session_id = conversation.stream.session_id
        if self._live.get(session_id) is conversation:
            self._sessions.left(session_id)

    async def _open(self, project_id: str, session_id: str) -> Conversation:
        if ending := self._ending.get(session_id):
            await asyncio.wait([ending])  # a journal has one writer
        paths = self._store.paths(project_id)
        journal = Journal(paths.logs, session_id)
        await in_thread(prune)(paths.logs, {session_id, *self._live, *self._opening})
        stream = await SessionStream.open(session_id, journal)
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
            self.log,
        )
        made.on_work = self.on_work
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
            self.log.warning("The statistics of %s stay as they are: %s", project_id, error)

    async def events(self, project_id: str, session_id: str, since: int) -> dict[str, Any]:
        """Events of a session after number `since`, about 256 KiB of them at most.

        `last_seq` is the newest there is; ask again from the last one given. Raises NotFound,
        EventsGone.
        """
        await self._sessions.get(project_id, check_session_id(session_id))
        logs = self._store.paths(project_id).logs
        lines, last = await in_thread(read_events)(Journal(logs, session_id), since)
        return {"events": [json.loads(line) for line in lines], "last_seq": last}

    # -- what happens to sessions ----------------------------------------------------------

    def note(self, action: str, data: dict[str, Any]) -> None:
        """Called with what happens to any session of this server."""
        session_id = data["session_id"]
        conversation = self._live.get(session_id)
        if action == "restarted" and conversation is not None:
            conversation.kernel.lose()
            container = self._sessions.container_of(session_id)
            reason = data.get("reason")
            conversation.stream.put("session_restarted", container_id=container, reason=reason)
        elif action == "ended":
            self._ours.discard(session_id)
            if grace := self._graces.pop(session_id, None):
                grace.cancel()
            if conversation is not None:
                del self._live[session_id]
                ending = self._to_the_end(conversation.close(str(data.get("reason"))))
                self._ending[session_id] = ending
                ending.add_done_callback(lambda _: self._ending.pop(session_id, None))

    def _disconnected(self, session_id: str, at_least: float = 0.0) -> None:
        """The last client has gone, notebooks included."""
        if not self.container_stop_on_disconnect or session_id not in self._ours:
            return
        if earlier := self._graces.get(session_id):
            earlier.cancel()
        self._graces[session_id] = asyncio.ensure_future(
            self._end_after(session_id, max(self.disconnect_grace, at_least))
        )

    async def _end_after(self, session_id: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        del self._graces[session_id]
        project_id = self._sessions.project_of(session_id)
        if project_id is not None and not self._sessions.clients(session_id):
            self._to_the_end(self._end(project_id, session_id))

    def _to_the_end(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Nobody cancels it: Jupyter keeps a kernel for ever whose shutdown was cancelled."""
        task = asyncio.ensure_future(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task

    async def _end(self, project_id: str, session_id: str) -> None:
        try:
            await self._sessions.stop(project_id, session_id, "disconnected")
        except CognitionError as error:
            self.log.warning("Session %s lives on: %s", session_id, error.message)

    async def close(self) -> None:
        """The server stops; its sessions have ended."""
        for grace in self._graces.values():
            grace.cancel()
        await asyncio.gather(*self._graces.values(), *self._closing, return_exceptions=True)
