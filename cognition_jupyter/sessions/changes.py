"""Which files a turn has changed, asked of git inside the container: a repository is hostile."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..exceptions import CognitionError
from ..projects.files import in_thread
from .responders.base import RunCommand

SECONDS = 10.0  # for one look; a workspace that takes longer has no numbers
PREVIEW = 20_000  # characters of the diff
_STATUS = r"""
git -c core.fsmonitor=false -c core.quotePath=false status --porcelain=v1 -z -uall --no-renames |
"$COGNITION_PYTHON" -c '
import json, os, sys
found = {}
for row in sys.stdin.buffer.read(1 << 24).split(b"\0"):
    if len(row) > 3 and len(found) < 10000:
        try:
            status = os.lstat(row[3:])
            facts = [status.st_size, status.st_mtime_ns]
        except OSError:
            facts = None
        found[os.fsdecode(row[3:])] = [row[:2].decode("latin-1"), facts]
print(json.dumps(found))'
"""
_DIFF = "git -c core.fsmonitor=false --no-pager diff --no-ext-diff --no-textconv HEAD 2>/dev/null"

State = dict[str, object]


class WorkspaceChanges:
    """Looks at the workspace before and after a turn. Workspaces without git have no changes."""

    def __init__(self, repo: Path, run: RunCommand) -> None:
        self._repo = repo
        self._run = run

    async def look(self) -> State | None:
        """What differs from the last commit; None where that can't be had."""
        if not await in_thread(os.path.lexists)(self._repo / ".git"):
            return None
        try:
            found = json.loads((await self._run(_STATUS, SECONDS)).output)
        except (CognitionError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    async def preview(self) -> str:
        """The beginning of the diff to the last commit, as text."""
        try:
            return (await self._run(_DIFF, SECONDS)).output[:PREVIEW]
        except CognitionError:
            return ""


def changed(before: State | None, after: State | None) -> list[str]:
    """Paths whose state is another."""
    if before is None or after is None:
        return []
    paths = before.keys() | after.keys()
    return sorted(path for path in paths if before.get(path) != after.get(path))
