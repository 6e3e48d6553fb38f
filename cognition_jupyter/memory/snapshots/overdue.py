"""Whether hot memory holds what should have been snapshotted by now. Changes nothing."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from datetime import datetime, timezone

from ..directory import Directory
from ..walk import Budget, Spent, walk
from .compare import Known, LeftOut, differs
from .generations import newest_whole
from .manifest import Damaged
from .marker import COMPLETE, HotMemory, read_marker
from .scan import Limits
from .tree import Tree

MAX_ENTRIES = 250_000
MAX_SECONDS = 10.0
# Files that a restore has put there are a little younger than the marker that tells of it.
_RESTORE_SECONDS = 60


def unsaved_since(hot: HotMemory, before: datetime) -> datetime | None:
    """When the oldest change was made that is in no snapshot, if that was before `before`.

    None also where nobody can tell: a restore is at work, snapshots come and go meanwhile, there
    is too much to look through. Takes no lock. Raises OSError.
    """
    with suppress(Damaged, Spent), newest_whole(hot.disk) as newest:
        marker = read_marker(hot)
        if marker is None or marker.state != COMPLETE:
            return None
        since = os.stat(hot.marker).st_mtime + _RESTORE_SECONDS
        if newest is not None:
            since = max(since, newest.header.taken_at.timestamp())
        changed = _oldest_change(hot, since)
        if changed is None or changed >= before.timestamp():
            return None
        known = Known(newest, marker.incarnation, thorough=False)
        with Tree(hot.ram) as source:  # a time may have changed and nothing else
            if not differs(source, known, Limits(), LeftOut()):
                return None
        return datetime.fromtimestamp(changed, timezone.utc)
    return None


def _oldest_change(hot: HotMemory, since: float) -> float | None:
    """The oldest change after `since`, in seconds since 1970. Raises Spent, OSError."""
    times = [os.stat(hot.ram, follow_symlinks=False).st_ctime]
    budget = Budget(MAX_ENTRIES, MAX_SECONDS)
    tree = Directory(hot.ram)
    with closing(walk(tree, (), True, lambda state, _: state, budget, directories=True)) as steps:
        for _, _, entry, _ in steps:
            with suppress(FileNotFoundError):
                times.append(entry.stat(follow_symlinks=False).st_ctime)
    return min((time for time in times if time > since), default=None)
