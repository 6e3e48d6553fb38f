"""Events: what happened, to what, and who did it; told to whoever has subscribed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from logging import Logger, LoggerAdapter
from typing import Any, Literal

from .models import utcnow

Noun = Literal["project", "session", "journal", "memory", "cleanup", "reconcile", "progress"]
#: Tells one noun's events: what happened, and its data.
Tell = Callable[[str, dict[str, Any]], None]

SERVER = "server"
# What happens for one of these reasons was nobody's request, whoever's request we are in.
_OUR_OWN = frozenset(
    # of sessions, then of snapshots
    ("idle", "out_of_memory", "crashed", "engine", "interval", "release", "reconcile")
)


@dataclass(frozen=True)
class Event:
    """One event. `data` is what its schema in `event_schemas/` describes, all but the actor."""

    noun: Noun
    action: str
    data: dict[str, Any]
    actor: str
    time: datetime

    @property
    def document(self) -> dict[str, Any]:
        """The event as its schema describes it."""
        return {"action": self.action, "actor": self.actor, **self.data}


class Events:
    """Passes events on; for one event loop. A listener that fails keeps nobody from anything."""

    def __init__(self, log: Logger | LoggerAdapter[Any]) -> None:
        self._log = log
        self._listeners: list[Callable[[Event], None]] = []
        #: Who makes the request that is being served, as a user name.
        self.who: Callable[[], str] = lambda: SERVER

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Have `listener` called with every event; it must not wait."""
        self._listeners.append(listener)

    def of(self, noun: Noun) -> Tell:
        """What tells the events of `noun`."""
        return lambda action, data: self.tell(noun, action, data)

    def tell(self, noun: Noun, action: str, data: dict[str, Any]) -> None:
        """Tell an event; of `data`, what is None is left out."""
        known = {name: value for name, value in data.items() if value is not None}
        ours = noun == "reconcile" or known.get("reason") in _OUR_OWN
        actor = SERVER if ours else self.who()
        event = Event(noun, action, known, actor, utcnow())
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                self._log.exception("Event %s %s was not passed on", noun, action)
