"""What all handlers share: bounded JSON bodies in, one JSON shape of errors out."""

from __future__ import annotations

import json
from http.client import responses
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from ..exceptions import CognitionError, InvalidInput, TooLarge

if TYPE_CHECKING:
    from ..app import CognitionApp

MAX_BODY_BYTES = 1 << 20


@web.stream_request_body
class CognitionHandler(APIHandler):
    """Base of every REST handler. Errors are `{"message": sentence, "error": machine_code}`."""

    auth_resource = "cognition"

    def initialize(self) -> None:
        """Called by tornado before everything else."""
        self._body = bytearray()
        self._body_size = 0

    @property
    def app(self) -> CognitionApp:
        """The extension that this request is served by."""
        app: CognitionApp = self.settings["cognition"]
        return app

    # Polling a panel must not keep a server from being culled as idle.
    @property
    def _track_activity(self) -> bool:  # type: ignore[override]
        return self.request.method not in ("GET", "HEAD", "OPTIONS")

    # -- in --------------------------------------------------------------------------------

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body; what is beyond the limit is read and thrown away.

        Thrown away rather than cut off, so that the client gets to read the answer.
        """
        self._body_size += len(chunk)
        if self._body_size <= MAX_BODY_BYTES:
            self._body += chunk

    def json_body(self, default: object = None) -> Any:
        """The body as JSON; `default` for none. Raises InvalidInput, TooLarge."""
        if self._body_size > MAX_BODY_BYTES:
            raise TooLarge(f"The body may have {MAX_BODY_BYTES} bytes, it has {self._body_size}.")
        if not self._body.strip():
            return default
        try:
            return json.loads(bytes(self._body).decode())
        except (ValueError, RecursionError):
            raise InvalidInput("The body is not JSON in UTF-8.", "invalid_json") from None

    def boolean(self, name: str) -> bool:
        """A query argument that is true or false; false when it is missing."""
        value = self.get_query_argument(name, "false")
        if value not in ("true", "false"):
            raise InvalidInput(f"{name} must be true or false.")
        return value == "true"

    def whole_number(self, name: str, default: int, largest: int) -> int:
        """A query argument from 0 to `largest`."""
        value = self.get_query_argument(name, str(default))
        if not value.isascii() or not value.isdigit() or not int(value[:20]) <= largest:
            raise InvalidInput(f"{name} must be a whole number from 0 to {largest}.")
        return int(value)

    # -- out -------------------------------------------------------------------------------

    def answer(self, document: object, status: int = 200) -> None:
        """Finish with `document` as JSON."""
        self.set_status(status)
        self.finish(json.dumps(document))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Called by tornado for whatever a handler raised."""
        error = kwargs.get("exc_info", (None, None))[1]
        super().send_error(getattr(error, "status", status_code), **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The one place where errors become JSON."""
        error = kwargs.get("exc_info", (None, None))[1]
        code = responses.get(status_code, "error").lower().replace(" ", "_")
        message = responses.get(status_code, "Unknown error") + "."
        if isinstance(error, CognitionError):
            message, code = error.message, error.code
        elif isinstance(error, web.HTTPError) and (error.log_message or error.reason):
            message = str(error.log_message or error.reason)
        self.finish(json.dumps({"message": message, "error": code}))

    def log_exception(self, *error: Any) -> None:
        """Our own errors are answers, not faults: no traceback."""
        if isinstance(error[1], CognitionError):
            self.log.info("%s %s: %s", self.request.method, self.request.path, error[1].message)
        else:
            super().log_exception(*error)
