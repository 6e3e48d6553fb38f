"""The responder that is an agent, built on deepagents and LangGraph.

Importable without the extra `agent`; what needs it is imported at the first turn, in a thread.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

from .agent_prompt import memory_prompt, place_prompt
from .agent_settings import AgentSettings, AgentUnavailable, ModelFailed, TurnLimit
from .base import Responder, ResponderContext, Turn
from .turn_lock import TurnLock

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from .agent_graph import Graph
    from .agent_turn import TurnEvents
    from .kept_conversation import KeptConversation


class AgentResponder(Responder):
    """One session's agent: its model runs here, its tools act in the session's container.

    The conversation is the project's, kept across sessions; turns of its sessions take turns.
    """

    def __init__(
        self,
        context: ResponderContext,
        parent: Any = None,
        *,
        settings: AgentSettings | None = None,
        model: BaseChatModel | None = None,
    ) -> None:
        """`parent`: whose configuration holds. `model`: to be used instead of the project's."""
        self._context = context
        self._settings = settings or AgentSettings(parent=parent)
        self._given = model
        self._lock = TurnLock(context.agent_directory, context.session_id)
        self._name = ""
        self._graph: Graph | None = None
        self._events: TurnEvents | None = None
        self._conversation: KeptConversation | None = None
        self._rebuilt: list[str] = []

    async def respond(self, content: str, turn: Turn) -> None:
        """Answer a message with a turn of the agent.

        Raises AgentUnavailable, ModelUnavailable, ModelFailed, TurnLimit, ConversationRefused,
        Forbidden (`agent_model_not_allowed`), InvalidInput (`invalid_agent_model`), and what
        commands in the container raise.
        """
        # What is wrong with the model is told at once, and not after others' turns.
        model = await self._find_model() if self._graph is None else None

        async def tell(is_waiting: bool, waits_for: str | None) -> None:
            await turn.emit("turn_waiting", is_waiting=is_waiting, waits_for=waits_for)

        async with self._lock.held(tell):
            conversation = await self._open(model)
            try:
                await self._turn_in_time(content, turn)
            finally:
                await conversation.prune(self._context.project_id, self._rebuilt)

    async def _turn_in_time(self, content: str, turn: Turn) -> None:
        limit = self._settings.turn_timeout
        task = asyncio.ensure_future(self._turn(content, turn))
        try:
            done, _ = await asyncio.wait([task], timeout=limit)
        except asyncio.CancelledError:
            await _stop(task)
            raise
        if not done:
            await _stop(task)
            raise TurnLimit(f"The turn took more than {limit:.0f} s (AgentSettings.turn_timeout).")
        await task

    async def close(self) -> None:
        """Let go of the conversation's database."""
        conversation, self._conversation, self._graph = self._conversation, None, None
        if conversation is not None:
            await conversation.close()

    async def _turn(self, content: str, turn: Turn) -> None:
        from langchain_core.exceptions import ContextOverflowError
        from langgraph.errors import GraphRecursionError

        from .agent_model import failure
        from .agent_turn import TOO_LONG, ModelErrors, Speech
        from .kept_conversation import damaged

        assert self._graph is not None and self._events is not None
        settings, context = self._settings, self._context
        files = settings.memory_files
        told = await memory_prompt(context.memory, files, settings.memory_file_bytes)
        self._events.begin(turn, told, self._name)
        speech, errors = Speech(turn), ModelErrors()
        parts = self._graph.astream(
            {"messages": [{"role": "user", "content": content}]},
            {
                "configurable": {"thread_id": context.project_id},
                "recursion_limit": settings.max_steps,
                "callbacks": [errors],
            },
            stream_mode=["messages", "updates"],
        )
        try:
            async with aclosing(parts) as stream:  # type: ignore[type-var]
                async for mode, item in stream:
                    await speech.hear(mode, item)
        except ContextOverflowError:
            raise ModelFailed(TOO_LONG) from None
        except GraphRecursionError:
            raise TurnLimit(
                f"The turn took more than {settings.max_steps} steps (AgentSettings.max_steps)."
            ) from None
        except sqlite3.DatabaseError as error:
            raise damaged(error) from None
        except Exception as error:
            if error is not errors.last:
                raise
            raise ModelFailed(failure(self._name, error)) from None

    async def _find_model(self) -> BaseChatModel:
        settings = self._settings
        asked = self._context.config.agent_model
        self._name = "given" if self._given else settings.model_for(asked)
        try:
            return await asyncio.to_thread(self._model)
        except ImportError:
            raise AgentUnavailable(
                "Agents are not installed on this server: pip install 'cognition-jupyter[agent]' "
                "(Python 3.11 or newer)."
            ) from None

    async def _open(self, model: BaseChatModel | None) -> KeptConversation:
        """Make the agent, unless a turn before has. What failed is tried again with the next."""
        if self._conversation is not None:
            return self._conversation
        from .agent_graph import make_graph, rebuilt_channels
        from .agent_turn import TurnEvents
        from .backends import Elsewhere, ProjectBackend
        from .kept_conversation import KeptConversation

        assert model is not None
        settings, context = self._settings, self._context
        sandbox = Elsewhere(
            context.session_id, context.memory, context.run, timeout=settings.command_timeout
        )
        backend = ProjectBackend(context.memory, sandbox)
        mode = context.config.network_mode
        prompt = place_prompt(context.project_id, mode, context.memory, settings)
        conversation, events = KeptConversation(context.agent_directory), TurnEvents()
        saver = await conversation.open()
        self._conversation, self._events = conversation, events
        try:
            self._graph = await asyncio.to_thread(make_graph, model, prompt, backend, saver, events)
            self._rebuilt = rebuilt_channels(self._graph)
        except BaseException:
            await self.close()
            raise
        return conversation

    def _model(self) -> BaseChatModel:
        """The model; imports all that a turn imports later, too, since that takes a second."""
        with _no_collections():
            from . import agent_graph, agent_model, kept_conversation  # noqa: F401

            return self._given or agent_model.make_model(self._name, self._settings)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Around the first import of all that an agent needs: half a million objects.

    A collection of garbage among them would keep the event loop waiting for a third of a second,
    several times. They stay for good, so that afterwards none needs to look at them.
    """
    if "deepagents" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def _stop(task: asyncio.Future[None]) -> None:
    """Cancel, and wait until it has stopped."""
    task.cancel()
    while not task.done():
        await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        logging.getLogger(__name__).debug("While stopping a turn: %s", type(error).__name__)
