"""`openapi.yaml` is valid and says what the routes, the models and a real server do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from cognition_jupyter.exceptions import InvalidInput
from cognition_jupyter.models import (
    CreateProject,
    DuplicateProject,
    ExtendProject,
    PatchProject,
    Request,
    StartSession,
    TrustProject,
    parse,
)
from cognition_jupyter.projects.naming import PREFIX, PROJECT_ID

from .api import Api
from .contract import DOCUMENT, described, resolve, schema_of, served, validator

MODELS = (CreateProject, PatchProject, ExtendProject, TrustProject, DuplicateProject, StartSession)
# Null is for what can be nothing; the handlers refuse it for the rest.
NEVER_NULL = {PatchProject: {"description", "tags", "network_mode", "keep_packages"}}


def test_it_is_valid() -> None:
    validate(DOCUMENT)


def test_it_describes_exactly_the_routes_that_are_served() -> None:
    paths = {(verb, re.sub(r"\{[a-z_]+\}", "{}", path)) for verb, path in described()}
    assert paths == served()


def test_every_operation_has_a_name_a_summary_and_its_errors() -> None:
    operations = list(described().values())
    assert len({o["operationId"] for o in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"].endswith(".") and operation["tags"]
        assert {"403", "404", "500"} <= set(operation["responses"])


def test_nothing_in_it_is_unused() -> None:
    text = str(DOCUMENT)
    for kind in ("schemas", "responses", "parameters", "headers"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}'" in text, f"{kind}/{name} is not used"


def test_ids_and_prefixes_have_the_store_s_patterns() -> None:
    prefix = schema_of("CreateProject")["properties"]["user_prefix"]["pattern"]
    assert prefix == f"^{PREFIX.pattern}$"
    plain = PROJECT_ID.pattern.replace("(", "").replace(")", "")
    assert schema_of("ProjectId")["pattern"] == f"^{plain}$"


# -- requests ------------------------------------------------------------------------------


def bare(schema: Any) -> Any:
    """A schema without what only people read."""
    if isinstance(schema, dict):
        words = ("title", "description", "pattern")
        return {k: bare(v) for k, v in schema.items() if k not in words or isinstance(v, dict)}
    return [bare(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("model", MODELS)
def test_requests_are_described_as_the_models_take_them(model: type[Request]) -> None:
    taken = model.model_json_schema()
    described = schema_of(model.__name__)
    assert described["additionalProperties"] is taken["additionalProperties"] is False
    assert described.get("required") == taken.get("required")
    assert set(described["properties"]) == set(taken["properties"])
    for name, field in taken["properties"].items():
        expected = bare(field)
        if model is PatchProject:
            expected.pop("default")  # left out, it stays as it is
        if name in NEVER_NULL.get(model, ()):
            (expected,) = (s for s in expected.pop("anyOf") if s != {"type": "null"})
        assert bare(described["properties"][name]) == expected, name


VALUES: dict[str, list[Any]] = {
    "user_prefix": ["a", "my-api", "A", "", "1a", "a" * 32, "a" * 33, 7, None],
    "template": [None, "python-package", "", "t" * 257, 7, {}],
    "network_mode": ["OFF", "ON", "off", "BANANA", "", None, True, 7],
    "repo_url": ["https://example.org/x", "h" * 2048, "h" * 2049, None, 7],
    "agent_model": ["m", "", "m" * 256, "m" * 257, None, 7],
    "container_image": ["i", "", "i" * 256, "i" * 257, None, []],
    "agent_backend_routes": [None, {}, {"/notes/": "store"}, "x", []],
    "keep_packages": [True, False, None, "true", 1, 0],
    "tags": [[], ["a"], ["a"] * 32, ["a"] * 33, [""], ["a" * 64], ["a" * 65], [7], "hello", None],
    "description": ["", "d" * 2000, "d" * 2001, None, 7, ["d"]],
    "cleanup_after_days": [1, 3650, 0, 3651, -5, 1.5, "7", True, None],
    "memory": [True, False, None, "true", 1],
    "days": [1, 3650, 0, 3651, -5, 1.5, "7", True],
    "pin": [True, False, "false", 0],
    "trusted": [True, False, "true", 1, None],
    "unknown": [1],
}


@pytest.mark.parametrize("model", MODELS)
def test_models_and_schemas_take_and_refuse_the_same(model: type[Request]) -> None:
    check = validator(schema_of(model.__name__))
    rest = {"user_prefix": "a"} if model is CreateProject else {}
    whole = [None, [], "x", 7, {}] if model is not ExtendProject else [None, [], "x", 7]
    bodies = [{**rest, name: value} for name, values in VALUES.items() for value in values]
    for body in [*bodies, *whole]:
        try:
            request = parse(model, body)
            nulls = NEVER_NULL.get(model, set()) & request.model_fields_set
            taken = all(getattr(request, name) is not None for name in nulls)
            prefix = getattr(request, "user_prefix", None)
            if prefix is not None:
                taken = taken and PREFIX.fullmatch(prefix) is not None
        except InvalidInput:
            taken = False
        assert check.is_valid(body) is taken, body


# -- answers -------------------------------------------------------------------------------


def test_every_operation_succeeds_and_fails_as_described(api: Api) -> None:
    walk = Api(api.server)
    project_id = walk.create("walk", tags=["a"], description="d")
    path = f"/api/projects/{project_id}"
    session = walk.call("POST", f"{path}/sessions", 201, json={})
    one = f"{path}/sessions/{session['session_id']}"
    walk.refuse("DELETE", path, 409, "active_sessions")
    assert walk.call("GET", path)["status"] == "active"
    assert walk.call("GET", "/health")["sessions_active"] >= 1
    walk.call("GET", one)
    assert walk.call("GET", f"{one}/usage")["processes"] >= 1
    assert session in walk.call("GET", "/api/projects/sessions")["sessions"]
    assert walk.call("DELETE", one)["reason"] == "client"
    walk.call("GET", f"{path}/sessions")
    assert walk.call("GET", f"{one}/events") == {"events": [], "last_seq": 0}
    walk.call("GET", "/api/sessions/resumable")
    assert walk.call("GET", "/api/templates")["total"] >= 3
    walk.call("PATCH", path, json={"description": "new"})
    walk.call("POST", f"{path}/extend", json={"days": 1, "pin": True})
    walk.call("POST", f"{path}/unpin")
    walk.call("POST", f"{path}/trust", json={"trusted": False})
    memory(walk, path)
    assert walk.call("GET", f"{path}/usage")["totals"]["sessions"] == 1
    walk.call("POST", f"{path}/duplicate", 201, json={"memory": False})
    archive = api.server.request("GET", f"{path}/archive?deps=true")
    assert archive.status_code == 200
    walk.seen.add("export_project")
    walk.call("POST", "/api/projects/import", 201, data=archive.content)
    walk.call("DELETE", path)
    walk.call("POST", f"{path}/restore")
    walk.refuse("POST", f"{path}/restore", 409, "project_exists")
    assert set(walk.call("POST", "/api/projects/cleanup?dry_run=true")) >= {"trashed", "warned"}
    walk.call("DELETE", path)
    walk.call("GET", path)
    walk.call("DELETE", f"{path}?permanent=true")
    for status in ("active", "idle", "resumable", "pinned", "trashed", "broken"):
        walk.call("GET", f"/api/projects?status={status}")
    assert walk.seen == {operation["operationId"] for operation in described().values()}

    gone = [("GET", path), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/extend")]
    gone += [("POST", f"{path}/restore"), ("POST", f"{path}/trust")]
    gone += [("POST", f"{path}/unpin"), ("GET", f"{path}/sessions"), ("POST", f"{path}/sessions")]
    gone += [("GET", one), ("DELETE", one), ("GET", f"{one}/events"), ("GET", f"{path}/memory")]
    gone += [("GET", f"{one}/usage")]
    gone += [(verb, f"{path}/memory/memories/hot/a") for verb in ("GET", "PUT", "DELETE")]
    gone += [("GET", f"{path}/snapshots"), ("POST", f"{path}/snapshots")]
    gone += [("GET", f"{path}/snapshots/1"), ("GET", f"{path}/snapshots/1/diff")]
    gone += [("GET", f"{path}/usage")]
    gone += [("POST", f"{path}/snapshots/1/restore")]
    gone += [("GET", f"{path}/archive"), ("POST", f"{path}/duplicate")]
    for method, place in gone:
        body: dict[str, Any] = {"days": 1} if place.endswith("extend") else {}
        body = {"trusted": True} if place.endswith("trust") else body
        walk.refuse(method, place, 404, "project_not_found", json=body)
    walk.refuse("POST", "/api/projects", 400, "invalid_input", json={})
    walk.refuse("GET", "/api/projects?limit=-1", 400, "invalid_input")


def memory(walk: Api, path: str) -> None:
    """Every operation of a project's memory and its history."""
    file = f"{path}/memory/memories/hot/notes/plan.md"
    walk.call("PUT", file, 201, data=b"one\n")
    first = walk.call("POST", f"{path}/snapshots", 201)
    assert walk.call("POST", f"{path}/snapshots") == {**first, "created": False}
    walk.call("PUT", file, 200, data=b"two\n")
    second = walk.call("POST", f"{path}/snapshots", 201)["generation"]
    routes = walk.call("GET", f"{path}/memory")["routes"]
    assert [route["type"] for route in routes] == ["store", "filesystem", "state", "filesystem"]
    (entry,) = walk.call("GET", f"{path}/memory/memories/hot/notes")["entries"]
    assert (entry["name"], entry["type"], entry["size"]) == ("plan.md", "file", 4)
    newest, *_ = walk.call("GET", f"{path}/snapshots")["snapshots"]
    assert newest["generation"] == second and newest["reason"] == "request"
    assert walk.call("GET", f"{path}/snapshots/{second}")["files"] == 1
    (change,) = walk.call("GET", f"{path}/snapshots/{second}/diff")["changed"]
    assert "-one\n+two\n" in change["diff"]
    walk.call("POST", f"{path}/snapshots/{first['generation']}/restore")
    walk.call("DELETE", file)
    walk.refuse("GET", f"{path}/snapshots/99", 404, "snapshot_not_found")
    walk.refuse("GET", f"{path}/memory/tmp/x", 400, "session_required")


def test_errors_have_enumerated_codes() -> None:
    for (verb, path), operation in described().items():
        for status, response in operation["responses"].items():
            if status >= "400":
                schema = resolve(response)["content"]["application/json"]["schema"]
                codes = schema["properties"]["error"]["enum"]
                assert codes == list(dict.fromkeys(codes)), (verb, path, status)
