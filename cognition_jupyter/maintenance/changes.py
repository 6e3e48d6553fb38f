"""When the files of a project changed last, as far as they say so themselves."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ..exceptions import Conflict
from ..memory.directory import Directory
from ..memory.walk import Budget, Spent, walk
from ..projects.files import in_tree_thread
from ..projects.stage import ProjectPaths

MAX_ENTRIES = 10_000_000
MAX_SECONDS = 600.0
_EPOCH = datetime.fromtimestamp(0, timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


@in_tree_thread
def last_change(paths: ProjectPaths, now: datetime) -> datetime | None:
    """The newest time of modification below `repo/` and the persistent memory, until `now`.

    Those after `now` come from archives or wrong clocks and say nothing. None where there is none.
    Raises Conflict (`too_large`) when there is too much to look through.
    """
    last = (now - _EPOCH) // _MICROSECOND * 1000
    newest = 0
    budget = Budget(MAX_ENTRIES, MAX_SECONDS)
    for top in (paths.repo, paths.persistent):
        try:
            newest = max(newest, _newest(top, last, budget))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except Spent:
            raise Conflict(
                f"{paths.project.name} holds too much to find out when it was changed last.",
                "too_large",
            ) from None
    return _EPOCH + _MICROSECOND * (newest // 1000) if newest else None


def _newest(top: Path, last: int, budget: Budget) -> int:
    newest = 0

    def look(time: int) -> None:
        nonlocal newest
        if newest < time <= last:
            newest = time

    look(os.stat(top, follow_symlinks=False).st_mtime_ns)
    tree = Directory(top)
    with closing(walk(tree, (), True, lambda state, _: state, budget, directories=True)) as steps:
        for _, _, entry, _ in steps:
            try:
                look(entry.stat(follow_symlinks=False).st_mtime_ns)
            except OSError as error:
                budget.failed(error)
    return newest
