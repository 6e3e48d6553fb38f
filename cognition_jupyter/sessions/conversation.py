"""One session as its clients see it: messages wait their turn, answers go to the stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from logging import Logger, LoggerAdapter
from typing import Any

from ..exceptions import CognitionError, Conflict
from .changes import WorkspaceChanges, changed
from .kernel import SessionKernel
from .responders.base import Responder
from .responders.code import CodeResponder, count_tests, shortened
from .stream import SessionStream

QUEUED = 32  # messages that may wait while one is answered


@dataclass(frozen=True)
class Done:
    """What a turn adds to the project's statistics."""

    files_modified: int
    tests_run: int


class Turn:
    """What a responder answers into."""

    def __init__(self, stream: SessionStream, on_work: Callable[[], None]) -> None:
        self._stream = stream
        self._on_work = on_work
        self.tests_run = 0

    async def emit(self, event: str, **fields: Any) -> None:
        """As `responders.base.Turn`."""
        self._on_work()
        if event == "tests_finished":
            self.tests_run += count_tests(str(fields.get("summary", "")))
        await self._stream.emit(event, **fields)


class Conversation:
    """Turns of a session, one at a time. For one event loop."""

    def __init__(
        self,
        stream: SessionStream,
        kernel: SessionKernel,
        code: CodeResponder,
        responder: Callable[[], Awaitable[Responder]],
        changes: WorkspaceChanges,
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        """`responder` makes the project's own, when the first message for it comes."""
        self.stream = stream
        self.kernel = kernel
        self._code = code
        self._make_responder = responder
        self._responder: Responder | None = None
        self._changes = changes
        self._log = log
        self._waiting: deque[tuple[bool, str]] = deque()
        self._turn: asyncio.Task[list[str]] | None = None
        self._cancelled = False  # the turn that runs; once is enough
        #: Whether the session has ended.
        self.closed = False
        self._working: asyncio.Task[None] | None = None
        #: Called on real work, and after each turn.
        self.on_work: Callable[[], None] = lambda: None
        self.on_done: Callable[[Done], Awaitable[None]]

    @property
    def at_work(self) -> bool:
        """Whether a turn runs; an agent can think for long while no kernel computes."""
        return self._turn is not None

    def submit(self, content: str, as_code: bool) -> None:
        """Take a message for the responder, or code for the kernel.

        Raises Conflict (`busy`, `session_ended`).
        """
        if self.closed:
            raise Conflict("The session has ended.", "session_ended")
        if len(self._waiting) >= QUEUED:
            raise Conflict(f"{QUEUED} messages wait already; wait for a done event.", "busy")
        self.on_work()
        self._waiting.append((as_code, content))
        if self._working is None or self._working.done():
            self._working = asyncio.ensure_future(self._work())

    def cancel(self) -> None:
        """Stop the turn that runs and forget those that wait."""
        self._waiting.clear()
        if self._turn is not None and not self._cancelled:
            self._cancelled = True
            self._turn.cancel()

    async def close(self, reason: str) -> None:
        """The session has ended."""
        self.closed = True
        self.kernel.close()
        self.cancel()
        if self._working is not None:
            await asyncio.gather(self._working, return_exceptions=True)
        if self._responder is not None:
            await self._responder.close()
        self.stream.put("session_ended", reason=reason)
        await self.stream.close(reason)

    async def _work(self) -> None:
        while self._waiting:
            as_code, content = self._waiting.popleft()
            turn = Turn(self.stream, self.on_work)
            self._cancelled = False
            self._turn = asyncio.ensure_future(self._answer(turn, as_code, content))
            await asyncio.wait([self._turn])
            ended, self._turn = self._turn, None
            files = self._told(ended)
            await self.on_done(Done(len(files), turn.tests_run))
            self.stream.put("done")

    def _told(self, ended: asyncio.Task[list[str]]) -> list[str]:
        """Tell how a turn ended, unless well; the files that it changed."""
        if ended.cancelled():
            self.stream.put("error", message="The turn was cancelled.", code="cancelled")
            return []
        error = ended.exception()
        if error is None:
            return ended.result()
        if isinstance(error, CognitionError):
            self.stream.put("error", message=error.message, code=error.code)
            return []
        session_id = self.stream.session_id
        self._log.error("Session %s: its responder failed", session_id, exc_info=error)
        message = "The responder failed; the server's log says more."
        self.stream.put("error", message=message, code="responder_failed")
        return []

    async def _answer(self, turn: Turn, as_code: bool, content: str) -> list[str]:
        """One turn; the files that it changed."""
        before = await self._changes.look()
        await self._respond(turn, as_code, content)
        files = changed(before, await self._changes.look())
        if files:
            preview = await self._changes.preview()
            await turn.emit("diff_applied", files_changed=files[:1000], diff_preview=preview)
        return files

    async def _respond(self, turn: Turn, as_code: bool, content: str) -> None:
        if as_code:
            await self._code.respond(content, turn)
            return
        if self._responder is None:
            self._responder = await self._make_responder()
        if not self._responder.repeats_message:
            await turn.emit("user_message", content=shortened(content))
        await self._responder.respond(content, turn)
