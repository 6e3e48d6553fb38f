"""The write probes of a process: each runtime and image once, before its first session."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ..projects.files import in_thread
from ..projects.root import Root
from ..projects.tree import remove_tree
from ..runtimes.base import Runtime
from ..runtimes.probe import check_mounts


class WriteProbes:
    """Knows what has passed, and where probes leave their files."""

    def __init__(self, root: Root, owner: str, user: tuple[int, int]) -> None:
        # On the projects' file system; a directory for each process, so that nobody else tidies
        # up while a probe runs.
        self._place = root.private / "probes"
        self._owner = owner
        self._user = user
        self._passed: set[tuple[str, str]] = set()
        self.running: set[tuple[str, str]] = set()

    async def check(self, runtime: Runtime, image: str) -> None:
        """Probe, unless that has been done. Raises RuntimeUnavailable."""
        key = runtime.name, image
        # No asyncio object is kept for it: without a server, loops come and go.
        while key in self.running:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if not runtime.guarantees.isolated or key in self._passed:
            return
        self.running.add(key)
        try:
            place = await in_thread(self._make_place)()
            await check_mounts(runtime, place, self._owner, self._user, image)
        finally:
            self.running.discard(key)
        self._passed.add(key)

    def _make_place(self) -> Path:
        place = self._place / self._owner
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place

    def owners(self) -> list[str]:
        """Processes that have probed in this root; waits for the disk."""
        return [path.name for path in self._place.iterdir()] if self._place.exists() else []

    def remove_owner(self, owner: str) -> None:
        """Remove what the probes of a process left; waits for the disk."""
        if (self._place / owner).exists():
            remove_tree(self._place / owner)
