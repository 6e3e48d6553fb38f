"""A session of this process: what the launcher keeps about it while it lives."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..exceptions import InvalidInput
from ..memory.ram import SessionDirectories
from ..models import NetworkMode, Reason, SessionRecord
from ..runtimes.base import Exit, Mount, Runtime

T = TypeVar("T")

_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(eq=False)
class LiveSession:
    """A session of this process. Its container is replaced when the kernel restarts."""

    session_id: str
    project_id: str
    runtime: Runtime
    network_mode: NetworkMode
    image: str | None
    directory: Path  # of the notebook, on the host
    directories: SessionDirectories
    mounts: tuple[Mount, ...]
    record: SessionRecord  # as it was opened
    opened_at: float  # by the monotonic clock
    container_id: str | None = None
    intent: Reason | None = None  # why we are stopping it; recorded before we do
    death: Exit | None = None  # how its container before this one ended, if nobody asked it to
    launches: int = 0
    launching: bool = False  # a container is being started just now
    closing: bool = False  # nothing may start in it any more
    unreachable: bool = False  # the engine did not answer about its container; reconcile will ask
    #: Whether Jupyter still has the session's kernel, so that somebody can end it. No I/O.
    is_held: Callable[[], bool] = lambda: True

    @property
    def socket_prefix(self) -> str:
        """`ip` of the host's connection information, transport ipc."""
        return str(self.directories.sockets / "k")

    @property
    def exit(self) -> Exit | None:
        """How the present container ended; None while it runs or there is none. No I/O."""
        return self.runtime.exit_of(self.container_id) if self.container_id else None


def check_session_id(session_id: str) -> str:
    """`session_id` itself, or InvalidInput: clients may choose it, and it names files."""
    if not _SESSION_ID.fullmatch(session_id):
        raise InvalidInput(
            "The id of a kernel is 1 to 64 letters, digits, '-' and '_'.", "invalid_session_id"
        )
    return session_id


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`; a cancelled caller still waits for its end: half closed is worse than late."""
    task: Awaitable[T] = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
