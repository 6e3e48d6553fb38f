"""The interface of a responder, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...memory.project_memory import ProjectMemory
from ...models import ProjectConfig

#: Entry points of this group are responders by name; each is a subclass of `Responder`.
GROUP = "cognition_jupyter.responders"


@dataclass(frozen=True)
class CommandResult:
    """What a shell command in the container said: both streams as they came, and its status.

    `exit_code` is None when it had to be ended because of its time. `truncated` when it said more
    than is kept.
    """

    output: str
    exit_code: int | None
    truncated: bool = False


class RunCommand(Protocol):
    """Runs a shell command in the session's container, beside the kernel's own work."""

    def __call__(self, command: str, timeout: float | None = None) -> Awaitable[CommandResult]:
        """Raises CognitionError when the session has no container any more."""


class Kernel(Protocol):
    """The session's kernel, as a front end has it."""

    def execute(self, code: str) -> AsyncIterator[dict[str, Any]]:
        """Run code and give each message of its outputs, the `execute_reply` last.

        Raises CognitionError when the kernel dies.
        """

    async def interrupt(self) -> None:
        """Interrupt what it runs."""


class Turn(Protocol):
    """One message and its answer, as clients see it."""

    async def emit(self, event: str, **fields: Any) -> None:
        """Add an event to the session's journal; clients get it. Waits while they are behind.

        Events and their fields are those of `sessions/events.py`.
        """


@dataclass(frozen=True)
class ResponderContext:
    """The session that a responder answers in."""

    project_id: str
    session_id: str
    config: ProjectConfig
    #: `.agent` of the project: out of reach for every container.
    agent_directory: Path
    #: The project's routes as this session sees them.
    memory: ProjectMemory
    run: RunCommand
    kernel: Kernel


class Responder(ABC):
    """Answers the messages of one session, one after the other, on the server's event loop.

    Made in a thread with its context and, as traitlets' configurables are, a `parent`.
    """

    #: Whether its own events say what it was asked; otherwise a `user_message` comes before them.
    repeats_message = False

    @abstractmethod
    def __init__(self, context: ResponderContext, parent: Any = None) -> None:
        """Raises CognitionError when it can't work here."""

    @abstractmethod
    async def respond(self, content: str, turn: Turn) -> None:
        """Answer a message. Raises CognitionError, which becomes an `error` event of the session.

        Cancelled when the client cancels: then it stops what it does and raises CancelledError.
        """

    async def close(self) -> None:  # noqa: B027 - nothing, for most
        """Called when the session has ended, or its last client has gone for good."""
