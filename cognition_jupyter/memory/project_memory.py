"""A project's memory: its routes and backends as one tree of virtual paths, for coroutines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ..projects.files import in_thread, in_tree_thread
from ..projects.stage import ProjectPaths
from .filesystem import FilesystemBackend
from .operations import Operations
from .reading import Backend
from .routes import PERSISTENT, WORKSPACE, Route, Routes
from .shapes import (
    Content,
    Edited,
    Found,
    Item,
    Limits,
    Listing,
    Matches,
    Text,
    Usage,
    Written,
)
from .state import StateBackend, StateDirectory
from .store import StoreBackend


def writers_lock(paths: ProjectPaths) -> Path:
    """The file under which everybody who writes to a project's memory takes turns."""
    return paths.project / ".memory.lock"


class ProjectMemory:
    """The memory of one project, and with a session id that session's `state` routes, too.

    It holds nothing open: make one for a request or keep it, as you like, and use it from any loop.
    What each operation does and raises is said at the one of the same name in `reading.Reading` and
    `operations.Operations`; `now` has them all for code that runs in a thread of its own.
    """

    def __init__(
        self,
        paths: ProjectPaths,
        hot: Path,
        user: tuple[int, int],
        routes: Routes | None = None,
        limits: Limits | None = None,
        state_directory: StateDirectory = lambda session_id: None,
        session_id: str | None = None,
        ready: Callable[[], object] = lambda: None,
    ) -> None:
        """`hot`: the project's directory in RAM. `user`: (uid, gid) that files are given to.

        `state_directory`: the directory in RAM that is `/tmp` of a live session, else None.
        `ready` is called before `hot` is used and makes sure that it is whole.
        """
        self._paths = paths
        self._hot = hot
        self._user = user
        self._limits = limits or Limits()
        self._state_directory = state_directory
        self.routes = routes or Routes()
        self.session_id = session_id
        self._ready = ready
        backends = {route.prefix: self._backend(route) for route in self.routes}
        self.now = Operations(self.routes, backends, self._limits, writers_lock(paths))

    def _backend(self, route: Route) -> Backend:
        if route.backend == "store":
            return StoreBackend(self._hot, route.below, self._user, self._limits, self._ready)
        if route.backend == "state":
            return StateBackend(self._state_directory, self.session_id, route.below, self._user)
        places = {WORKSPACE: self._paths.repo, PERSISTENT: self._paths.persistent}
        top = places.get(route.base) or Path(route.base)
        return FilesystemBackend(top, route.below, self._user)

    def for_session(self, session_id: str | None) -> ProjectMemory:
        """The same memory as that session sees it."""
        return ProjectMemory(
            self._paths,
            self._hot,
            self._user,
            self.routes,
            self._limits,
            self._state_directory,
            session_id,
            self._ready,
        )

    async def ls(self, path: str) -> Listing:
        """What is in a directory, routes among it."""
        return await in_thread(self.now.ls)(path)

    async def read(self, path: str, offset: int = 0, limit: int | None = None) -> Content:
        """A file's bytes, with their ETag when it is the whole file."""
        return await in_thread(self.now.read)(path, offset, limit)

    async def read_text(self, path: str, offset: int = 0, limit: int = 2000) -> Text:
        """Lines of a file of UTF-8."""
        return await in_thread(self.now.read_text)(path, offset, limit)

    async def write(
        self,
        path: str,
        data: bytes | str,
        if_match: str | None = None,
        create_only: bool = False,
    ) -> Written:
        """Put a file there as a whole."""
        return await in_thread(self.now.write)(path, data, if_match, create_only)

    async def edit(
        self,
        path: str,
        old: str,
        new: str,
        replace_all: bool = False,
        if_match: str | None = None,
    ) -> Edited:
        """Replace text in a file."""
        return await in_thread(self.now.edit)(path, old, new, replace_all, if_match)

    async def delete(self, path: str) -> None:
        """Remove a file, or a directory with all that is in it."""
        await in_thread(self.now.delete)(path)

    async def glob(self, pattern: str, path: str = "/") -> Found:
        """Regular files that match."""
        return await in_tree_thread(self.now.glob)(pattern, path)

    async def grep(
        self, text: str, path: str = "/", glob: str | None = None, max_count: int | None = None
    ) -> Matches:
        """Lines that hold a text, literally."""
        return await in_tree_thread(self.now.grep)(text, path, glob, max_count)

    async def upload(self, files: Iterable[tuple[str, bytes]]) -> list[Item]:
        """Write several files, each with its own error."""
        return await in_thread(self.now.upload)(files)

    async def download(self, paths: Iterable[str]) -> list[Item]:
        """Read several files, each with its own error."""
        return await in_thread(self.now.download)(paths)

    async def usage(self, prefix: str) -> Usage:
        """Files and bytes behind the route of that prefix."""
        return await in_tree_thread(self.now.usage)(prefix)
