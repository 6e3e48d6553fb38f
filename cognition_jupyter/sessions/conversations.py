"""What `/ws` calls: sessions created, resumed and joined, and ended when nobody is left."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from traitlets import Bool, Float
from traitlets.config import LoggingConfigurable

from ..environment import environment_default
from ..events import Tell
from ..exceptions import CognitionError, Conflict, InvalidInput, NotFound
from ..kernels.session import check_session_id
from ..memory.memories import Memories
from ..models import CreateProject, NetworkMode, SessionRecord, parse
from ..projects.files import in_thread
from ..projects.projects import Projects
from ..projects.store import ProjectStore
from .conversation import Conversation
from .journal import Journal, read_events
from .live_conversations import LiveConversations
from .project_sessions import ProjectSessions
from .responders.choice import ResponderChoice

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
    """Sessions with a journal, and what becomes of them without clients. For one event loop."""

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
        self._ours: set[str] = set()  # sessions that were started here
        self._graces: dict[str, asyncio.Task[None]] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        #: Called on real work.
        self.on_work: Callable[[], None] = lambda: None
        #: Told of a journal that has grown, every now and then, as `journal/v1` describes it.
        self.on_growth: Tell = lambda action, data: None
        choice = ResponderChoice(parent=self)
        self._live = LiveConversations(
            store, sessions, memories, choice, lambda: self.on_work(), self._grown, self.log
        )
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
        async with self._live.opening(record.session_id):
            return await self._begun(project_id, record, resumed)

    async def _begun(self, project_id: str, record: SessionRecord, resumed: bool) -> Session:
        """The session that was just started, with its journal; or it is ended again."""
        session_id = record.session_id
        try:
            conversation = await self._live.open(project_id, session_id)
        except BaseException:
            await self._sessions.stop(project_id, session_id, "client")
            raise
        self._ours.add(session_id)
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
        async with self._live.opening(session_id):
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
        return await self._live.join(session.project_id, session.session_id)

    def leave(self, conversation: Conversation) -> None:
        """One client less."""
        self._live.leave(conversation)

    def at_work(self) -> bool:
        """Whether a turn of any session runs."""
        return self._live.at_work()

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

    async def events(self, project_id: str, session_id: str, since: int) -> dict[str, Any]:
        """Events of a session after number `since`, about 256 KiB of them at most.

        `last_seq` is the newest there is; ask again from the last one given. Raises NotFound,
        EventsGone.
        """
        await self._sessions.get(project_id, check_session_id(session_id))
        conversation = self._live.get(session_id)
        if conversation and (recent := conversation.stream.recent(since)) is not None:
            lines, last = recent, conversation.stream.last_seq
            return {"events": [json.loads(line) for line in lines], "last_seq": last}
        logs = self._store.paths(project_id).logs
        lines, last = await in_thread(read_events)(Journal(logs, session_id), since)
        return {"events": [json.loads(line) for line in lines], "last_seq": last}

    def _grown(self, project_id: str, session_id: str, last_seq: int) -> None:
        data = {"project_id": project_id, "session_id": session_id, "last_seq": last_seq}
        self.on_growth("grown", data)

    # -- what happens to sessions ----------------------------------------------------------

    def note(self, action: str, data: dict[str, Any]) -> None:
        """Called with what happens to any session of this server."""
        session_id, reason = data["session_id"], data.get("reason")
        if action == "restarted":
            self._live.restarted(session_id, reason)
        elif action == "ended":
            self._ours.discard(session_id)
            if grace := self._graces.pop(session_id, None):
                grace.cancel()
            self._live.ended(session_id, str(reason))

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
            # Nobody cancels it: Jupyter keeps a kernel for ever whose shutdown was cancelled.
            stop = asyncio.ensure_future(self._end(project_id, session_id))
            self._stopping.add(stop)
            stop.add_done_callback(self._stopping.discard)

    async def _end(self, project_id: str, session_id: str) -> None:
        try:
            await self._sessions.stop(project_id, session_id, "disconnected")
        except CognitionError as error:
            self.log.warning("Session %s lives on: %s", session_id, error.message)

    async def close(self) -> None:
        """The server stops; its sessions have ended."""
        for grace in self._graces.values():
            grace.cancel()
        await asyncio.gather(*self._graces.values(), *self._stopping, return_exceptions=True)
        await self._live.close()
