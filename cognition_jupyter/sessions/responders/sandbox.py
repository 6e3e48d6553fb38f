"""`ProjectSandbox`: a session's container as deepagents' sandbox protocol sees it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shlex
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar, cast

from deepagents.backends.protocol import (
    ExecuteResponse,
    FileDownloadResponse,
    FileInfo,
    FileUploadResponse,
    GlobResult,
    WriteResult,
)
from deepagents.backends.sandbox import BaseSandbox

from ...exceptions import CognitionError
from ...memory.project_memory import ProjectMemory
from ...memory.shapes import Item
from ...projects.files import in_thread
from .base import RunCommand

T = TypeVar("T")

_GLOB = """
import base64, glob, json, os, sys
root, pattern = (base64.b64decode(a).decode() for a in sys.argv[1:3])
found = sorted(set(glob.iglob(pattern, root_dir=root, recursive=True)))
print(json.dumps([[p, os.path.isdir(os.path.join(root, p))] for p in found[:10000]]))
"""


class ProjectSandbox(BaseSandbox):
    """Commands run in the container; files go through the project's routes, and no other way.

    Coroutines may be awaited on any loop. The synchronous twins wait for the session's loop, so
    they raise RuntimeError on it. `execute` raises CognitionError when there is no container.
    """

    def __init__(
        self,
        session_id: str,
        memory: ProjectMemory,
        run: RunCommand,
        loop: asyncio.AbstractEventLoop | None = None,
        timeout: float | None = None,
    ) -> None:
        """`loop`: where `run` may be awaited, by default the running one. `timeout` in seconds."""
        self._session_id = session_id
        self._memory = memory
        self._run = run
        self._loop = loop or asyncio.get_running_loop()
        self._timeout = timeout

    @property
    def id(self) -> str:
        """The session's id."""
        return self._session_id

    # -- commands --------------------------------------------------------------------------

    async def aexecute(self, command: str, *, timeout: int | None = None) -> ExecuteResponse:
        """Run a shell command. `timeout` in seconds; None and 0: the sandbox's own."""
        if asyncio.get_running_loop() is not self._loop:
            there = asyncio.run_coroutine_threadsafe(self._execute(command, timeout), self._loop)
            return await asyncio.wrap_future(there)
        return await self._execute(command, timeout)

    def execute(self, command: str, *, timeout: int | None = None) -> ExecuteResponse:
        """The same for threads other than the loop's."""
        return self._wait(self._execute(command, timeout))

    async def _execute(self, command: str, timeout: int | None) -> ExecuteResponse:
        result = await self._run(command, timeout or self._timeout)
        return ExecuteResponse(result.output, result.exit_code, result.truncated)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:  # it would wait for itself
            work.close()
            raise RuntimeError("On the event loop, use the asynchronous twin of this method.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # -- files -----------------------------------------------------------------------------

    def upload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Write files through the routes; `invalid_path` outside of them."""
        return [_uploaded(item) for item in self._memory.now.upload(files)]

    async def aupload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """The same as a coroutine."""
        return [_uploaded(item) for item in await self._memory.upload(files)]

    def download_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Read files through the routes; `file_not_found` outside of them."""
        items = self._memory.now.download(paths)
        if command := _readable(items):
            return _downloaded(items, self.execute(command))
        return _downloaded(items)

    async def adownload_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """The same as a coroutine."""
        items = await self._memory.download(paths)
        if command := _readable(items):
            return _downloaded(items, await self.aexecute(command))
        return _downloaded(items)

    def write(self, file_path: str, content: str) -> WriteResult:
        """Make a file; one that is there already stays as it is, which is an error."""
        try:
            self._memory.now.write(file_path, content, create_only=True)
        except CognitionError as error:
            return _not_written(file_path, error)
        return WriteResult(path=file_path)

    async def awrite(self, file_path: str, content: str) -> WriteResult:
        """The same as a coroutine."""
        return await in_thread(self.write)(file_path, content)

    # What the standard tests of sandboxes ask of a glob: paths relative to where it begins, and
    # directories, too. deepagents' own has neither any more; see `backends.Elsewhere`.

    def glob(self, pattern: str, path: str | None = None) -> GlobResult:
        """Files and directories that match in the container, at most 10,000."""
        return _globbed(self.execute(_glob_command(pattern, path)))

    async def aglob(self, pattern: str, path: str | None = None) -> GlobResult:
        """The same as a coroutine."""
        return _globbed(await self.aexecute(_glob_command(pattern, path)))


def _uploaded(item: Item) -> FileUploadResponse:
    error = "invalid_path" if item.error == "file_not_found" else item.error
    return FileUploadResponse(item.path, error)


def _readable(items: Iterable[Item]) -> str:
    """A command that prints which of the files the container's user may read; '' for no need.

    A server that is root can read all of them, but a sandbox has one answer for everybody.
    """
    paths = [item.path for item in items if item.error is None]
    if os.geteuid() != 0 or not paths:
        return ""
    tests = " ".join(shlex.quote(path) for path in paths)
    return f'for f in {tests}; do [ -e "$f" ] && ! [ -r "$f" ] && echo no || echo; done'


def _downloaded(
    items: Iterable[Item], readable: ExecuteResponse | None = None
) -> list[FileDownloadResponse]:
    denied = iter(readable.output.split("\n")) if readable else iter(())
    made = []
    for item in items:
        if item.error is None and next(denied, "") == "no":
            item = Item(item.path, error="permission_denied")
        made.append(FileDownloadResponse(item.path, item.content, item.error))
    return made


def _not_written(path: str, error: CognitionError) -> WriteResult:
    if error.code == "file_exists":
        return WriteResult(error=f"File '{path}' already exists; edit it instead.")
    return WriteResult(error=f"Failed to write file '{path}': {error.message}")


def _glob_command(pattern: str, path: str | None) -> str:
    arguments = (base64.b64encode(a.encode()).decode() for a in (path or "/", pattern))
    return f"python3 -c {shlex.quote(_GLOB)} {' '.join(arguments)}"


def _globbed(response: ExecuteResponse) -> GlobResult:
    try:
        found = json.loads(response.output)
        matches = [
            cast("FileInfo", {"path": str(path), "is_dir": bool(is_dir)}) for path, is_dir in found
        ]
    except (ValueError, TypeError):
        return GlobResult(error=f"The search failed: {response.output[:200].strip()}")
    return GlobResult(matches=matches, truncated=len(matches) >= 10_000)
