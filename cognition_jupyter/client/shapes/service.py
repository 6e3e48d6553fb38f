"""The service itself, as servers describe it."""

from __future__ import annotations

from .base import Answer


class RuntimeHealth(Answer):
    """What would start sessions."""

    name: str
    available: bool
    isolated: bool
    detail: str


class MemoryHealth(Answer):
    """Where hot memory is: `ram` or `disk`."""

    hot: str


class AgentHealth(Answer):
    """Whether projects without a model of their own have an agent."""

    configured: bool
    model: str | None


class Health(Answer):
    """The state of the service; `degraded` when no session can be started."""

    status: str
    version: str
    sessions_active: int
    runtime: RuntimeHealth
    memory: MemoryHealth
    agent: AgentHealth
