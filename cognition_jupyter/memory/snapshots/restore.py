"""Restoring: a generation becomes the content of the directory in RAM, every byte verified.

The directory may be mounted in running containers, so its inode stays. The new content is built
beside it; what is there gets into a generation; then the marker says "restoring", the old entries
are moved out and the new ones in, and the marker says "complete". Killed before, the old content
stands as it was; killed between, the next call keeps what it finds and restores from the disk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from ...exceptions import CognitionError, Conflict
from ...projects.files import LOCK_TIMEOUT, locked
from ...projects.tree import remove_tree
from .durable import storage_full
from .filling import Filling, Recovered
from .generations import Generation, Problem, found, numbers, opened
from .manifest import Damaged
from .marker import (
    COMPLETE,
    FILLING,
    HotMemory,
    Marker,
    complete_marker,
    new_marker,
    newer_elsewhere,
    read_marker,
    write_marker,
)
from .swap import move_out, replace_content
from .take import Taken, take_locked
from .tree import Tree

_NOT_RESTORED = "Hot memory was not restored"


@dataclass
class Restored:
    """What a restore did. `generation` None: no generation could be restored, RAM is empty.

    `damaged` names generations that were passed over, `lost` the files (and links, directories)
    that could not be had from anywhere. `kept` is what was in RAM before; with `elsewhere`, the
    generation was made from another server's RAM. `unsaved` says why what was restored
    did not become the newest generation: the next snapshot does that.
    """

    generation: int | None = None
    files: int = 0
    bytes: int = 0
    recovered: list[Recovered] = field(default_factory=list)
    lost: list[Problem] = field(default_factory=list)
    damaged: list[tuple[int, str]] = field(default_factory=list)
    kept: Taken | None = None
    asked: bool = False
    elsewhere: bool = False
    unsaved: Exception | None = None


def ensure_restored(hot: HotMemory, lock_timeout: float = LOCK_TIMEOUT) -> Restored | None:
    """Make sure that the directory in RAM is whole; None when it already was (microseconds).

    A restore that was interrupted is done again, to the same generation; otherwise the newest one
    that can be is restored, also when a server with another RAM made it since. What was in RAM
    then is kept as a generation first. Raises StorageFull, RuntimeUnavailable (`locked`), OSError.
    """
    marker = complete_marker(hot)
    if marker is not None and newer_elsewhere(hot, marker) is None:
        return None
    with storage_full(_NOT_RESTORED), locked(hot.lock, lock_timeout):
        marker = read_marker(hot)  # another process may have been quicker
        if marker is not None and marker.state == COMPLETE:
            newer = newer_elsewhere(hot, marker)
            return None if newer is None else _give_way(hot, marker, newer)
        hot.make()  # only under the lock: a release may just have removed it
        if marker is not None and marker.state == FILLING:
            marker = None  # what is there is a part of what was on disk
        return _restore_first(hot, marker)


def restore(
    hot: HotMemory, generation: int, lock_timeout: float = LOCK_TIMEOUT
) -> tuple[Restored, Taken]:
    """Restore that generation, also while containers run: (what was done, what was there before).

    All that was there before is in a generation then, and so is what was restored.

    Raises NotFound, Conflict (`snapshot_damaged`, `memory_not_restored`), StorageFull,
    RuntimeUnavailable (`locked`), OSError; the directory in RAM is as it was then, or the next
    `ensure_restored` keeps what is in it and restores it.
    """
    with (
        storage_full(_NOT_RESTORED),
        locked(hot.lock, lock_timeout),
        found(hot.disk, generation) as chosen,
    ):
        marker = complete_marker(hot)
        if marker is None:
            raise Conflict("Hot memory is not restored yet; try again.", "memory_not_restored")
        hot.remove_leftovers()
        restored = _restore(hot, chosen, Restored(asked=True), marker)
        return restored, restored.kept or Taken(None, False)


def _give_way(hot: HotMemory, marker: Marker, newer: int) -> Restored | None:
    """Restore what another server made from its RAM; what is in ours is kept."""
    hot.remove_leftovers()
    try:
        with opened(hot.disk, newer) as generation:
            return _restore(hot, generation, Restored(elsewhere=True), marker)
    except Damaged:
        write_marker(hot, marker.generation, COMPLETE)  # ours is the newest that is whole
        return None


def _restore_first(hot: HotMemory, marker: Marker | None) -> Restored:
    """Fill a directory that is not whole; `marker` if a restore of one that was is interrupted."""
    restored = Restored()
    wanted = numbers(hot.disk)
    if marker is not None:
        if move_out(hot):
            restored.kept = _keep(hot, new_marker(hot, None, COMPLETE))
            wanted += numbers(hot.disk)  # if nothing else can be restored, then this
        if marker.generation in wanted:
            wanted = [marker.generation, *wanted]
    hot.remove_leftovers()
    if not wanted:
        write_marker(hot, None, COMPLETE)
        return restored
    for number in dict.fromkeys(wanted):
        try:
            with opened(hot.disk, number) as generation:
                return _restore(hot, generation, restored, marker)
        except Damaged as error:
            restored.damaged.append((number, str(error)))
    # What is in RAM was never whole: it goes, and sessions start with nothing.
    hot.new.mkdir(mode=0o700)
    replace_content(hot, None, None)
    return restored


def _restore(
    hot: HotMemory, generation: Generation, restored: Restored, before: Marker | None
) -> Restored:
    """Build the content beside, then put it in place; adds to `restored`. Raises Damaged.

    `before` is the marker if what is in RAM counts. The leftovers are removed.
    """
    hot.new.mkdir(mode=0o700)
    try:
        with Tree(hot.new) as target:
            filling = Filling(hot, generation, target)
            filling.run()
        # As late as can be, and while a full disk does no harm yet.
        if before is not None and before.state == COMPLETE:
            restored.kept = take_locked(hot, before, "restore")
    except BaseException:
        remove_tree(hot.new)
        raise

    def keep(marker: Marker) -> None:
        """What containers wrote since then: all that was there is in `hot.old` now."""
        if before is not None and os.listdir(hot.old):
            taken = _keep(hot, marker)
            if taken.created or restored.kept is None:
                restored.kept = taken

    marker, lost = replace_content(hot, generation.number, before, keep)
    restored.generation = generation.number
    restored.files, restored.bytes = filling.files, filling.bytes
    restored.recovered, restored.lost = filling.recovered, filling.lost + lost
    if before is not None and max(numbers(hot.disk)) != generation.number:
        restored.unsaved = _save(hot, marker)
    return restored


def _keep(hot: HotMemory, marker: Marker) -> Taken:
    """A generation of what was moved out."""
    return take_locked(replace(hot, ram=hot.old), marker, "restore")


def _save(hot: HotMemory, marker: Marker) -> Exception | None:
    """Make what was restored the newest generation, or a reboot would undo it; why not."""
    try:
        with storage_full("What was restored is not in a snapshot yet"):
            take_locked(hot, marker, "request")
    except (CognitionError, OSError) as error:
        return error
    return None
