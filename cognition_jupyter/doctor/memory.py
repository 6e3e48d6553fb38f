"""Hot memory: is it in RAM, has that room, and does what is in it get onto the disk?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from ..memory.ram import file_system, is_ram, marker_in
from ..memory.shapes import MIB
from ..memory.snapshots.marker import HotMemory
from ..memory.snapshots.overdue import unsaved_since
from ..models import format_time
from ..projects.naming import is_project_id
from ..projects.stage import ProjectPaths
from .finding import Finding, fault, ok, unknown
from .root import room
from .subject import Subject, user_name

LEAST_RAM = 16 * MIB
_NAMED = 5
# Two rounds may have been missed before anybody is told; a round may take its time.
_ROUNDS, _SLACK = 2, 60


def check_memory(subject: Subject) -> Iterator[Finding]:
    """Findings on RAM, its room, and snapshots. Waits for the disk."""
    place = subject.hot_root
    if not is_ram(place):
        yield fault(
            "hot_root",
            "no_tmpfs",
            f"Hot memory is at {place}, on {file_system(place) or 'an unknown file system'}: on "
            "disk, so that it is slow and wears the disk.",
            "Mount a tmpfs at /dev/shm, or set RamDirectories.hot_root to a directory on one.",
        )
    elif (problem := _not_ours(place)) is not None:
        yield fault(
            "hot_root",
            "hot_root_unusable",
            problem,
            "Set RamDirectories.hot_root to another directory.",
        )
    else:
        yield ok("hot_root", f"Hot memory is in RAM, at {place}.")
    yield room("ram", place, LEAST_RAM, "hot memory and sessions")
    if subject.marker.uuid:
        yield _snapshots(subject)


def _not_ours(place: Path) -> str | None:
    if os.path.lexists(place):
        status = place.lstat()
        if not place.is_dir() or place.is_symlink() or status.st_uid != os.geteuid():
            return f"{place} is no directory of {user_name()}; it belongs to {status.st_uid}."
        return None
    above = next(path for path in place.parents if os.path.lexists(path))
    if os.access(above, os.W_OK | os.X_OK, effective_ids=True):
        return None
    return f"{place} can't be made: {user_name()} can't write into {above}."


def _snapshots(subject: Subject) -> Finding:
    settings = subject.snapshots
    patience = subject.patience or _ROUNDS * settings.memory_snapshot_interval + _SLACK
    before = subject.store.now() - timedelta(seconds=patience)
    try:
        projects = sorted(filter(is_project_id, os.listdir(subject.hot)))
        late = {}
        for project_id in projects:
            since = unsaved_since(_hot(subject, project_id), before)
            if since is not None:
                late[project_id] = format_time(since)
    except FileNotFoundError:
        projects, late = [], {}
    except OSError as error:
        place = error.filename or subject.hot
        return unknown("snapshots", f"{place} can't be looked into: {error.strerror}.")
    if not late:
        message = f"{len(projects)} projects have hot memory in RAM; what is old is snapshotted."
        return ok("snapshots", message)
    first = ", ".join(f"{name} (since {since})" for name, since in [*late.items()][:_NAMED])
    more = f" and {len(late) - _NAMED} more" if len(late) > _NAMED else ""
    message = f"Hot memory holds changes that are in no snapshot: {first}{more}."
    if not settings.memory_snapshot_enabled:
        cure = "Snapshots by the clock are off: set MemorySnapshots.memory_snapshot_enabled."
    else:
        cure = (
            "Start a server on this root: it takes one within "
            f"{settings.memory_snapshot_interval} s. If one runs, its log says after `Memory of` "
            "why it can't; a full disk is the usual reason."
        )
    return fault("snapshots", "snapshot_old", message, cure)


def _hot(subject: Subject, project_id: str) -> HotMemory:
    return HotMemory(
        ram=subject.hot / project_id,
        disk=ProjectPaths.under(subject.root / project_id).snapshots,
        marker=marker_in(subject.hot, project_id),
        root_uuid=subject.marker.uuid,
    )
