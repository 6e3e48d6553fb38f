"""Routes: which one a path takes, what is accepted, what is refused and how it is said."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError
from traitlets.config import Config

from cognition_jupyter.exceptions import InvalidInput
from cognition_jupyter.memory.routes import MemorySettings, Route, Routes, parse_routes

from .memory_support import fails


def settings(**traits: Any) -> MemorySettings:
    return MemorySettings(config=Config({"MemorySettings": traits}))


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENT_BACKEND_ROUTES", raising=False)


# -- which route -----------------------------------------------------------------------------


def prefix_of(routes: Routes, path: str) -> str | None:
    found = routes.find(path)
    return found[0].prefix if found else None


def test_the_longest_prefix_wins_on_a_slash_boundary() -> None:
    routes = Routes(parse_routes({"/memories/hot/plans/": "store", "/memories/": "store"}, "r"))
    for path, prefix in {
        "/memories/hot/x": "/memories/hot/",
        "/memories/hot": "/memories/hot/",
        "/memories/hot/": "/memories/hot/",
        "/memories/hotel/x": "/memories/",
        "/memories/hot/plans": "/memories/hot/plans/",
        "/memories/hot/plans/x/y": "/memories/hot/plans/",
        "/memories/hot/plansx": "/memories/hot/",
        "/memories": "/memories/",
        "/memoriesx": None,
        "/": None,
        "/etc/passwd": None,
    }.items():
        assert prefix_of(routes, path) == prefix, path
    assert routes.find("/memories/hot/plans/x/y")[1] == ("x", "y")  # type: ignore[index]
    assert prefix_of(Routes(), "/memories/hotel/x") is None


@given(
    st.sets(st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(tuple), max_size=6),
    st.lists(st.sampled_from(["a", "b", "ab"]), max_size=6),
)
def test_finding_a_route_is_as_comparing_components(
    prefixes: set[tuple[str, ...]], parts: list[str]
) -> None:
    routes = Routes(parse_routes({f"/{'/'.join(p)}/": "store" for p in prefixes}, "r"))
    fitting = [p for p in prefixes if tuple(parts[: len(p)]) == p]
    found = routes.find("/" + "/".join(parts))
    if not fitting:
        assert found is None
    else:
        longest = max(fitting, key=len)
        assert found is not None
        assert found[0].prefix == f"/{'/'.join(longest)}/"
        assert found[1] == tuple(parts[len(longest) :])


# -- configuration ---------------------------------------------------------------------------


def test_the_defaults() -> None:
    assert {route.prefix: route.backend for route in Routes()} == {
        "/workspace/": "filesystem",
        "/memories/hot/": "store",
        "/memories/persistent/": "filesystem",
        "/tmp/": "state",
    }


def test_a_project_overrides_the_server_and_keeps_the_rest() -> None:
    configured = settings(agent_backend_routes={"/notes/": "store", "/cache/": "state"})
    routes = configured.routes({"/notes/": "filesystem"})
    chosen = {route.prefix: route.backend for route in routes}
    assert chosen["/notes/"] == "filesystem"
    assert chosen["/cache/"] == "state"
    assert chosen["/memories/hot/"] == "store"
    assert {route.prefix for route in configured.routes()} - set(chosen) == set()


def test_where_a_route_without_a_root_lies() -> None:
    given = {
        "/notes/": "filesystem",
        "/workspace/data/": "filesystem",
        "/memories/hot/plans/": "store",
        "/cache/deep/": "store",
        "/scratch/": "state",
        "/memories/persistent/a/": {"type": "filesystem"},
    }
    places = {r.prefix: (r.base, r.below) for r in parse_routes(given, "r")}
    assert places == {
        "/notes/": ("/memories/persistent/", ("notes",)),
        "/workspace/data/": ("/workspace/", ("data",)),
        "/memories/hot/plans/": ("/memories/hot/", ("plans",)),
        "/cache/deep/": ("/memories/hot/", ("cache", "deep")),
        "/scratch/": ("/tmp/", ("scratch",)),
        "/memories/persistent/a/": ("/memories/persistent/", ("a",)),
    }


def test_where_a_route_with_a_root_lies() -> None:
    def place(root: str) -> tuple[str, tuple[str, ...]]:
        allowed = ["/srv/shared", "/srv/shared/team", "/data"]
        (route,) = parse_routes({"/x/": {"type": "filesystem", "root": root}}, "r", allowed)
        return route.base, route.below

    assert place("repo") == ("/workspace/", ())
    assert place("repo/docs/") == ("/workspace/", ("docs",))
    assert place(".memories/persistent/n") == ("/memories/persistent/", ("n",))
    assert place("/srv/shared/a/b") == ("/srv/shared", ("a", "b"))
    assert place("/srv/shared/team/b") == ("/srv/shared/team", ("b",))
    assert place("/data") == ("/data", ())


def root(path: object) -> dict[str, Any]:
    return {"/x/": {"type": "filesystem", "root": path}}


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (["/x/"], "routes"),
        ("filesystem", "routes"),
        (None, "routes"),
        ({"x/": "store"}, '["x/"]'),
        ({"/x": "store"}, '["/x"]'),
        ({"/": "store"}, '["/"]'),
        ({"": "store"}, '[""]'),
        ({"//": "store"}, '["//"]'),
        ({"/a//b/": "store"}, '["/a//b/"]'),
        ({"/a/../b/": "store"}, '["/a/../b/"]'),
        ({"/./": "store"}, '["/./"]'),
        ({"/a\0/": "store"}, '["/a%00/"]'),
        ({"/a\n/": "store"}, '["/a%0A/"]'),
        ({"/\udcff/": "store"}, '["/%ED%B3%BF/"]'),
        ({"/" + "a/" * 128: "store"}, "256 characters"),
        ({7: "store"}, "[7]"),
        ({"/x/": "ram"}, '["/x/"]'),
        ({"/x/": "Store"}, '["/x/"]'),
        ({"/x/": None}, '["/x/"]'),
        ({"/x/": True}, '["/x/"]'),
        ({"/x/": ["store"]}, '["/x/"]'),
        ({"/x/": {}}, '["/x/"]["type"]'),
        ({"/x/": {"type": 1}}, '["/x/"]["type"]'),
        ({"/x/": {"type": "store", "root": "repo"}}, '["/x/"]["type"]'),
        ({"/x/": {"type": "filesystem", "size": 1}}, '["/x/"]["size"]'),
        ({"/memories/hot/": "filesystem"}, '["/memories/hot/"]'),
        ({"/workspace/": {"type": "filesystem", "root": "repo/a"}}, '["/workspace/"]'),
        (root(7), '["root"]'),
        (root(None), '["root"]'),
        (root(""), '["root"]'),
        (root("repository"), '["root"]'),
        (root(".memories"), '["root"]'),
        (root(".memories/hot"), '["root"]'),
        (root("repo/../.agent"), '["root"]'),
        (root("./repo"), '["root"]'),
        (root("repo//a"), '["root"]'),
        (root("/etc"), '["root"]'),
        (root("/srv/sharedx"), '["root"]'),
        (root("/srv/shared/../x"), '["root"]'),
        ({f"/{n}/": "store" for n in range(65)}, "routes"),
    ],
)
def test_a_wrong_key_is_named_in_one_sentence(value: Any, key: str) -> None:
    with fails("invalid_routes", 400) as caught:
        parse_routes(value, "routes", ["/srv/shared"])
    message = caught.value.message
    assert key in message
    assert message.startswith("routes") and message.isprintable() and len(message) < 600
    assert not re.search(r"\. [A-Z]", message)
    project = None if value is None else value
    if project is not None:
        with pytest.raises(InvalidInput):
            settings(allowed_roots=["/srv/shared"]).routes(project)


def test_routes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"/workspace/": "filesystem", "/memories/hot/": "store", "/notes/": "store"}
    monkeypatch.setenv("AGENT_BACKEND_ROUTES", json.dumps(given))
    assert Route("/notes/", "store", "/memories/hot/", ("notes",)) in list(settings().routes())
    # What is configured wins.
    prefixes = {r.prefix for r in settings(agent_backend_routes={"/a/": "store"}).routes()}
    assert "/a/" in prefixes and "/notes/" not in prefixes


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"/x": "store"}', '{"/x/": "store", "/x/": "state"}', "[" * 9999],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("AGENT_BACKEND_ROUTES", text)
    with pytest.raises(TraitError, match="AGENT_BACKEND_ROUTES"):
        settings().routes()


@pytest.mark.parametrize(
    ("traits", "name"),
    [
        ({"agent_backend_routes": {"/x": "store"}}, r"agent_backend_routes\[\"/x\"\]"),
        ({"agent_backend_routes": root("/srv")}, "agent_backend_routes"),
        ({"allowed_roots": ["srv"]}, r"allowed_roots\[0\]"),
        ({"allowed_roots": ["/srv", "/"]}, r"allowed_roots\[1\]"),
        ({"allowed_roots": ["/srv/.."]}, r"allowed_roots\[0\]"),
        ({"hot_memory_limit": -1}, "hot_memory_limit"),
        ({"hot_memory_limit": "64"}, "hot_memory_limit"),
    ],
)
def test_a_wrong_trait_is_named(traits: dict[str, Any], name: str) -> None:
    with pytest.raises(TraitError, match=name):
        settings(**traits)


def test_limits_come_from_the_traits() -> None:
    limits = settings(hot_memory_limit=1000, memory_file_limit=10).limits
    assert (limits.hot_bytes, limits.file_bytes) == (1000, 10)
    defaults = settings().limits
    assert (defaults.hot_bytes, defaults.file_bytes) == (64 << 20, 16 << 20)
