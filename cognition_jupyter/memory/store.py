"""The backend `store`: the project's directory in RAM, shared by its sessions, snapshotted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..exceptions import TooLarge
from .directory import Directory, Parts
from .shapes import MIB, Limits
from .walk import Budget, count

_SECONDS = 30.0  # for counting, which ends with the entries long before


class StoreBackend:
    """Not durable: snapshots are what makes it last. Limited, as RAM is."""

    def __init__(
        self,
        hot: Path,
        below: Parts,
        owner: tuple[int, int],
        limits: Limits,
        ready: Callable[[], object],
    ) -> None:
        """`hot` is the project's RAM directory, and the limit is for all that is in it.

        `ready` makes sure that it is whole, each time it is used; idle, it may leave the RAM.
        """
        self._ready = ready
        self._hot = Directory(hot)
        self._tree = Directory(hot, below, owner)
        self._limits = limits

    def tree(self) -> Directory:
        """The directory behind the route. Raises what a restore raises."""
        self._ready()
        return self._tree

    def check_room(self, old: int, new: int) -> None:
        """Raise TooLarge unless a file of `new` bytes may replace one of `old` bytes.

        Code in containers fills the directory without asking. So it is counted each time, and what
        makes it smaller is always allowed. What can't be read is not counted: a directory that its
        owner closed must not keep everybody from writing.
        """
        if new <= old:
            return
        used = count(self._hot, Budget(self._limits.visited, _SECONDS))
        limit = self._limits.hot_bytes
        if used.reason in ("limit", "time"):
            raise TooLarge(
                f"Hot memory holds more than {self._limits.visited} files and directories, too "
                "many to be counted; remove some first.",
                "hot_memory_limit",
            )
        if used.bytes - old + new > limit:
            raise TooLarge(
                f"Hot memory may hold {limit / MIB:.4g} MiB (hot_memory_limit); with this file of "
                f"{new} bytes it would be {(used.bytes - old + new) / MIB:.4g} MiB.",
                "hot_memory_limit",
            )
