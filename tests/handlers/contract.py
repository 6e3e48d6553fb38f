"""`openapi.yaml` against what a server really answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

import cognition_jupyter.handlers
from cognition_jupyter.handlers import HANDLERS
from cognition_jupyter.handlers.base import NotFoundHandler
from cognition_jupyter.handlers.websocket import SessionsSocket

FILE = Path(cognition_jupyter.handlers.__file__).with_name("openapi.yaml")
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text())
VERBS = ("get", "post", "patch", "put", "delete", "head")


def resolve(value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        target: Any = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target
    return value


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def schema_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
    return found


def described() -> dict[tuple[str, str], dict[str, Any]]:
    """(verb, path) to operation."""
    return {
        (verb, path): operation
        for path, item in DOCUMENT["paths"].items()
        for verb, operation in item.items()
        if verb in VERBS
    }


def served() -> set[tuple[str, str]]:
    """(verb, path with `{}` for each group) of all handlers."""
    found = set()
    for pattern, handler, *_ in HANDLERS:
        path = re.sub(r"\([^()]*\)", "{}", pattern)
        for verb in VERBS:
            method = getattr(handler, verb)
            # OpenAPI has no words for a WebSocket.
            described = handler not in (NotFoundHandler, SessionsSocket)
            if method.__module__.startswith("cognition_jupyter") and described:
                found.add((verb, path))
    return found


def operation_of(method: str, path: str) -> dict[str, Any]:
    """The operation that a request belongs to, a path without parameters first."""
    path = path.partition("?")[0]
    for (verb, template), operation in sorted(
        described().items(), key=lambda item: item[0][1].count("{")
    ):
        pattern = re.escape(template).replace(re.escape("{path}"), ".*")  # slashes, too
        pattern = re.sub(r"\\{[a-z_]+\\}", "[^/]+", pattern)
        if verb == method.lower() and re.fullmatch(pattern, path):
            return operation
    raise AssertionError(f"{method} {path} is not in openapi.yaml")


def check_answer(method: str, path: str, status: int, body: Any) -> str:
    """Hold an answer against the description; returns the operation's id."""
    operation = operation_of(method, path)
    name: str = operation["operationId"]
    assert str(status) in operation["responses"], f"{name}: status {status} is not described"
    response = resolve(operation["responses"][str(status)])
    errors = [
        f"{'.'.join(map(str, error.path))}: {error.message[:300]}"
        for error in validator(response["content"]["application/json"]["schema"]).iter_errors(body)
    ]
    assert not errors, f"{name} {status}: {errors}"
    return name
