"""A session over `/ws`: code and messages in, events out, also across lost connections."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Any

from .errors import ClientError
from .shapes.sessions import Event
from .socket import Connector, Socket

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between two attempts to connect
# These get no better by asking again: who, what and where are wrong.
_FINAL = (400, 401, 403, 404)
_LOST_TRACK = ("events_gone", "journal_damaged")


class Conversation:
    """`async with` it. One task reads its events: `async for`, or `run` and `ask`.

    Every event of the session comes once and in order, also when the connection is lost meanwhile;
    the iteration ends after the session's end. What has no `seq` concerns this client only.
    """

    def __init__(
        self, connector: Connector, wishes: dict[str, Any], reconnect_seconds: float
    ) -> None:
        """Called by `Client.converse`."""
        self._connector = connector
        self._wishes = wishes
        self._reconnect_seconds = reconnect_seconds
        self._socket: Socket | None = None
        self._connecting = asyncio.Lock()
        self._connections = 0
        self._waiting: deque[Event] = deque()  # came before they were asked for
        self._past_until = 0  # what came before we did
        self._over = False
        self.session_id = ""
        self.project_id = ""
        #: Number of the newest event that was handed out.
        self.last_seq = int(wishes.get("since", 0))

    async def __aenter__(self) -> Conversation:
        await self._connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Close the connection. The session goes on, for the server's grace at least."""
        self._over = True
        if self._socket is not None:
            await self._socket.close()

    # -- out -------------------------------------------------------------------------------

    async def execute(self, code: str) -> None:
        """Run code; what becomes of it comes as events. Raises ClientError."""
        await self._send("execute", code=code)

    async def send_message(self, content: str) -> None:
        """For the project's agent; without one it is run as code. Raises ClientError."""
        await self._send("user_msg", content=content)

    async def cancel(self) -> None:
        """Interrupt what runs, and forget what waits. Raises ClientError."""
        await self._send("cancel")

    async def close_session(self) -> None:
        """End the session; `session_ended` comes as an event. Raises ClientError."""
        await self._send("close_session")

    async def run(self, code: str) -> list[Event]:
        """Run code and wait; its events, `done` last. For who is alone in the session.

        Raises ClientError, with code `session_ended` when that came first.
        """
        await self.execute(code)
        return await self._turn()

    async def ask(self, content: str) -> list[Event]:
        """As `run`, for a message."""
        await self.send_message(content)
        return await self._turn()

    async def _turn(self) -> list[Event]:
        connections, events = self._connections, list[Event]()
        async for event in self:
            if event.seq is None and event.event == "error":
                raise ClientError(event["message"], event["code"])
            if self._connections != connections and not events:
                lost = "The connection was lost before anything ran; the message may be, too."
                raise ClientError(lost, "connection_lost")
            if event.seq is None or event.seq <= self._past_until:
                continue
            if event.event == "session_ended":
                message = f"The session has ended ({event['reason']})."
                raise ClientError(message, "session_ended")
            if event.event not in ("session_started", "agent_ready"):
                events.append(event)
            if event.event == "done":
                return events
        raise ClientError("The session has ended.", "session_ended")

    async def _send(self, kind: str, **fields: Any) -> None:
        if self._over:
            raise ClientError("This conversation is over.", "session_ended")
        socket = await self._connected()
        await socket.send({"type": kind, "session_id": self.session_id, **fields})

    # -- in --------------------------------------------------------------------------------

    def __aiter__(self) -> Conversation:
        return self

    async def __anext__(self) -> Event:
        """The next event. Raises ClientError when the connection can't be made again."""
        while not self._over:
            try:
                event = await self._next()
            except ClientError:
                if self._over:  # left meanwhile
                    break
                raise
            if event is None:
                continue
            if event.seq is not None:
                if event.seq <= self.last_seq:
                    continue
                self.last_seq = event.seq
            elif event.event == "error" and event["code"] in _LOST_TRACK:
                self._over = True
                raise ClientError(event["message"], event["code"])
            if event.event == "session_ended":
                # One of the past was followed by a new beginning.
                self._over = event.seq is None or event.seq > self._past_until
            return event
        raise StopAsyncIteration

    async def _next(self) -> Event | None:
        if self._waiting:
            return self._waiting.popleft()
        return await (await self._connected()).receive()

    # -- connections -----------------------------------------------------------------------

    async def _connected(self) -> Socket:
        """The connection, made again if it was lost. Raises ClientError."""
        async with self._connecting:
            if self._socket is None or self._socket.closed:
                await self._connect_again()
            assert self._socket is not None
            return self._socket

    async def _connect_again(self) -> None:
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self._reconnect_seconds, FIRST_PAUSE
        while loop.time() + pause <= deadline and not self._over:
            try:
                return await self._connect()
            except ClientError as error:
                answered = error.code not in ("unreachable", "connection_lost")
                if error.status in _FINAL or (error.status is None and answered):
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise ClientError("The connection was lost.", "connection_lost")

    async def _connect(self) -> None:
        """Connect, and join the session until it is known where its past ends."""
        if self.session_id:
            newest = self._waiting[-1].seq if self._waiting else None
            self._wishes = {
                "project_id": self.project_id,
                "session_id": self.session_id,
                "since": max(self.last_seq, newest or 0),
            }
        socket, first = await self._join()
        if first.seq is not None and "session_id" in self._wishes:
            # It had ended and was begun anew for us. Only to who comes to a live session the
            # server says where its past ends: come again before we leave.
            earlier = socket
            try:
                socket, first = await self._join()
            finally:
                await earlier.close()
            if first.seq is not None:
                await socket.close()
                raise ClientError("The session ends whenever it begins.", "session_ended")
        if self._over:  # left meanwhile; a socket would keep the session alive
            await socket.close()
            raise ClientError("The connection was lost.", "connection_lost")
        if first.seq is None:
            self._past_until = int(first["last_seq"])
            if "since" not in self._wishes:
                self.last_seq = self._past_until
        if self._socket is not None:
            await self._socket.close()
        self._socket = socket
        self._connections += 1
        self.session_id, self.project_id = str(first.session_id), first["project_id"]
        self._waiting.append(first)

    async def _join(self) -> tuple[Socket, Event]:
        """A connection, and the first event that comes on it. Raises ClientError."""
        socket = await self._connector.connect()
        try:
            await socket.send({"type": "create_session", **self._wishes})
            while (event := await socket.receive()) is not None:
                if event.event == "error" and event.seq is None:
                    raise ClientError(event["message"], event["code"])
                if event.event != "progress":
                    return socket, event
        except BaseException:
            await socket.close()
            raise
        raise ClientError("The connection was lost.", "connection_lost")
