"""An agent's session without the rest of a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar, cast

from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, BaseMessage

from cognition_jupyter.memory.project_memory import ProjectMemory
from cognition_jupyter.models import ProjectConfig
from cognition_jupyter.sessions.responders.agent import AgentResponder
from cognition_jupyter.sessions.responders.agent_settings import AgentSettings
from cognition_jupyter.sessions.responders.base import CommandResult, ResponderContext, RunCommand

from ..memory.memory_support import SESSION, Place

PROJECT = "payment-api-a7b3c2d1"
R = TypeVar("R")
_LOOP = asyncio.new_event_loop()


class Scripted(FakeMessagesListChatModel):
    """LangChain's fake model, that may be given tools, and keeps what it was told."""

    told: list[list[BaseMessage]] = []

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Scripted:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        self.told.append(messages)
        return super()._generate(messages, *args, **kwargs)

    @classmethod
    def of(cls, *answers: str | tuple[str, dict[str, Any]]) -> Scripted:
        """Answers in order: texts, and (tool, arguments)."""
        made: list[BaseMessage] = []
        for number, answer in enumerate(answers):
            if isinstance(answer, str):
                made.append(AIMessage(answer))
            else:
                call = {"name": answer[0], "args": answer[1], "id": f"call-{number}"}
                made.append(AIMessage("", tool_calls=[call]))
        return cls(responses=made, told=[])

    def prompt(self, number: int = -1) -> str:
        return "\n".join(str(message.text) for message in self.told[number])


class Events(list[dict[str, Any]]):
    """A Turn that keeps what is emitted."""

    async def emit(self, event: str, **fields: Any) -> None:
        self.append({"event": event, **fields})

    def of(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            e for e in self if e["event"] == event and all(e.get(k) == v for k, v in fields.items())
        ]

    @property
    def names(self) -> list[str]:
        """Without the parts of messages, whose number is chance."""
        return [e["event"] for e in self if e.get("is_complete") is not False]

    @property
    def said(self) -> str:
        return "".join(e["content"] for e in self.of("assistant_message", is_complete=False))


async def no_container(command: str, timeout: float | None = None) -> CommandResult:
    return CommandResult(f"no container for: {command}", 1)


def context(
    place: Place,
    run: RunCommand = no_container,
    memory: ProjectMemory | None = None,
    agent_model: str | None = None,
) -> ResponderContext:
    return ResponderContext(
        project_id=PROJECT,
        session_id=SESSION,
        config=ProjectConfig(agent_model=agent_model),
        agent_directory=place.paths.agent,
        memory=memory or place.memory().for_session(SESSION),
        run=run,
        kernel=cast("Any", None),
    )


def agent(
    where: ResponderContext | Place,
    model: Any = None,
    command: RunCommand = no_container,
    **traits: Any,
) -> AgentResponder:
    given = where if isinstance(where, ResponderContext) else context(where, command)
    return AgentResponder(given, settings=AgentSettings(**traits), model=model)


def run(work: Coroutine[Any, Any, R]) -> R:
    """All on one loop, as in a server: clients of models are kept for the next that wants one."""
    return _LOOP.run_until_complete(work)


def turn(responder: AgentResponder, content: str) -> Events:
    """One turn in a session of its own; the responder is closed."""
    events = Events()

    async def one() -> None:
        try:
            await responder.respond(content, events)
        finally:
            await responder.close()

    run(one())
    return events


def everything(*found: Any) -> str:
    """All that was found, as one text to search."""
    return json.dumps(found, default=repr)
