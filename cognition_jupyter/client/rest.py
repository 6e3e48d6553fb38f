"""Requests and their answers: one place for tokens, addresses and errors."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from .errors import ClientError, from_answer
from .shapes.base import Answer

CONNECT_SECONDS = 10.0
T = TypeVar("T", bound=Answer)


class Rest:
    """What the calls of all nouns stand on. To be closed; `async with` does."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        timeout: float = 300.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """`url`: the server's base URL, in JupyterHub `…/user/NAME`. `timeout`: seconds without
        a byte of an answer; a container that starts or a repository that is cloned takes its time.
        Raises ValueError for what is no URL of a server.
        """
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no URL that begins with http:// or https://.")
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"token {token}"} if token else {}
        self._ssl = ssl_context or ssl.create_default_context()
        self._http = httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(timeout, connect=CONNECT_SECONDS),
            verify=self._ssl,
            # A proxy or password from the environment would get the token, or replace it.
            trust_env=False,
        )

    async def close(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A successful answer. Raises ClientError for any other, and for none."""
        try:
            answer = await self._http.request(
                method,
                self.url + path,
                params=_query(query or {}),
                json=body,
                content=content,
                headers=headers,
            )
        except httpx.HTTPError as error:
            raise unreachable(self.url, error) from error
        if not answer.is_success:
            raise from_answer(answer.status_code, answer.content)
        return answer

    async def _call(self, shape: type[T], method: str, path: str, **request: Any) -> T:
        """As `_send`; the answer as `shape`."""
        return parse(shape, (await self._send(method, path, **request)).content)

    @asynccontextmanager
    async def _stream(self, path: str, query: Mapping[str, Any]) -> AsyncIterator[httpx.Response]:
        """A successful answer to a GET, its body still to come."""
        try:
            async with self._http.stream("GET", self.url + path, params=_query(query)) as answer:
                if not answer.is_success:
                    raise from_answer(answer.status_code, await answer.aread())
                yield answer
        except httpx.HTTPError as error:
            raise unreachable(self.url, error) from error


def unreachable(url: str, error: Exception) -> ClientError:
    """Nothing, or not all of it, was answered."""
    detail = str(error) or type(error).__name__
    return ClientError(f"No whole answer came from {url}: {detail}.", "unreachable")


def parse(shape: type[T], document: bytes) -> T:
    """An answer as `shape`. Raises ClientError: the address is that of something else."""
    try:
        return shape.model_validate_json(document)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]["msg"]
        message = f"The answer is not what this call is answered with: {problem}."
        raise ClientError(message, "unexpected_answer") from error


def part(name: str) -> str:
    """`name` as one part of a path, whatever is in it. Raises ValueError."""
    if name in ("", ".", ".."):
        raise ValueError(f"{name!r} can't be part of an address.")
    return quote(name, safe="")


def virtual(path: str | bytes) -> str:
    """A virtual path such as `/memories/hot/plan.md` for an address. Raises ValueError.

    Bytes, or a string with surrogate escapes, for names that are not UTF-8.
    """
    raw = os.fsencode(path).strip(b"/")
    # They would be resolved on the way, and another file be meant.
    if any(name in (b"", b".", b"..") for name in raw.split(b"/")):
        raise ValueError(f"{path!r} is no virtual path.")
    return quote(raw, safe="/")


def _query(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None; booleans as the server spells them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in fields.items()
        if value is not None
    }
