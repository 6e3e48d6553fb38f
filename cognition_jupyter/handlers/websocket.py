"""The WebSocket `/ws`: sessions created, joined and talked to. `docs/websocket.md` describes it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import ensure_async
from tornado import web
from tornado.ioloop import PeriodicCallback
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ..exceptions import CognitionError, Conflict, NotFound
from ..sessions.conversation import Conversation
from ..sessions.conversations import Session
from ..sessions.events import dumps, now
from ..sessions.journal import EventsGone
from ..sessions.messages import (
    MAX_MESSAGE_BYTES,
    Cancel,
    CloseSession,
    CreateSession,
    Execute,
    UserMessage,
    parse_message,
)
from ..sessions.stream import Follower, JournalFailed

if TYPE_CHECKING:
    from ..app import CognitionApp

PING_SECONDS = 30.0
UNREAD_SECONDS = 60.0  # until a client that takes nothing is let go
MOST_SESSIONS = 64  # of one socket, those being created among them
NOT_READ = 4408  # close codes from 4000 on are an application's own: RFC 6455, 7.4.2


class SessionsSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """`/ws`."""

    auth_resource = "cognition"

    def set_default_headers(self) -> None:
        """A WebSocket has no use for those of a page."""

    def initialize(self) -> None:
        """Called by tornado before everything else."""
        self._joined: dict[str, _Joined | None] = {}  # by session; None while it is being joined
        self._creating: set[asyncio.Task[None]] = set()
        self._others: set[asyncio.Future[None]] = set()
        self._pings: PeriodicCallback | None = None

    @property
    def max_message_size(self) -> int:
        """Bytes; tornado closes the socket (1009) at a larger message."""
        return MAX_MESSAGE_BYTES

    @property
    def app(self) -> CognitionApp:
        """The extension that this socket is served by."""
        app: CognitionApp = self.settings["cognition"]
        return app

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Let in who may execute."""
        user = self.current_user
        if not await ensure_async(
            self.authorizer.is_authorized(self, user, "execute", self.auth_resource)
        ):
            raise web.HTTPError(403)
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Called by tornado when the socket is there."""
        super().open(*args, **kwargs)
        self._pings = PeriodicCallback(self._ping_client, PING_SECONDS * 1000)
        self._pings.start()

    async def _ping_client(self) -> None:
        await self._send({"event": "ping", "time": now()})

    # -- in --------------------------------------------------------------------------------

    async def on_message(self, message: str | bytes) -> None:
        """Called by tornado, which reads the next message when this is done."""
        session_id = None
        try:
            parsed = parse_message(message)
            session_id = parsed.session_id
            if isinstance(parsed, CreateSession):
                self._create_soon(parsed)
                return
            joined = self._joined.get(parsed.session_id)
            if joined is None or joined.conversation.closed:
                raise NotFound(
                    "This socket has no such live session; create_session joins one.",
                    "session_not_found",
                )
            conversation = joined.conversation
            if isinstance(parsed, UserMessage):
                conversation.submit(parsed.content, as_code=False)
            elif isinstance(parsed, Execute):
                conversation.submit(parsed.code, as_code=True)
            elif isinstance(parsed, Cancel):
                conversation.cancel()
            elif isinstance(parsed, CloseSession):
                self._soon(self._end(joined.project_id, parsed.session_id))
        except CognitionError as error:
            await self._send_error(error, getattr(error, "session_id", session_id))

    async def _end(self, project_id: str, session_id: str) -> None:
        try:
            await self.app.conversations.close_session(project_id, session_id)
        except CognitionError as error:
            await self._send_error(error, session_id)

    def _create_soon(self, message: CreateSession) -> None:
        """Beside the other sessions of this socket: a clone or a container takes its time."""
        if len(self._creating) + len(self._joined) >= MOST_SESSIONS:
            raise Conflict(f"One socket may have {MOST_SESSIONS} sessions.", "session_limit")
        task = asyncio.ensure_future(self._create(message))
        self._creating.add(task)
        task.add_done_callback(self._creating.discard)

    async def _create(self, message: CreateSession) -> None:
        try:
            session = await self.app.conversations.create_or_resume_session(
                message.project_id,
                message.user_prefix,
                message.session_id,
                message.network_mode,
                message.repo_url,
                self._note_progress,
            )
            await self._join(session, message.since)
        except CognitionError as error:
            await self._send_error(error, message.session_id)
            return
        except Exception:
            self.log.exception("/ws: create_session")
            message_text = "The session could not be created; the server's log says more."
            await self._send({"event": "error", "message": message_text, "code": "internal_error"})
            return

    async def _join(self, session: Session, since: int | None) -> None:
        session_id = session.session_id
        if session_id in self._joined:
            raise Conflict("This socket has joined that session already.", "session_exists")
        self._joined[session_id] = None
        try:
            conversation = await self.app.conversations.join(session)
        except BaseException:
            del self._joined[session_id]
            raise
        if self.ws_connection is None:  # closed meanwhile
            self.app.conversations.leave(conversation)
            return
        newest = conversation.stream.last_seq if session.returned else session.since
        if since is not None and since > newest:
            gone = EventsGone(f"There is no event {since}: the newest before this is {newest}.")
            await self._send_error(gone, session_id)
            since = newest
        since = session.since if since is None else since
        follow = asyncio.ensure_future(self._follow(session, conversation, since))
        self._joined[session_id] = _Joined(session.project_id, conversation, follow)
        # Not at the end of the task: one that is cancelled early never begins.
        follow.add_done_callback(lambda _: self._left(session_id, conversation))

    def _note_progress(self, stage: str, detail: str) -> None:
        document = {"event": "progress", "time": now(), "stage": stage, "detail": detail}
        self._soon(self._send(document))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    # -- out -------------------------------------------------------------------------------

    async def _follow(self, session: Any, conversation: Conversation, since: int) -> None:
        """Send a session's events until it or the socket ends."""
        session_id = session.session_id
        follower = conversation.stream.follow(since)
        try:
            if session.returned:
                fields = self.app.conversations.described(session, conversation.stream.last_seq)
                head = {"time": now(), "session_id": session_id}
                await self._send({"event": "session_started", **head, **fields})
                await self._send({"event": "agent_ready", **head})
            ended = False
            while (lines := await self._next(follower, session_id)) != []:
                for line in lines or ():
                    await self._write(line.decode())
                    ended = b'"event":"session_ended"' in line[:256]
            if not ended:  # it could not be written
                reason = conversation.stream.end_reason
                head = {"time": now(), "session_id": session_id}
                await self._send({"event": "session_ended", **head, "reason": reason})
        except (CognitionError, OSError) as error:
            if not isinstance(error, CognitionError):
                error = CognitionError(f"The journal can't be read: {error.strerror}.")
            await self._send_error(error, session_id)
        except WebSocketClosedError:
            pass
        finally:
            await follower.close()

    async def _next(self, follower: Follower, session_id: str) -> list[bytes] | None:
        """The next events; None when some could not be written, which is told."""
        try:
            return await follower.next()
        except JournalFailed as error:
            await self._send_error(error, session_id)
            return None

    def _left(self, session_id: str, conversation: Conversation) -> None:
        del self._joined[session_id]
        self.app.conversations.leave(conversation)

    async def _send_error(self, error: CognitionError, session_id: str | None = None) -> None:
        document: dict[str, Any] = {"event": "error", "time": now()}
        if session_id is not None:
            document["session_id"] = session_id
        await self._send({**document, "message": error.message, "code": error.code})

    async def _send(self, document: dict[str, Any]) -> None:
        try:
            await self._write(dumps(document))
        except WebSocketClosedError:
            pass

    async def _write(self, text: str) -> None:
        """Send one message and wait until the client takes it. Raises WebSocketClosedError."""
        sent = asyncio.ensure_future(self.write_message(text))
        sent.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Not `wait_for`, which before Python 3.12 may forget that it was cancelled.
        await asyncio.wait([sent], timeout=UNREAD_SECONDS)
        if not sent.done():
            sent.cancel()
            self.close(NOT_READ, f"Nothing was read for {UNREAD_SECONDS:.0f} s.")
            raise WebSocketClosedError
        sent.result()

    def on_close(self) -> None:
        """Called by tornado when the socket has gone."""
        if self._pings is not None:
            self._pings.stop()
        for joined in [*self._joined.values()]:
            if joined is not None:
                joined.follow.cancel()


@dataclass(frozen=True)
class _Joined:
    """A session that a socket follows."""

    project_id: str
    conversation: Conversation
    follow: asyncio.Task[None]


ROUTES: list[tuple[str, type[Any]]] = [(r"/ws", SessionsSocket)]
