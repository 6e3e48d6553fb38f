"""REST for projects as archives, and for copies of projects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.iostream import StreamClosedError

from ..archive.pipes import stalled
from ..exceptions import TooLarge
from ..models import DuplicateProject, Metadata, parse
from .base import CognitionHandler
from .projects import ID

_PIECES = 4  # of a body that wait to be taken, besides those in the archive's own pipe


class ArchiveHandler(CognitionHandler):
    """`/api/projects/{id}/archive`."""

    @property
    def content_security_policy(self) -> str:
        """What comes from a project runs nothing, wherever a browser shows it."""
        return super().content_security_policy + "; sandbox"

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        """Send the project as one file, while it is made."""
        self.check_xsrf_cookie()  # no page of another site may include a project's files
        deps, logs = self.boolean("deps"), self.boolean("logs")
        archives = self.app.cognition.archives
        try:
            async with aclosing(archives.export(project_id, deps, logs)) as pieces:
                async for piece in pieces:
                    if not self._headers_written:
                        self._begin(project_id)
                    self.write(piece)
                    await self._sent()
        except StreamClosedError:
            self.log.info("Archive of %s: the client went away", project_id)
        except BaseException:
            if self._headers_written:
                self._break_off()
            raise

    async def _sent(self) -> None:
        """Wait until the client has taken what was written. Raises RuntimeUnavailable.

        The archive's own thread gives up, too, but nobody hears of it as long as we wait here.
        """
        timeout = self.app.cognition.archives.stall_timeout
        flushed = asyncio.ensure_future(self.flush())
        await asyncio.wait([flushed], timeout=timeout)
        if not flushed.done():
            raise stalled(timeout)
        flushed.result()

    def _begin(self, project_id: str) -> None:
        self.set_header("Content-Type", "application/gzip")
        # An id has no characters that would have to be quoted.
        name = f'attachment; filename="{project_id}.tar.gz"'
        self.set_header("Content-Disposition", name)
        self.set_header("Cache-Control", "no-store")

    def _break_off(self) -> None:
        """End the connection instead of the answer: what came so far must not look whole."""
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.close()


class ImportHandler(CognitionHandler):
    """`/api/projects/import`. The body is unpacked while it comes."""

    def initialize(self) -> None:
        """Called by tornado before everything else."""
        super().initialize()
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES)
        self._import: asyncio.Task[Metadata] | None = None

    @property
    def max_body_bytes(self) -> int:
        """An archive is larger than a document."""
        return self.app.cognition.archives.max_body_bytes

    async def prepare(self) -> None:  # type: ignore[override]
        """Called by tornado before the body is read; who may not import is refused here."""
        await super().prepare()
        self._prepared = False
        if self.request.method == "POST":
            await self._expect()
        self._prepared = True

    @authorized
    async def _expect(self) -> None:
        """Begin to import. Raises TooLarge for a body that says it is."""
        most = self.max_body_bytes
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > most:
            raise TooLarge(f"The body may have {most} bytes, it has {length}.")
        # Without a length it ends the connection to send more.
        connection: Any = self.request.connection
        connection.set_max_body_size(most)
        taking = self.app.cognition.archives.take(self._received())
        self._import = asyncio.ensure_future(taking)
        self._import.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _received(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def data_received(self, chunk: bytes) -> None:  # type: ignore[override]
        """Pass a piece of the body on when there is room; the client waits for that.

        When the import has failed, the rest is thrown away rather than cut off, so that the
        client gets to read the answer.
        """
        if self._import is not None and not self._import.done():
            putting = asyncio.ensure_future(self._pieces.put(chunk))
            await asyncio.wait({putting, self._import}, return_when=asyncio.FIRST_COMPLETED)
            putting.cancel()

    def on_connection_close(self) -> None:
        """Called by tornado when the client is gone before its body is here."""
        super().on_connection_close()
        if self._import is not None:
            self._import.cancel()

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Answer with the new project."""
        assert self._import is not None
        putting = asyncio.ensure_future(self._pieces.put(None))
        try:
            made = await self._import
        finally:
            putting.cancel()
        project = await self.app.projects.details(made.project_id)
        self.set_header("Location", url_path_join(self.base_url, "api/projects", made.project_id))
        self.answer(project, 201)


class DuplicateHandler(CognitionHandler):
    """`/api/projects/{id}/duplicate`."""

    @web.authenticated
    @authorized
    async def post(self, project_id: str) -> None:
        """Make a new project from an old one."""
        request = parse(DuplicateProject, self.json_body({}))
        made = await self.app.cognition.archives.duplicate(project_id, request)
        project = await self.app.projects.details(made.project_id)
        self.set_header("Location", url_path_join(self.base_url, "api/projects", made.project_id))
        self.answer(project, 201)


ROUTES: list[tuple[str, type[Any]]] = [
    (r"/api/projects/import", ImportHandler),
    (rf"/api/projects/{ID}/archive", ArchiveHandler),
    (rf"/api/projects/{ID}/duplicate", DuplicateHandler),
]
