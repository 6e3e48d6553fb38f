"""Which responder a session gets: its project's agent, or the one for code."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from traitlets import TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from ...exceptions import InvalidInput
from .base import GROUP, Responder, ResponderContext

AUTO = "auto"


class ResponderChoice(LoggingConfigurable):
    """Finds responders by the names of their entry points."""

    responder = Unicode(
        AUTO,
        help="Entry point (group `cognition_jupyter.responders`) that answers messages. `auto`: "
        "`agent` in projects with an agent_model, else `code`, which runs them in the kernel.",
    ).tag(config=True)

    @validate("responder")
    def _valid_responder(self, proposal: dict[str, Any]) -> Any:
        name, there = proposal["value"], sorted(entry_points(group=GROUP).names)
        if name not in (AUTO, *there):
            raise TraitError(
                f"ResponderChoice.responder can't be {name!r}; installed are: {', '.join(there)}."
            )
        return name

    def make(self, context: ResponderContext) -> Responder:
        """The responder of a session. Waits for its import. Raises InvalidInput, CognitionError."""
        name = self.responder
        if name == AUTO:
            name = "agent" if context.config.agent_model else "code"
        found = [point for point in entry_points(group=GROUP) if point.name == name]
        if not found:
            raise InvalidInput(f"There is no responder {name}.", "responder_unknown")
        kind: Any = found[0].load()
        made: Responder = kind(context, parent=self)
        return made
