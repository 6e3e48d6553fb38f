"""All checks, in the order in which one would look."""

from __future__ import annotations

from .engine import check_engine
from .finding import Finding
from .memory import check_memory
from .root import check_root
from .subject import Subject


async def examine(subject: Subject) -> list[Finding]:
    """Look at everything. For a program of its own: parts of it wait for the disk."""
    return [*check_root(subject), *check_memory(subject), *await check_engine(subject)]
