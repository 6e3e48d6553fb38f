"""Taking a snapshot: what is in RAM becomes a new generation on disk, if anything changed.

A generation is built beside the others, synced and renamed into place: until then it does not
exist. A first look compares with the newest generation and stops at the first difference; only
then a second one copies. Both read a tree that containers go on changing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime

from ...exceptions import Conflict
from ...models import utcnow
from ...projects.files import LOCK_TIMEOUT, fsync_directory, locked
from ...projects.tree import remove_tree
from .build import Build
from .compare import Known, LeftOut, Skipped, differs
from .durable import storage_full, sync_tree
from .generations import (
    DAMAGED,
    FILES,
    TEMPORARY,
    Generation,
    delete,
    directory_name,
    list_generations,
    newest_whole,
    next_number,
    remove_leftovers,
    surplus,
    verify,
)
from .manifest import Damaged, Header
from .manifest_file import NAME, Writer, read_back
from .marker import COMPLETE, RESTORING, HotMemory, Marker, complete_marker, read_marker
from .scan import Limits
from .tree import Tree

FULL_EVERY = 20  # generations; a byte that rots on disk is then in at most so many


@dataclass(frozen=True)
class Taken:
    """What a snapshot did. `generation` is the newest whole one, None when there is none.

    `created` is false when nothing had changed. `skipped` names what was left out (`unnamed`: how
    many more), `unstable` the files that changed all the while they were read; their copies may
    mix old and new.
    """

    generation: int | None
    created: bool
    files: int = 0
    bytes: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    unnamed: int = 0
    unstable: list[str] = field(default_factory=list)


def take(
    hot: HotMemory,
    reason: str,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    full_every: int = FULL_EVERY,
    thorough: bool = False,
    lock_timeout: float = LOCK_TIMEOUT,
) -> Taken:
    """Make a generation of what is in RAM, unless nothing changed since the newest one.

    Every `full_every` generations one shares no copies with those before it. `thorough` compares
    all content, whatever the times say: for a snapshot after which the RAM may go.

    Raises Conflict (`memory_not_restored`) when the directory in RAM is not whole, Conflict
    (`snapshot_damaged`) when what was written can't be read, StorageFull, RuntimeUnavailable
    (`locked`), OSError; the older generations are unharmed then.
    """
    with storage_full("No snapshot was taken"), locked(hot.lock, lock_timeout):
        marker = complete_marker(hot)
        if marker is None:
            raise Conflict(
                "Hot memory is not restored yet: no snapshot is taken of it.",
                "memory_not_restored",
            )
        hot.remove_leftovers()
        return _take(hot, marker, reason, limits, full_every, thorough)


def release(
    hot: HotMemory, in_use: Callable[[], bool], *, lock_timeout: float = LOCK_TIMEOUT
) -> tuple[Taken, bool]:
    """Take a thorough snapshot, read it back and free the RAM: (that snapshot, whether it is free).

    It stays when something in it can't be kept on disk, in the middle of a restore, or when it is
    `in_use`: asked when the marker is gone, so that who starts to use it either is seen or waits.
    Raises as `take`; the RAM stays then.
    """
    with storage_full("Hot memory stays in RAM"), locked(hot.lock, lock_timeout):
        marker = read_marker(hot)
        if marker is not None and marker.state == RESTORING:
            # A restore was interrupted: the next one keeps what is there.
            return Taken(None, False), False
        taken = Taken(None, False)
        hot.remove_leftovers()
        if marker is not None and marker.state == COMPLETE:  # nothing else is worth its RAM
            taken = _take_verified(hot, marker)
            if taken.skipped or taken.unnamed:
                return taken, False
        aside = hot.marker.with_name(f".{hot.marker.name}.aside.tmp")  # goes with the next marker
        aside.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            os.rename(hot.marker, aside)
        stays = True
        try:
            stays = in_use()
        finally:
            if stays:
                with suppress(FileNotFoundError):
                    os.rename(aside, hot.marker)
        if stays:
            return taken, False
        remove_tree(hot.ram)
        aside.unlink(missing_ok=True)
    return taken, True


def _take_verified(hot: HotMemory, marker: Marker) -> Taken:
    """A thorough snapshot of which every copy was read; a full one where the disk has damage."""
    for full_every in (FULL_EVERY, 0):
        taken = _take(hot, marker, "release", full_every=full_every, thorough=True)
        if taken.generation is None or _is_whole(hot, taken.generation):
            return taken
    raise Conflict(f"Snapshot {taken.generation} is damaged as soon as it is written.", DAMAGED)


def _is_whole(hot: HotMemory, number: int) -> bool:
    try:
        return not verify(hot.disk, number)
    except Conflict:
        return False


def take_locked(hot: HotMemory, marker: Marker, reason: str) -> Taken:
    """As a thorough `take`, by who holds the lock and knows that the directory may be kept."""
    return _take(hot, marker, reason, thorough=True)


def _take(
    hot: HotMemory,
    marker: Marker,
    reason: str,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    full_every: int = FULL_EVERY,
    thorough: bool = False,
) -> Taken:
    """The snapshot itself, with `full_every` 0 in any case; the caller holds the lock."""
    remove_leftovers(hot.disk)
    with newest_whole(hot.disk) as previous, Tree(hot.ram) as source:
        known = Known(previous, marker.incarnation, thorough)
        try:
            left_out = LeftOut()
            if full_every and not differs(source, known, limits, left_out):
                return _unchanged(previous, left_out)
            since_full = 0
            # After a restore all is copied: some of it may have come from another generation.
            if previous is not None and previous.header.incarnation == marker.incarnation:
                since_full = previous.header.since_full + 1
            header = Header(
                generation=next_number(hot.disk),
                taken_at=utcnow(),
                root=hot.root_uuid,
                reason=reason,
                incarnation=marker.incarnation,
                since_full=since_full if since_full < full_every else 0,
            )
            return _create(hot, header, source, known, previous, limits)
        finally:
            known.clear()


def _unchanged(previous: Generation | None, left_out: LeftOut) -> Taken:
    if previous is None:
        return Taken(None, False, skipped=left_out.named, unnamed=left_out.unnamed)
    totals = previous.totals
    return Taken(
        previous.number, False, totals.files, totals.bytes, left_out.named, left_out.unnamed
    )


def _create(
    hot: HotMemory,
    header: Header,
    source: Tree,
    known: Known,
    previous: Generation | None,
    limits: Limits,
) -> Taken:
    """Build the generation of that header, sync it, read it back, rename it into place."""
    temporary = hot.disk / f"{TEMPORARY}{secrets.token_hex(8)}"
    temporary.mkdir(mode=0o700)
    try:
        with Tree(temporary) as top:
            os.mkdir(FILES, 0o700, dir_fd=top.fd)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            manifest = os.open(NAME, flags, 0o400, dir_fd=top.fd)
            try:
                writer = Writer(manifest, header)
                shared = previous if header.since_full else None
                build = _copied(source, top, writer, known, shared, limits)
                writer.finish(build.totals)
                sync_tree(top)
                read_back(manifest, build.totals)
            finally:
                os.close(manifest)
        os.rename(temporary, hot.disk / directory_name(header.generation))
    except BaseException as error:
        remove_tree(temporary)
        if isinstance(error, Damaged):  # nobody could read it: better no snapshot, and loudly
            raise Conflict(f"No snapshot was taken: {error}.", DAMAGED) from None
        raise
    fsync_directory(hot.disk)
    totals = build.totals
    return Taken(
        header.generation,
        True,
        totals.files,
        totals.bytes,
        build.left_out.named,
        build.left_out.unnamed,
        build.unstable,
    )


def _copied(
    source: Tree,
    top: Tree,
    writer: Writer,
    known: Known,
    shared: Generation | None,
    limits: Limits,
) -> Build:
    """Fill `files/` and the manifest; what did not change is shared with `shared`."""
    with ExitStack() as stack:
        previous = None
        if shared is not None:
            previous = stack.enter_context(shared.files())
        target = stack.enter_context(Tree(FILES, dir_fd=top.fd))
        build = Build(source, target, writer, known, previous)
        build.run(limits)
    return build


def thin(
    hot: HotMemory,
    keep: int = 10,
    now: datetime | None = None,
    lock_timeout: float = LOCK_TIMEOUT,
) -> list[int]:
    """Delete the generations that `surplus` names and return their numbers.

    Raises RuntimeUnavailable (`locked`), OSError.
    """
    with locked(hot.lock, lock_timeout):
        remove_leftovers(hot.disk)
        # The newest are to be what they say, before anything is given up for them.
        doomed = surplus(list_generations(hot.disk, max(keep, 1)), keep, now or utcnow())
        for number in doomed:
            delete(hot.disk, number)
    return doomed
