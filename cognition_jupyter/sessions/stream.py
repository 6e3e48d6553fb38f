"""The events of one session on their way: numbered, journaled, and from there to all who follow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from ..exceptions import CognitionError
from ..projects.files import in_thread
from .events import dumps, now
from .journal import PIECE, EventsGone, Journal, Reader, line_of

TAIL_BYTES = 1 << 20  # of the newest events, kept in memory: who follows closely reads no file
EVENT_CHARACTERS = 8 << 20  # of one event; what is larger is left out, and said
PENDING_BYTES = 1 << 20  # of events not written yet; whoever makes more waits


class JournalFailed(CognitionError):
    """The disk does not take the events of this session."""

    status = 507
    code = "journal_failed"


class SessionStream:
    """Numbers events without holes and writes them; `last_seq` is the newest that is written.

    For one event loop. Nobody gets an event before it is in the journal: a client that saw it can
    always ask for what came after it, also of the next server.
    """

    def __init__(self, session_id: str, journal: Journal, last_seq: int, last: bytes) -> None:
        self.session_id = session_id
        self.journal = journal
        self.last_seq = last_seq
        #: Whether the newest event of an earlier server says that the session had not ended.
        self.left_open = last_seq > 0 and b'"event":"session_ended"' not in last[:256]
        self._tail: deque[tuple[int, bytes]] = deque()
        self._tail_bytes = 0
        self._pending: list[str] = []
        self._pending_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._failure: JournalFailed | None = None
        self._changed = asyncio.Event()
        self._closed = False
        #: How often events could not be written, why the last time, and why the session ended.
        self.failures = 0
        self.why = ""
        self.end_reason = ""
        #: Called when there are new events in the journal.
        self.on_written: Callable[[], None] = lambda: None

    @classmethod
    async def open(cls, session_id: str, journal: Journal) -> SessionStream:
        """The stream of a session, going on where its journal ends. Raises OSError."""
        return cls(session_id, journal, *await in_thread(journal.last)())

    async def emit(self, event: str, **fields: Any) -> None:
        """Add an event. Waits while too much is not written.

        Raises JournalFailed when this or an earlier event could not be written.
        """
        self._check()
        self.put(event, **fields)
        if self._pending_bytes > PENDING_BYTES:
            await self.flushed()

    def put(self, event: str, **fields: Any) -> None:
        """As `emit`, for what is small and must not wait; tells of no failure."""
        document = {"time": now(), "event": event, "session_id": self.session_id, **fields}
        text = dumps(document)
        if len(text) > EVENT_CHARACTERS:
            message = f"An event {event} of {len(text)} characters is left out: it is too large."
            document |= {"event": "error", "message": message, "code": "event_too_large"}
            kept = ("time", "event", "session_id", "message", "code")
            text = dumps({name: document[name] for name in kept})
        self._pending.append(text)
        self._pending_bytes += len(text)
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write())

    async def flushed(self) -> None:
        """Wait until everything is written. Raises JournalFailed."""
        while self._writing is not None:
            await asyncio.shield(self._writing)
        self._check()

    def _check(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def _write(self) -> None:
        """Write what is pending, piece by piece, until nothing is. Raises nothing of the disk."""
        try:
            while self._pending:
                texts, self._pending, self._pending_bytes = self._pending, [], 0
                numbered = [*enumerate(texts, self.last_seq + 1)]
                lines = [(seq, line_of(seq, text)) for seq, text in numbered]
                try:
                    await in_thread(self.journal.append)([line for _, line in lines])
                except OSError as error:
                    self._pending, self._pending_bytes = [], 0
                    self.why = f"The events of this session can't be written: {error.strerror}."
                    self._failure = JournalFailed(self.why)
                    self.failures += 1
                    self._wake()
                    return
                self._publish(lines)
        finally:
            self._writing = None

    def _publish(self, lines: list[tuple[int, bytes]]) -> None:
        self.last_seq = lines[-1][0]
        for seq, line in lines:
            self._tail.append((seq, line.rstrip(b"\n")))
            self._tail_bytes += len(line)
        while self._tail_bytes > TAIL_BYTES and len(self._tail) > 1:
            self._tail_bytes -= len(self._tail.popleft()[1]) + 1
        self._wake()
        self.on_written()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def close(self, reason: str = "") -> None:
        """No more events will come: who follows gets to the end."""
        while self._writing is not None:
            await asyncio.shield(self._writing)
        self.end_reason = reason
        self._closed = True
        self._wake()

    def recent(self, since: int) -> list[bytes] | None:
        """The events after number `since`, not all if they are many; None when it takes a file."""
        if since >= self.last_seq:
            return []
        if not self._tail or self._tail[0][0] > since + 1:
            return None
        found, size = list[bytes](), 0
        for seq, line in self._tail:
            if seq > since and size < PIECE:
                found.append(line)
                size += len(line)
        return found

    def follow(self, since: int) -> Follower:
        """All events after number `since`, from the past and as they come."""
        return Follower(self, since)


class Follower:
    """One reader of a stream: takes events at its own pace, from memory or else from the journal.

    So a slow one costs nobody anything.
    """

    def __init__(self, stream: SessionStream, since: int) -> None:
        self._stream = stream
        self._seen = since
        self._failures = stream.failures
        self._reader: Reader | None = None

    async def next(self) -> list[bytes]:
        """The next events, at least one; none when the stream has come to its end.

        Raises EventsGone, OSError; JournalFailed when events were lost: others may follow.
        """
        stream = self._stream
        while self._seen >= stream.last_seq:
            if self._failures < stream.failures:
                self._failures = stream.failures
                raise JournalFailed(stream.why)
            if stream._closed:
                return []
            await stream._changed.wait()
        if stream._tail and stream._tail[0][0] <= self._seen + 1:
            found = [(seq, line) for seq, line in stream._tail if seq > self._seen]
            await self.close()
        else:
            if self._reader is None:
                self._reader = Reader(stream.journal, self._seen)
            found = await in_thread(self._reader.read)()
        if not found:
            raise EventsGone("The journal of this session is gone.")
        self._seen = found[-1][0]
        return [line for _, line in found]

    async def close(self) -> None:
        """Let go of the journal."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await in_thread(reader.close)()
