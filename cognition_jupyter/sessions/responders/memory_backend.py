"""A project's memory as deepagents' backend protocol sees it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeVar, cast

from deepagents.backends.protocol import (
    BackendProtocol,
    DeleteResult,
    EditResult,
    FileData,
    FileDownloadResponse,
    FileInfo,
    FileUploadResponse,
    GlobResult,
    GrepMatch,
    GrepResult,
    LsResult,
    ReadResult,
    WriteResult,
)
from deepagents.backends.utils import _get_backend_read_file_type, normalize_read_bounds

from ...exceptions import CognitionError
from ...memory.project_memory import ProjectMemory
from ...memory.shapes import Entry, Text
from ...projects.files import in_thread, in_tree_thread

BINARY_BYTES = 500 * 1024  # of a picture or document that a model is shown, as in deepagents
EMPTY = "System reminder: File exists but has empty contents"  # deepagents' own words
R = TypeVar("R")


class MemoryBackend(BackendProtocol):
    """What is below one virtual path; deepagents' paths begin there. Errors are sentences.

    The synchronous methods wait for the disk; their twins do it in the threads of ProjectMemory.
    """

    def __init__(self, memory: ProjectMemory, top: str) -> None:
        """`top`: a route's path without its closing slash, or '' for all routes."""
        self._memory = memory
        self._now = memory.now
        self._top = top

    def _outer(self, path: str | None) -> str:
        inner = "/" + (path or "").lstrip("/")
        return self._top if self._top and inner == "/" else self._top + inner

    def _inner(self, path: str) -> str:
        return path[len(self._top) :] or "/"

    def _info(self, entry: Entry) -> FileInfo:
        info: dict[str, Any] = {
            "path": self._inner(entry.path),
            "is_dir": entry.kind == "directory",
            "size": entry.size,
        }
        if entry.modified_at:
            info["modified_at"] = entry.modified_at
        return cast("FileInfo", info)

    def ls(self, path: str) -> LsResult:
        """What is in a directory."""

        def work() -> LsResult:
            listing = self._now.ls(self._outer(path))
            return LsResult(entries=[self._info(entry) for entry in listing.entries])

        return _said(work, lambda message: LsResult(error=message))

    def read(self, file_path: str, offset: int = 0, limit: int = 2000) -> ReadResult:
        """Lines of a text; pictures and documents as a whole, in base64."""
        offset, limit = normalize_read_bounds(offset, limit)

        def work() -> ReadResult:
            path = self._outer(file_path)
            if _get_backend_read_file_type(file_path) != "text":
                return self._binary(path)
            if limit == 0:
                return ReadResult(file_data=_text(""), no_lines_requested=True)
            return _window(self._now.read_text(path, offset, limit))

        return _said(work, lambda message: ReadResult(error=message))

    def _binary(self, path: str) -> ReadResult:
        content = self._now.read(path, 0, BINARY_BYTES + 1)
        if len(content.data) > BINARY_BYTES:
            return ReadResult(error=f"{path} has more than {BINARY_BYTES} bytes and is no text.")
        data = base64.b64encode(content.data).decode("ascii")
        return ReadResult(file_data=cast("FileData", {"content": data, "encoding": "base64"}))

    def write(self, file_path: str, content: str) -> WriteResult:
        """Put a file there as a whole."""

        def work() -> WriteResult:
            self._now.write(self._outer(file_path), content)
            return WriteResult(path=file_path)

        return _said(work, lambda message: WriteResult(error=message))

    def edit(
        self, file_path: str, old_string: str, new_string: str, replace_all: bool = False
    ) -> EditResult:
        """Replace text in a file."""

        def work() -> EditResult:
            path = self._outer(file_path)
            edited = self._now.edit(path, old_string, new_string, replace_all)
            return EditResult(path=file_path, occurrences=edited.replacements)

        return _said(work, lambda message: EditResult(error=message))

    def delete(self, file_path: str) -> DeleteResult:
        """Remove a file, or a directory with all that is in it."""

        def work() -> DeleteResult:
            self._now.delete(self._outer(file_path))
            return DeleteResult(path=file_path)

        return _said(work, lambda message: DeleteResult(error=message))

    def glob(self, pattern: str, path: str | None = None) -> GlobResult:
        """Regular files that match."""

        def work() -> GlobResult:
            found = self._now.glob(pattern, self._outer(path))
            reason = None
            if found.reason:
                reason = "unreadable" if found.reason == "unreadable" else "budget"
            matches = [self._info(entry) for entry in found.files]
            return GlobResult(None, matches, found.truncated, reason)  # type: ignore[arg-type]

        return _said(work, lambda message: GlobResult(error=message))

    def grep(
        self,
        pattern: str,
        path: str | None = None,
        glob: str | None = None,
        *,
        max_count: int | None = None,
    ) -> GrepResult:
        """Lines that hold a text, literally."""

        def work() -> GrepResult:
            found = self._now.grep(pattern, self._outer(path), glob, max_count)
            matches = [
                {"path": self._inner(match.path), "line": match.line, "text": match.text}
                for match in found.matches
            ]
            return GrepResult(None, cast("list[GrepMatch]", matches), found.truncated)

        return _said(work, lambda message: GrepResult(error=message))

    def upload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Write several files, each with its own error."""
        items = self._now.upload([(self._outer(path), data) for path, data in files])
        return [
            FileUploadResponse(path, item.error)
            for (path, _), item in zip(files, items, strict=True)
        ]

    def download_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Read several files, each with its own error."""
        items = self._now.download([self._outer(path) for path in paths])
        return [
            FileDownloadResponse(path, item.content, item.error)
            for path, item in zip(paths, items, strict=True)
        ]

    async def als(self, path: str) -> LsResult:  # noqa: D102
        return await in_thread(self.ls)(path)

    async def aread(self, file_path: str, offset: int = 0, limit: int = 2000) -> ReadResult:  # noqa: D102
        return await in_thread(self.read)(file_path, offset, limit)

    async def awrite(self, file_path: str, content: str) -> WriteResult:  # noqa: D102
        return await in_thread(self.write)(file_path, content)

    async def aedit(  # noqa: D102
        self, file_path: str, old_string: str, new_string: str, replace_all: bool = False
    ) -> EditResult:
        return await in_thread(self.edit)(file_path, old_string, new_string, replace_all)

    async def adelete(self, file_path: str) -> DeleteResult:  # noqa: D102
        return await in_thread(self.delete)(file_path)

    async def aglob(self, pattern: str, path: str | None = None) -> GlobResult:  # noqa: D102
        return await in_tree_thread(self.glob)(pattern, path)

    async def agrep(  # noqa: D102
        self,
        pattern: str,
        path: str | None = None,
        glob: str | None = None,
        *,
        max_count: int | None = None,
    ) -> GrepResult:
        return await in_tree_thread(self.grep)(pattern, path, glob, max_count=max_count)

    async def aupload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:  # noqa: D102
        return await in_thread(self.upload_files)(files)

    async def adownload_files(self, paths: list[str]) -> list[FileDownloadResponse]:  # noqa: D102
        return await in_thread(self.download_files)(paths)


def _said(work: Callable[[], R], failed: Callable[[str], R]) -> R:
    """What `work` answers; an error of memory is one of its result."""
    try:
        return work()
    except CognitionError as error:
        return failed(error.message)


def _text(content: str) -> FileData:
    return cast("FileData", {"content": content, "encoding": "utf-8"})


def _window(text: Text) -> ReadResult:
    if text.start_line is None:
        return ReadResult(file_data=_text(EMPTY))
    return ReadResult(
        # Edits find "\n" in such a file again, see Operations.edit.
        file_data=_text(text.text.replace("\r\n", "\n")),
        total_lines=text.total_lines,
        start_line=text.start_line,
        end_line=text.end_line,
        next_offset=text.next_offset,
    )
