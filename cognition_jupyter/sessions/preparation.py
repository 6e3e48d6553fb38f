"""The end of a project's creation: its template's command, run in a session of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger, LoggerAdapter
from typing import Any

from ..events import Event, Events
from ..exceptions import CognitionError, PostCreateFailed
from ..kernels.session import to_the_end
from ..projects.templates import ProjectTemplates, Template
from .commands import Commands
from .kernel import SessionKernel
from .project_sessions import ProjectSessions
from .responders.base import CommandResult

STOP_PATIENCE = 30.0  # seconds that taking projects back may take when the server stops
SAID = 300  # characters of a failed command's output that are passed on: its end


class Preparation:
    """Runs the `post_create` commands of templates. For one event loop."""

    def __init__(
        self,
        templates: ProjectTemplates,
        sessions: ProjectSessions,
        take_back: Callable[[str], Awaitable[None]],
        events: Events,
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        """`take_back` removes a project for good."""
        self._templates = templates
        self._sessions = sessions
        self._remove = take_back
        self._log = log
        self._at_work: set[asyncio.Task[Any]] = set()
        self._kernels: dict[str, SessionKernel] = {}
        events.subscribe(self._note)

    async def run(self, project_id: str, template: Template) -> None:
        """Run the template's command in the new project; if it fails, there is no project.

        Raises PostCreateFailed, and what starting a session raises.
        """
        if template.post_create is None:
            return
        task = asyncio.current_task()
        assert task is not None
        self._at_work.add(task)
        try:
            await self._run_or_take_back(project_id, template.name, template.post_create)
        finally:
            self._at_work.discard(task)

    async def close(self) -> None:
        """The server stops and has ended its sessions: what was being prepared is taken back."""
        if self._at_work:
            await asyncio.wait([*self._at_work], timeout=STOP_PATIENCE)

    async def _run_or_take_back(self, project_id: str, name: str, command: str) -> None:
        try:
            self._check(name, await self._run(project_id, command))
        except BaseException as error:
            await to_the_end(self._take_back(project_id))
            if isinstance(error, _Unanswered):
                raise PostCreateFailed(
                    f"The post_create command of template {name} could not be run: "
                    f"{_one_line(error.why)}."
                ) from None
            raise

    async def _run(self, project_id: str, command: str) -> CommandResult:
        session_id = (await self._sessions.start(project_id)).session_id
        kernel = SessionKernel(self._sessions.kernels, session_id)
        self._kernels[session_id] = kernel
        try:
            return await Commands(kernel).run(command, self._templates.post_create_timeout)
        except CognitionError as error:
            raise _Unanswered(error.message) from None
        finally:
            del self._kernels[session_id]
            kernel.close()
            await to_the_end(self._end(project_id, session_id))

    async def _end(self, project_id: str, session_id: str) -> None:
        try:
            await self._sessions.stop(project_id, session_id, "client")
        except CognitionError as error:  # the project was deleted meanwhile
            self._log.warning("Session %s after post_create: %s", session_id, error)

    def _check(self, name: str, result: CommandResult) -> None:
        if result.exit_code == 0:
            return
        seconds = self._templates.post_create_timeout
        how = f"ended with status {result.exit_code}"
        if result.exit_code is None:
            how = f"was not done within {seconds:g} s"
        said = _one_line(result.output[-4 * SAID :])[-SAID:].strip()
        raise PostCreateFailed(
            f"The post_create command of template {name} {how}{': ' + said if said else ''}."
        )

    async def _take_back(self, project_id: str) -> None:
        """Remove the project for good. What stands against it is told in the log."""
        try:
            await self._sessions.stop_project(project_id, "deleted")
            await self._remove(project_id)
        except (CognitionError, OSError) as error:
            self._log.warning("Taking %s back: %s", project_id, error)

    def _note(self, event: Event) -> None:
        """A kernel that dies or restarts never answers; without this we would wait for it."""
        if event.noun == "session" and event.action in ("restarted", "ended"):
            kernel = self._kernels.get(event.data["session_id"])
            if kernel is not None:
                kernel.close()


class _Unanswered(Exception):
    """The command has no result; `why` says what happened."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _one_line(text: str) -> str:
    """`text` without what would break a sentence, a log or a terminal."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split()).rstrip(".")
