"""The agent itself, put together from deepagents. Takes a moment of computing: for threads."""

from __future__ import annotations

from typing import Any, cast

from deepagents import SubAgent, create_deep_agent
from langchain_core.language_models import BaseChatModel
from langgraph.channels import BinaryOperatorAggregate, DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from .agent_turn import TurnEvents
from .backends import ProjectBackend

Graph = CompiledStateGraph[Any, Any, Any, Any]


def make_graph(
    model: BaseChatModel,
    prompt: str,
    backend: ProjectBackend,
    saver: BaseCheckpointSaver[Any],
    events: TurnEvents,
) -> Graph:
    """An agent with deepagents' tools on `backend`, and one kind of subagent that works alike.

    `saver` belongs to the loop the agent will run on, and is not used here.
    """
    # deepagents adds one of this name itself, but without our events.
    worker = {
        "name": "general-purpose",
        "description": "Works on one task of several steps, in the same container, with a "
        "conversation of its own, and reports what came of it.",
        "system_prompt": prompt,
        "middleware": [events],
    }
    return create_deep_agent(
        model,
        system_prompt=prompt,
        middleware=[events],
        subagents=[cast("SubAgent", worker)],
        backend=backend,
        checkpointer=saver,
    )


def rebuilt_channels(graph: Graph) -> list[str]:
    """Channels that LangGraph rebuilds from earlier checkpoints where one does not hold them."""
    kinds = (DeltaChannel, BinaryOperatorAggregate)  # as LangGraph's `_delta_channels_to_replay`
    return [name for name, channel in graph.channels.items() if isinstance(channel, kinds)]
