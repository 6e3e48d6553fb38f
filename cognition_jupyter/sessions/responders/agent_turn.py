"""The events of a turn: what the model says, which tools it uses, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.tools.tool_node import ToolCallRequest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, AIMessageChunk, SystemMessage, ToolMessage
from langgraph.types import Command

from ...exceptions import CognitionError
from .agent_model import failure, is_too_long
from .agent_settings import ModelFailed
from .base import Turn
from .code import tell_tests

MAX_INPUT = 2_000  # characters of each argument of a tool that clients are shown
MAX_OUTPUT = 50_000  # characters of its output
_PAUSE = 0.05  # seconds between parts of a message: not each token is worth an event

TOO_LONG = "The conversation is too long for the model."

_Answer = ToolMessage | Command[Any]


class TurnEvents(AgentMiddleware[Any, Any, Any]):
    """Sits between the agent and its model and tools, in one turn at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.turn: Turn | None = None
        #: Added to what the model is told.
        self.memory = ""
        self._model = ""
        # One tool after the other, so that clients can tell whose output is whose.
        self._one = asyncio.Lock()

    def begin(self, turn: Turn, memory: str, model: str) -> None:
        """Set up for a turn; `model` is the model's name, for sentences."""
        self.turn, self.memory, self._model = turn, memory, model
        self._one = asyncio.Lock()  # one that was held when a turn was cancelled is no good

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Tell the model what is in memory. Raises ModelFailed, ContextOverflowError."""
        if self.memory:
            told = request.system_message.text if request.system_message else ""
            message = SystemMessage(f"{told}\n\n{self.memory}".strip())
            request = request.override(system_message=message)
        try:
            return await handler(request)
        except CognitionError:
            raise
        except Exception as error:
            # Nothing is said of the error itself: servers quote keys in what they say.
            if is_too_long(error):  # deepagents then makes a shorter conversation of it
                raise ContextOverflowError(TOO_LONG) from None
            raise ModelFailed(failure(self._model, error)) from None

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[_Answer]],
    ) -> _Answer:
        """Run a tool and tell about it."""
        if request.tool_call["name"] == "task":  # the tools of a subagent come through here, too
            return await self._tool(request, handler)
        async with self._one:
            return await self._tool(request, handler)

    async def _tool(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[_Answer]],
    ) -> _Answer:
        assert self.turn is not None
        name, arguments = request.tool_call["name"], request.tool_call["args"]
        await self.turn.emit("tool_start", tool=name, input=_short(arguments))
        try:
            answer = await handler(request)
        except Exception:
            await self.turn.emit("tool_end", tool=name, exit_code=None, artifacts=[])
            raise
        text, exit_code = _outcome(name, answer)
        if text:
            chunk = _cut(text, MAX_OUTPUT)
            await self.turn.emit("tool_output", tool=name, stream="stdout", chunk=chunk)
        await self.turn.emit("tool_end", tool=name, exit_code=exit_code, artifacts=[])
        if name == "execute":
            await tell_tests(self.turn, text)
        return answer


class ModelErrors(AsyncCallbackHandler):
    """Knows an error of a model's client where deepagents asks the model itself, for a summary."""

    last: BaseException | None = None

    async def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        """Called by LangChain."""
        self.last = error


class Speech:
    """Turns what LangGraph streams into `assistant_message` events."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._waiting = ""
        self._next = 0.0

    async def hear(self, mode: str, item: Any) -> None:
        """`item` of the stream modes `messages` (parts) and `updates` (what a step answered)."""
        if mode == "messages":
            message, about = item
            if isinstance(message, AIMessage | AIMessageChunk) and about.get("langgraph_node") == (
                "model"
            ):
                self._waiting += str(message.text)
                await self._flush(patient=True)
            return
        for message in ((item.get("model") or {}).get("messages")) or []:
            if isinstance(message, AIMessage) and (text := str(message.text)):
                await self._flush()
                await self._turn.emit("assistant_message", content=text, is_complete=True)

    async def _flush(self, patient: bool = False) -> None:
        now = time.monotonic()
        if self._waiting and not (patient and now < self._next):
            content, self._waiting, self._next = self._waiting, "", now + _PAUSE
            await self._turn.emit("assistant_message", content=content, is_complete=False)


def _outcome(name: str, answer: _Answer) -> tuple[str, int | None]:
    """(text, exit code) of what a tool answered."""
    if isinstance(answer, ToolMessage):
        message: Any = answer
    else:
        update = answer.update if isinstance(answer.update, dict) else {}
        found = [m for m in update.get("messages", []) if isinstance(m, ToolMessage)]
        message = found[-1] if found else None
    if message is None:
        return "", 0
    if name == "execute" and isinstance(message.artifact, dict):
        return str(message.text), message.artifact.get("exit_code")
    return str(message.text), 1 if message.status == "error" else 0


def _short(arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _cut(value, MAX_INPUT) if isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more)"
