"""All of a session's files as one backend of deepagents: the routes, and the container."""

from __future__ import annotations

from deepagents.backends import CompositeBackend
from deepagents.backends.protocol import BackendProtocol, GlobResult, GrepResult, LsResult
from deepagents.backends.sandbox import BaseSandbox

from ...exceptions import InvalidInput
from ...memory.project_memory import ProjectMemory
from .memory_backend import MemoryBackend
from .sandbox import ProjectSandbox

#: Where deepagents puts what is too long for a conversation: it goes with the session.
ARTIFACTS = "/tmp/.agent"


class Elsewhere(ProjectSandbox):
    """What lies outside of the routes, in the container, as agents of deepagents 0.7 want it."""

    def glob(self, pattern: str, path: str | None = None) -> GlobResult:
        """Regular files that match; their paths are absolute."""
        return BaseSandbox.glob(self, pattern, path)

    async def aglob(self, pattern: str, path: str | None = None) -> GlobResult:
        """The same as a coroutine."""
        return await BaseSandbox.aglob(self, pattern, path)


class ProjectBackend(CompositeBackend):
    """Longest prefix wins. What lies above routes is asked of memory, which knows them all.

    deepagents would search the container's whole file system for it, routes included, and each of
    the routes again.
    """

    def __init__(self, memory: ProjectMemory, sandbox: ProjectSandbox) -> None:
        routes: dict[str, BackendProtocol] = {
            route.prefix: MemoryBackend(memory, route.path) for route in memory.routes
        }
        super().__init__(sandbox, routes, artifacts_root=ARTIFACTS)
        self._memory = memory
        self._all = MemoryBackend(memory, "")

    def _above_routes(self, path: str | None) -> bool:
        try:
            return path in (None, "/") or (
                self._memory.routes.find(path) is None and bool(self._memory.routes.below(path))
            )
        except InvalidInput:
            return False

    def ls(self, path: str) -> LsResult:
        """What is in a directory."""
        return self._all.ls(path) if self._above_routes(path) else super().ls(path)

    async def als(self, path: str) -> LsResult:
        """The same as a coroutine."""
        return await (self._all.als(path) if self._above_routes(path) else super().als(path))

    def glob(self, pattern: str, path: str | None = None) -> GlobResult:
        """Regular files that match."""
        chosen = self._all.glob if self._above_routes(path) else super().glob
        return chosen(pattern, path)

    async def aglob(self, pattern: str, path: str | None = None) -> GlobResult:
        """The same as a coroutine."""
        chosen = self._all.aglob if self._above_routes(path) else super().aglob
        return await chosen(pattern, path)

    def grep(
        self,
        pattern: str,
        path: str | None = None,
        glob: str | None = None,
        *,
        max_count: int | None = None,
    ) -> GrepResult:
        """Lines that hold a text, literally."""
        chosen = self._all.grep if self._above_routes(path) else super().grep
        return chosen(pattern, path, glob, max_count=max_count)

    async def agrep(
        self,
        pattern: str,
        path: str | None = None,
        glob: str | None = None,
        *,
        max_count: int | None = None,
    ) -> GrepResult:
        """The same as a coroutine."""
        chosen = self._all.agrep if self._above_routes(path) else super().agrep
        return await chosen(pattern, path, glob, max_count=max_count)
