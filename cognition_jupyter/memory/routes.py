"""Routes: which backend is behind which prefix of the virtual paths, and how that is configured."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from traitlets import Dict, Integer, List, TraitError, Unicode, default, validate
from traitlets.config import LoggingConfigurable

from ..exceptions import InvalidInput
from .paths import shown, split_path
from .shapes import MIB, Limits

BackendName = Literal["filesystem", "store", "state"]

WORKSPACE = "/workspace/"
HOT = "/memories/hot/"
PERSISTENT = "/memories/persistent/"
TMP = "/tmp/"

#: What every project has. Containers have these four mounted at the same paths.
DEFAULT_ROUTES: Mapping[str, BackendName] = {
    WORKSPACE: "filesystem",
    HOT: "store",
    PERSISTENT: "filesystem",
    TMP: "state",
}
# Where a route of another prefix finds its place: the first that it lies below, else the last.
_HOMES: Mapping[str, tuple[str, ...]] = {
    "filesystem": (WORKSPACE, PERSISTENT),
    "store": (HOT,),
    "state": (TMP,),
}
_INSIDE = {"repo": WORKSPACE, ".memories/persistent": PERSISTENT}

MAX_PREFIX = 256  # characters
MAX_ROUTES = 64
VARIABLE = "AGENT_BACKEND_ROUTES"


@dataclass(frozen=True)
class Route:
    """A prefix and what is behind it.

    `base` is one of the four default prefixes, whose directory this route lies in, or an absolute
    directory that the administrator allowed; `below` leads from there to the route's own.
    """

    prefix: str
    backend: BackendName
    base: str
    below: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The virtual path of the route's own directory: the prefix without its closing slash."""
        return self.prefix[:-1]


class Routes:
    """The routes of one project; the longest prefix wins, on a slash boundary."""

    def __init__(self, *configured: Iterable[Route]) -> None:
        """The defaults, changed by each of `configured` in turn: the server's, the project's."""
        routes = {prefix: Route(prefix, name, prefix) for prefix, name in DEFAULT_ROUTES.items()}
        for several in configured:
            routes |= {route.prefix: route for route in several}
        self._routes = sorted(routes.values(), key=lambda route: (-len(route.prefix), route.prefix))
        self._depths = [(r.prefix, r, r.prefix.count("/") - 1) for r in self._routes]

    def __iter__(self) -> Iterator[Route]:
        return iter(sorted(self._routes, key=lambda route: route.prefix))

    def find(self, path: str) -> tuple[Route, tuple[str, ...]] | None:
        """The route of a virtual path and the components below it; None outside all of them.

        Raises InvalidInput for what is no virtual path.
        """
        parts = split_path(path)
        closed = path if path[-1] == "/" else path + "/"
        for prefix, route, depth in self._depths:
            if closed.startswith(prefix):
                return route, parts[depth:]
        return None

    def below(self, path: str) -> list[Route]:
        """Routes whose directory lies strictly below the virtual path, in order."""
        start = path if path.endswith("/") else path + "/"
        return [r for r in self if r.prefix.startswith(start) and r.prefix != start]


def parse_routes(
    value: object, source: str, allowed_roots: Sequence[str] = ()
) -> tuple[Route, ...]:
    """Routes from configuration: an object of prefixes and backends.

    A backend is its name, or for a `filesystem` in a place of its own
    `{"type": "filesystem", "root": path}`: relative to the project and inside `repo/` or
    `.memories/persistent/`, or absolute and inside one of `allowed_roots`. Without a root a route
    lies in a directory that is named after its prefix, inside its backend's default route: the
    files of `/notes/` (filesystem) are those of `/memories/persistent/notes/`, so that code in a
    container finds them there. Nothing but the four default routes is mounted into containers
    under its own prefix; these four can therefore not be given another backend.

    `source` names the configuration in sentences. Raises InvalidInput (`invalid_routes`).
    """
    if not isinstance(value, Mapping):
        raise _wrong(source, "must be an object of prefixes and backends")
    if len(value) > MAX_ROUTES:
        raise _wrong(source, f"may have {MAX_ROUTES} routes, it has {len(value)}")
    return tuple(
        _route(prefix, given, f"{source}[{_quoted(prefix)}]", allowed_roots)
        for prefix, given in value.items()
    )


def _route(prefix: object, given: object, where: str, allowed_roots: Sequence[str]) -> Route:
    prefix, parts = _prefix(prefix, where)
    name, root = _backend(given, where)
    if prefix in DEFAULT_ROUTES:
        usual = DEFAULT_ROUTES[prefix]
        if name != usual or root is not None:
            raise _wrong(where, f"is mounted into every container as it is and stays {usual}")
        return Route(prefix, name, prefix)
    if root is not None:
        return Route(prefix, name, *_place(root, f'{where}["root"]', allowed_roots))
    for home in _HOMES[name]:
        if prefix.startswith(home):
            return Route(prefix, name, home, parts[home.count("/") - 1 :])
    return Route(prefix, name, _HOMES[name][-1], parts)


def _backend(given: object, where: str) -> tuple[BackendName, str | None]:
    """(name, root) of what stands for a backend."""
    root = None
    if isinstance(given, Mapping):
        for key in given:
            if key not in ("type", "root"):
                raise _wrong(f"{where}[{_quoted(key)}]", 'is unknown; "type" and "root" are known')
        if "root" in given:
            root = given["root"]
            if not isinstance(root, str) or not root:
                raise _wrong(f'{where}["root"]', f"must be a path, not {_quoted(root)}")
        given, where = given.get("type"), f'{where}["type"]'
    if not isinstance(given, str) or given not in _HOMES:
        raise _wrong(where, f"must be one of {', '.join(_HOMES)}, not {_quoted(given)}")
    if root is not None and given != "filesystem":
        raise _wrong(where, "must be filesystem where a root is given")
    return cast(BackendName, given), root


def _prefix(prefix: object, where: str) -> tuple[str, tuple[str, ...]]:
    if not isinstance(prefix, str) or not prefix.startswith("/") or not prefix.endswith("/"):
        raise _wrong(where, "is no prefix: it must begin and end with '/'")
    if len(prefix) > MAX_PREFIX:
        raise _wrong(where, f"is no prefix: it may have {MAX_PREFIX} characters")
    if prefix == "/":
        raise _wrong(where, "is no prefix: it must name a directory below '/'")
    if not prefix.isprintable():
        raise _wrong(where, "is no prefix: all of it must be printable")
    try:
        return prefix, split_path(prefix)
    except InvalidInput as error:
        raise _wrong(where, f"is no prefix: {error.message.rstrip('.')}") from None


def _place(root: str, where: str, allowed_roots: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """(base, below) of a root that was given."""
    try:
        parts = split_path(root if root.startswith("/") else "/" + root)
    except InvalidInput as error:
        raise _wrong(where, f"is no path: {error.message.rstrip('.')}") from None
    if root.startswith("/"):
        for allowed in sorted(allowed_roots, key=len, reverse=True):
            top = split_path(allowed)
            if parts[: len(top)] == top:
                return allowed, parts[len(top) :]
        raise _wrong(where, "must be inside a directory that allowed_roots lists")
    for inside, base in _INSIDE.items():
        top = split_path("/" + inside)
        if parts[: len(top)] == top:
            return base, parts[len(top) :]
    raise _wrong(where, "must be inside repo/ or .memories/persistent/, or absolute")


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(shown(value), ensure_ascii=False)
    return repr(value)[:100]


def _wrong(where: str, problem: str) -> InvalidInput:
    return InvalidInput(f"{where[:300]} {problem}.", "invalid_routes")


class MemorySettings(LoggingConfigurable):
    """What the administrator says about memory. A wrong value is a TraitError when it is read."""

    agent_backend_routes = Dict(
        help="Routes beside the default ones: an object of prefixes (`/notes/`) and backends, "
        'which are `filesystem`, `store`, `state` or `{"type": "filesystem", "root": path}`. '
        "A project's own routes win. Default from AGENT_BACKEND_ROUTES, as JSON."
    ).tag(config=True)
    allowed_roots = List(
        Unicode(),
        help="Absolute directories inside which a route of type `filesystem` may have its root, "
        "besides the project's own. Every project may then read and write what is in them, with "
        "the server's rights.",
    ).tag(config=True)
    hot_memory_limit = Integer(
        64 * MIB, min=0, help="Bytes of hot memory that a project may fill through the server."
    ).tag(config=True)
    memory_file_limit = Integer(
        16 * MIB, min=1, help="Bytes of one file that is read or written through a route."
    ).tag(config=True)
    snapshot_keep = Integer(
        10,
        min=1,
        max=1000,
        help="Newest snapshots of a project that are kept. Besides them, the last of each hour is "
        "kept for a day, and the last of each day for 30 days.",
    ).tag(config=True)

    def check(self) -> None:
        """Raise TraitError now for a wrong value in the environment."""
        for name in self.trait_names(config=True):
            getattr(self, name)  # a default is looked up when it is first asked for

    def routes(self, project_routes: object = None) -> Routes:
        """The routes of a project with these in its `agent_backend_routes` (None: no own ones).

        Raises InvalidInput for the project's and TraitError for the administrator's.
        """
        roots = self.allowed_roots
        server = parse_routes(self.agent_backend_routes, "agent_backend_routes", roots)
        if project_routes is None:
            return Routes(server)
        return Routes(server, parse_routes(project_routes, "agent_backend_routes", roots))

    @property
    def limits(self) -> Limits:
        """The limits of a project's memory."""
        return Limits(file_bytes=self.memory_file_limit, hot_bytes=self.hot_memory_limit)

    @default("agent_backend_routes")
    def _routes_from_environment(self) -> dict[str, Any]:
        text = os.environ.get(VARIABLE)
        if text is None:
            return {}
        try:
            value = json.loads(text, object_pairs_hook=_object)
            parse_routes(value, VARIABLE, self.allowed_roots)
        except InvalidInput as error:
            raise TraitError(error.message) from None
        except (ValueError, RecursionError):
            raise TraitError(
                f"{VARIABLE} must be a JSON object of prefixes and backends, not {text[:40]!r}."
            ) from None
        return cast("dict[str, Any]", value)

    @validate("agent_backend_routes")
    def _check_routes(self, proposal: Any) -> Any:
        try:
            parse_routes(proposal["value"], "agent_backend_routes", self.allowed_roots)
        except InvalidInput as error:
            raise TraitError(error.message) from None
        return proposal["value"]

    @validate("allowed_roots")
    def _check_allowed_roots(self, proposal: Any) -> Any:
        for number, root in enumerate(proposal["value"]):
            try:
                split_path(root)
            except InvalidInput as error:
                raise TraitError(f"allowed_roots[{number}]: {error.message}") from None
            if root in ("", "/"):
                raise TraitError(f"allowed_roots[{number}] must be a directory below '/'.")
        return proposal["value"]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise InvalidInput(f"{VARIABLE} holds a key twice in one object.")
    return made
