"""`jupyter cognition cleanup`: a round of cleanup by hand, or what it would do."""

from __future__ import annotations

import asyncio

from traitlets import Bool

from ..core import Cognition
from ..maintenance.cleanup_round import Case, Round
from .project import ProjectCommand
from .text import columns, seconds, visible

_DONE = {
    "trashed": "moved to the trash",
    "deleted": "removed for good",
    "warned": "warned of",
    "failed": "FAILED",
}
_WOULD = {
    "trashed": "would move to the trash",
    "deleted": "would remove for good",
    "warned": "would warn of",
    "failed": "WOULD FAIL",
}


class CleanupCommand(ProjectCommand):
    """Do a round of cleanup now: what is due goes to the trash, what was long in it goes for good.

    A line for each project: what was done with it, its id, when it was due (UTC), why. With
    --dry-run nothing is changed. Exit status 1 when something that should have gone is still there.
    """

    name = "jupyter-cognition-cleanup"
    description = __doc__ or ""
    arguments = ""
    options = f"[--dry-run] {ProjectCommand.options}"
    examples = """
jupyter cognition cleanup --dry-run
jupyter cognition cleanup --root /srv/projects
"""
    flags = {
        **ProjectCommand.flags,
        "dry-run": (
            {"CleanupCommand": {"dry_run": True}},
            "Change nothing; say what would be done.",
        ),
    }

    dry_run = Bool(False, help="Change nothing; say what would be done.").tag(config=True)

    def run(self) -> None:
        """Do the round and print it."""
        self.given()
        done = asyncio.run(self._round())
        words = _WOULD if self.dry_run else _DONE
        rows = [
            _row(words[kind], case)
            for kind, cases in (
                ("trashed", done.trashed),
                ("deleted", done.deleted),
                ("warned", done.warned),
                ("failed", done.failed),
            )
            for case in cases
        ]
        if rows:
            self.say(*columns(rows, right=()))
        if done.failed:
            self.exit(1)

    async def _round(self) -> Round:
        async with Cognition.unserved(self._find_root(), self.config) as cognition:
            return await cognition.cleanup.run(self.dry_run)


def _row(what: str, case: Case) -> tuple[str, str, str, str]:
    due = case.cleanup_at.isoformat() if case.cleanup_at else None
    return what, case.project_id, seconds(due), visible(case.why)
