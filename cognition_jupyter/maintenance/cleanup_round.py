"""What a round of cleanup did, or would do, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..models import format_time


@dataclass(frozen=True)
class Case:
    """What a round did, or would do, with one project, and why."""

    project_id: str
    why: str
    cleanup_at: datetime | None = None


@dataclass
class Round:
    """What one round did, or would do."""

    trashed: list[Case] = field(default_factory=list)
    deleted: list[Case] = field(default_factory=list)
    warned: list[Case] = field(default_factory=list)
    failed: list[Case] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        """The round as REST answers it."""
        return {
            name: [
                {
                    "project_id": case.project_id,
                    "why": case.why,
                    "cleanup_at": case.cleanup_at and format_time(case.cleanup_at),
                }
                for case in cases
            ]
            for name, cases in self._lists()
        }

    @property
    def counts(self) -> dict[str, int]:
        """How many projects of each kind."""
        return {name: len(cases) for name, cases in self._lists()}

    def _lists(self) -> Iterator[tuple[str, list[Case]]]:
        yield from (("trashed", self.trashed), ("deleted", self.deleted))
        yield from (("warned", self.warned), ("failed", self.failed))
