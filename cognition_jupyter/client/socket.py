"""One connection to `/ws`. Tornado's client: a dependency anyway, and it waits for slow readers."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    websocket_connect,
)

from .errors import ClientError, from_answer
from .rest import CONNECT_SECONDS, parse, unreachable
from .shapes.sessions import Event

LARGEST = 32 << 20  # bytes of an event; the server writes none of more than 24 MiB
SILENCE_SECONDS = 90.0  # the server pings every 30
FAREWELL_SECONDS = 5.0


@dataclass(frozen=True)
class Connector:
    """How to connect to the server at `url`."""

    url: str
    headers: Mapping[str, str]
    ssl_context: ssl.SSLContext

    async def connect(self) -> Socket:
        """A new connection. Raises ClientError."""
        request = HTTPRequest(
            f"ws{self.url.removeprefix('http')}/ws",
            headers=dict(self.headers),
            connect_timeout=CONNECT_SECONDS,
            request_timeout=CONNECT_SECONDS,
            ssl_options=self.ssl_context if self.url.startswith("https") else None,
        )
        try:
            return Socket(await websocket_connect(request, max_message_size=LARGEST))
        except HTTPClientError as error:
            if error.code == 599:  # tornado's word for no answer
                raise unreachable(self.url, error) from error
            body = error.response.body if error.response else b""
            raise from_answer(error.code, body) from error
        except (OSError, WebSocketError) as error:
            raise unreachable(self.url, error) from error


class Socket:
    """Events in, messages out. After the end `receive` returns None and `send` raises."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self.closed = False

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message. Raises ClientError."""
        try:
            if self.closed:
                raise WebSocketClosedError
            await self._connection.write_message(json.dumps(message))
        except WebSocketClosedError:
            self.closed = True
            lost = "The connection was lost; it is not known whether the message arrived."
            raise ClientError(lost, "connection_lost") from None

    async def receive(self) -> Event | None:
        """The next event but pings; None when the connection has ended, or seems to have."""
        while not self.closed:
            try:
                text = await asyncio.wait_for(self._connection.read_message(), SILENCE_SECONDS)
            except asyncio.TimeoutError:
                text = None
            if text is None:
                self.closed = True
                break
            event = parse(Event, text if isinstance(text, bytes) else text.encode())
            if event.event != "ping":
                return event
        return None

    async def close(self) -> None:
        """Say good-bye and wait for the server's."""
        self._connection.close()
        if not self.closed:
            self.closed = True
            try:
                await asyncio.wait_for(self._drain(), FAREWELL_SECONDS)
            except asyncio.TimeoutError:
                pass

    async def _drain(self) -> None:
        while await self._connection.read_message() is not None:
            pass
