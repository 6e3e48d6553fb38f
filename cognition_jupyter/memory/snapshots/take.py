"""Taking a snapshot: what is in RAM becomes a new generation on disk, if anything changed.

A generation is built beside the others, synced and renamed into place: until then it does not
exist. A first look compares with the newest generation and stops at the first difference; only
then a second one copies. Both read a tree that containers go on changing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack
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
    FILES,
    TEMPORARY,
    Generation,
    delete,
    directory_name,
    list_generations,
    newest_whole,
    numbers,
    remove_leftovers,
    surplus,
)
from .manifest import Header
from .manifest_file import NAME, Writer
from .marker import COMPLETE, HotMemory, Marker, complete_marker, write_marker
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

    Raises Conflict (`memory_not_restored`) when the directory in RAM is not whole, StorageFull,
    RuntimeUnavailable (`locked`), OSError; the older generations are unharmed then.
    """
    with storage_full("No snapshot was taken"), locked(hot.lock, lock_timeout):
        marker = complete_marker(hot)
        if marker is None:
            raise Conflict(
                "Hot memory is not restored yet: no snapshot is taken of it.",
                "memory_not_restored",
            )
        return _take(hot, marker, reason, limits, full_every, thorough)


def release(
    hot: HotMemory, in_use: Callable[[], bool], *, lock_timeout: float = LOCK_TIMEOUT
) -> Taken | None:
    """Take a thorough snapshot and free the RAM; None when it has to stay.

    It stays when something in it can't be kept on disk, or when it is `in_use`: asked when the
    marker is gone, so that who starts to use it either is seen or waits. Raises as `take`.
    """
    with storage_full("Hot memory stays in RAM"), locked(hot.lock, lock_timeout):
        marker = complete_marker(hot)
        taken = Taken(None, False)
        if marker is not None:  # what is not whole is not worth its RAM
            taken = _take(hot, marker, "release", thorough=True)
            if taken.skipped or taken.unnamed:
                return None
        hot.marker.unlink(missing_ok=True)
        if in_use():
            if marker is not None:
                write_marker(hot, marker.generation, COMPLETE)
            return None
        hot.remove_leftovers()
        remove_tree(hot.ram)
    return taken


def _take(
    hot: HotMemory,
    marker: Marker,
    reason: str,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    full_every: int = FULL_EVERY,
    thorough: bool = False,
) -> Taken:
    """The snapshot itself; the caller holds the lock."""
    hot.remove_leftovers()
    remove_leftovers(hot.disk)
    with newest_whole(hot.disk) as previous, Tree(hot.ram) as source:
        known = Known(previous, marker.incarnation, thorough)
        try:
            left_out = LeftOut()
            if not differs(source, known, limits, left_out):
                return _unchanged(previous, left_out)
            since_full = previous.header.since_full + 1 if previous else 0
            header = Header(
                generation=max(numbers(hot.disk), default=0) + 1,
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
    """Build the generation of that header, sync it, rename it into place."""
    temporary = hot.disk / f"{TEMPORARY}{secrets.token_hex(8)}"
    temporary.mkdir(mode=0o700)
    try:
        with Tree(temporary) as top:
            os.mkdir(FILES, 0o700, dir_fd=top.fd)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            manifest = os.open(NAME, flags, 0o400, dir_fd=top.fd)
            try:
                writer = Writer(manifest, header)
                shared = previous if header.since_full else None
                build = _copied(source, top, writer, known, shared, limits)
                writer.finish(build.totals)
            finally:
                os.close(manifest)
            sync_tree(top)
        os.rename(temporary, hot.disk / directory_name(header.generation))
    except BaseException:
        remove_tree(temporary)
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
        doomed = surplus(list_generations(hot.disk, check=False), keep, now or utcnow())
        for number in doomed:
            delete(hot.disk, number)
    return doomed
