"""What a check has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["ok", "fault", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `code` names a fault for programs, `cure` is for people.

    `unknown`: it could not be looked at; the reason may have a finding of its own.
    """

    check: str
    status: Status
    message: str
    code: str | None = None
    cure: str | None = None

    @property
    def document(self) -> dict[str, str | None]:
        """As JSON."""
        return asdict(self)


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", message)


def fault(check: str, code: str, message: str, cure: str) -> Finding:
    """Something is wrong, and how it can be put right."""
    return Finding(check, "fault", message, code, cure)


def unknown(check: str, message: str) -> Finding:
    """Nobody can tell now."""
    return Finding(check, "unknown", message)
