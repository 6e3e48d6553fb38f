"""What the contents API, its checkpoints and `/files/` do with files, kept inside each project."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import lru_cache, partial
from typing import IO, Any

import nbformat
from anyio.to_thread import run_sync
from jupyter_server.base.handlers import AuthenticatedFileHandler
from jupyter_server.services.contents.fileio import AsyncFileManagerMixin
from tornado.web import HTTPError

from ..exceptions import CognitionError
from . import operations
from .territory import Territory

CHUNK = 1 << 16
_CLIENTS = (FileExistsError, IsADirectoryError, NotADirectoryError)

territory_of = lru_cache(Territory)


@contextmanager
def refusals() -> Iterator[None]:
    """Our own errors as those of the contents API; a path of the host is never in the answer."""
    try:
        yield
    except CognitionError as error:
        raise HTTPError(error.status, error.message) from None
    except FileNotFoundError:
        raise HTTPError(404, "There is no such file or directory.") from None
    except OSError as error:
        status = 403 if isinstance(error, PermissionError) else 500
        status = 400 if isinstance(error, _CLIENTS) else status
        raise HTTPError(status, f"That can't be done: {error.strerror}.") from None


class ConfinedFiles(AsyncFileManagerMixin):
    """What the contents manager and its checkpoints do with files, below both."""

    root_dir: str

    @property
    def territory(self) -> Territory:
        """The server's directory."""
        return territory_of(self.root_dir)

    def _get_os_path(self, path: str) -> str:
        """Where the contents API's `path` is. Raises HTTPError where it is not allowed to lead."""
        if ".." in path.split("/"):
            raise HTTPError(403, "A path may not hold '..'.")
        plain: str = super()._get_os_path(path)  # type: ignore[no-untyped-call]
        with refusals():
            self.territory.check(plain)
        return plain

    @contextmanager
    def open(self, os_path: str, mode: str = "rb") -> Iterator[IO[bytes]]:
        """Called for every file that is read."""
        with refusals():
            fd = self.territory.open(os_path)
        with os.fdopen(fd, mode) as file:
            yield file

    async def _read_notebook(
        self,
        os_path: str,
        as_version: int = 4,
        capture_validation_error: Any = None,
        raw: bool = False,
    ) -> Any:
        """Jupyter's own would take a `.~name` for a better copy of what it can't read."""
        text, _, data = await self._read_file(os_path, "text", raw=True)  # type: ignore[misc]
        read = partial(nbformat.reads, capture_validation_error=capture_validation_error)
        try:
            notebook = await run_sync(read, text, as_version)
        except Exception as error:  # whatever nbformat meets in content that is no notebook
            raise HTTPError(400, f"That is no notebook: {type(error).__name__}.") from None
        return (notebook, data) if raw else notebook

    @contextmanager
    def atomic_writing(
        self, os_path: str, text: bool = True, encoding: str = "utf-8", **_: Any
    ) -> Iterator[IO[Any]]:
        """Called for every file that is written as a whole.

        Jupyter's own keeps a copy as `.~name` meanwhile, and would follow a link of that name.
        """
        if self.territory.of(os_path) is None:
            with super().atomic_writing(os_path, text=text, encoding=encoding) as file:
                yield file
            return
        with refusals(), operations.replacing(self.territory, os_path) as file:
            if not text:
                yield file
                return
            wrapped = io.TextIOWrapper(file, encoding=encoding, newline="\n")
            yield wrapped
            wrapped.flush()
            wrapped.detach()


class ProjectFilesHandler(AuthenticatedFileHandler):
    """`/files/`: Jupyter's own opens whatever a link leads to."""

    _file: IO[bytes] | None = None
    _status: os.stat_result

    def validate_absolute_path(self, root: str, absolute_path: str) -> str:
        """Called first. From here on, the request is about the file that was opened now."""
        path = super().validate_absolute_path(root, absolute_path)
        with refusals():
            # What was asked for: `path` can be where that leads.
            fd = territory_of(self.contents_manager.root_dir).open(absolute_path)
            self._file = os.fdopen(fd, "rb")
        self._status = os.fstat(fd)
        return path

    def on_finish(self) -> None:
        """Called when the answer has been sent."""
        if self._file is not None:
            self._file.close()
        super().on_finish()

    def get_content_size(self) -> int:
        """Bytes of the whole file."""
        return self._status.st_size

    def get_modified_time(self) -> datetime:
        """For caches."""
        return datetime.fromtimestamp(int(self._status.st_mtime), timezone.utc)

    def get_content(  # type: ignore[override]
        self, abspath: str, start: int | None = None, end: int | None = None
    ) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, in chunks."""
        assert self._file is not None
        self._file.seek(start or 0)
        left = (self._status.st_size if end is None else end) - (start or 0)
        while chunk := self._file.read(min(CHUNK, left)):
            left -= len(chunk)
            yield chunk
