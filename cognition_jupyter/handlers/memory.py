"""REST for what a project remembers, by virtual paths."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote_from_bytes

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from ..exceptions import InvalidInput
from ..memory.paths import encode_path
from ..memory.shapes import Content, Written
from .base import CognitionHandler
from .projects import ID


class RoutesHandler(CognitionHandler):
    """`/api/projects/{id}/memory`."""

    @web.authenticated
    @authorized
    async def get(self, project_id: str) -> None:
        """List the routes, with what is in them."""
        session_id = self.get_query_argument("session_id", None)
        self.answer(await self.app.memories.overview(project_id, session_id))


class MemoryHandler(CognitionHandler):
    """`/api/projects/{id}/memory/{virtual path}`."""

    _etag: str | None = None

    @property
    def max_body_bytes(self) -> int:
        """A file is larger than a document."""
        return self.app.cognition.memory_settings.memory_file_limit

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Called by tornado for parts of the path, too: names of files need not be UTF-8."""
        return os.fsdecode(value) if name is None else super().decode_argument(value, name)

    def compute_etag(self) -> str | None:
        """Called by tornado, which answers 304 when the client has it."""
        return self._etag

    @property
    def content_security_policy(self) -> str:
        """What comes from a project runs nothing, wherever a browser shows it."""
        return super().content_security_policy + "; sandbox"

    @property
    def _session_id(self) -> str | None:
        return self.get_query_argument("session_id", None)

    @web.authenticated
    @authorized
    async def get(self, project_id: str, path: str) -> None:
        """List a directory, or send a file."""
        self.check_xsrf_cookie()  # no page of another site may include a project's files
        found = await self.app.memories.get(project_id, f"/{path}", self._session_id)
        if isinstance(found, Content):
            self._send(found)
        else:
            self.answer(found)

    def _send(self, content: Content) -> None:
        self._etag = content.etag
        name = quote_from_bytes(os.fsencode(content.path.rpartition("/")[2]), safe="")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        self.finish(content.data, set_content_type="application/octet-stream")

    @web.authenticated
    @authorized
    async def put(self, project_id: str, path: str) -> None:
        """Put a file there as a whole."""
        none_match = self.request.headers.get("If-None-Match")
        if none_match not in (None, "*"):
            raise InvalidInput("If-None-Match of a PUT may only be *.")
        written: Written = await self.app.memories.put(
            project_id,
            f"/{path}",
            self.whole_body(),
            self._session_id,
            self.request.headers.get("If-Match"),
            none_match == "*",
        )
        self.set_header("ETag", written.etag)
        encoded = encode_path(written.path)
        document = {"path": encoded, "size": written.size, "etag": written.etag}
        if written.created:
            location = url_path_join(self.base_url, "api/projects", project_id, "memory", encoded)
            self.set_header("Location", location)
        self.answer(document, 201 if written.created else 200)

    @web.authenticated
    @authorized
    async def delete(self, project_id: str, path: str) -> None:
        """Remove a file, or a directory with all that is in it."""
        await self.app.memories.delete(project_id, f"/{path}", self._session_id)
        encoded = encode_path(f"/{path}")
        self.answer({"message": f"{encoded} was removed.", "path": encoded})


ROUTES: list[tuple[str, type[Any]]] = [
    (rf"/api/projects/{ID}/memory", RoutesHandler),
    (rf"/api/projects/{ID}/memory/(.*)", MemoryHandler),
]
