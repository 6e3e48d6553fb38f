"""What all handlers share: bounded JSON bodies in, one JSON shape of errors out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from http.client import responses
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import ensure_async
from tornado import web

from ..exceptions import CognitionError, InvalidInput, TooLarge

if TYPE_CHECKING:
    from ..app import CognitionApp

MAX_BODY_BYTES = 1 << 20
MAX_SENTENCE = 1000


@web.stream_request_body
class CognitionHandler(APIHandler):
    """Base of every REST handler. Errors are `{"message": sentence, "error": machine_code}`."""

    auth_resource = "cognition"

    def initialize(self) -> None:
        """Called by tornado before everything else."""
        self._body = bytearray()
        self._body_size = 0
        self._prepared = False

    @property
    def max_body_bytes(self) -> int:
        """What a body may have."""
        return MAX_BODY_BYTES

    @property
    def app(self) -> CognitionApp:
        """The extension that this request is served by."""
        app: CognitionApp = self.settings["cognition"]
        return app

    # Polling a panel must not keep a server from being culled as idle.
    @property
    def _track_activity(self) -> bool:  # type: ignore[override]
        return self.request.method not in ("GET", "HEAD", "OPTIONS")

    async def prepare(self) -> None:  # type: ignore[override]
        """Called by tornado before the body is read. Raises HTTPError for who may not come in."""
        await super().prepare()
        self._prepared = True

    async def require(self, action: str) -> None:
        """Ask the authorizer about more than the verb stands for. Raises HTTPError 403."""
        allowed = self.authorizer.is_authorized(self, self.current_user, action, self.auth_resource)
        if not await ensure_async(allowed):
            raise web.HTTPError(403)

    # -- in --------------------------------------------------------------------------------

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body; what is beyond the limit is read and thrown away.

        Thrown away rather than cut off, so that the client gets to read the answer.
        """
        self._body_size += len(chunk)
        if self._body_size <= self.max_body_bytes:
            self._body += chunk

    def whole_body(self) -> bytes:
        """The body. Raises TooLarge."""
        most = self.max_body_bytes
        if self._body_size > most:
            raise TooLarge(f"The body may have {most} bytes, it has {self._body_size}.")
        return bytes(self._body)

    def json_body(self, default: object = None) -> Any:
        """The body as JSON; `default` for none. Raises InvalidInput, TooLarge.

        Strict: what other readers of JSON refuse or take for something else is refused here, too.
        """
        body = self.whole_body()
        if not body.strip():
            return default
        try:
            return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse)
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
        if not re.fullmatch("[0-9]{1,18}", value) or int(value) > largest:
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
        status = error.status if isinstance(error, CognitionError) else status_code
        super().send_error(status, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The one place where errors become JSON."""
        error = kwargs.get("exc_info", (None, None))[1]
        phrase = responses.get(status_code, "Unknown error")
        message, code = phrase + ".", phrase.lower().replace(" ", "_")
        if isinstance(error, CognitionError):
            message, code = error.message, error.code
        elif isinstance(error, web.HTTPError) and error.log_message and status_code < 500:
            # Not for a fault of the server: what it says is for the log.
            message = (error.log_message % error.args).rstrip(".") + "."
        if not self._prepared:
            # Tornado reads no body then and closes: say so, or a next request would be lost.
            self.set_header("Connection", "close")
        if status_code == 405:
            self.set_header("Allow", ", ".join(_verbs(type(self))))
        self.finish(json.dumps({"message": _one_line(message), "error": code}))

    def log_exception(self, *error: Any) -> None:
        """Our own errors are answers, not faults: no traceback."""
        if isinstance(error[1], CognitionError):
            message = _one_line(error[1].message)
            self.log.info("%s %s: %s", self.request.method, self.request.path, message)
        else:
            super().log_exception(*error)


class NotFoundHandler(CognitionHandler):
    """What lies below our paths and is no route: JSON like everything else there."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Refuse."""
        raise web.HTTPError(404)

    head = post = put = patch = delete = get


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise InvalidInput("The body holds a key twice in one object.", "invalid_json")
    return made


def _refuse(constant: str) -> None:
    raise InvalidInput(f"The body holds {constant}, which JSON does not know.", "invalid_json")


def _verbs(handler: type[web.RequestHandler]) -> Iterable[str]:
    missing = web.RequestHandler._unimplemented_method
    for verb in handler.SUPPORTED_METHODS:
        if getattr(handler, verb.lower()) is not missing:
            yield verb


def _one_line(message: str) -> str:
    """`message` without what would break a log or a terminal; parts of it can be the client's."""
    if len(message) > MAX_SENTENCE:
        message = message[:MAX_SENTENCE] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in message)
