"""The REST operations and their schemas, from the OpenAPI file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import cognition_jupyter.handlers

from .markdown import code, one_line, table
from .schema import fields, type_of

FILE = Path(cognition_jupyter.handlers.__file__).with_name("openapi.yaml")
VERBS = ("get", "post", "put", "patch", "delete")


def operations() -> str:
    """A section for each tag, and one in it for each operation."""
    document = yaml.safe_load(FILE.read_text())
    return "\n".join(_tag(document, tag) for tag in document["tags"])


def schemas() -> str:
    """A section for each schema."""
    document = yaml.safe_load(FILE.read_text())
    return "\n".join(
        _schema(name, schema) for name, schema in document["components"]["schemas"].items()
    )


def _tag(document: dict[str, Any], tag: dict[str, str]) -> str:
    found = [
        _operation(document, verb, path, item)
        for path, item in document["paths"].items()
        for verb in VERBS
        if verb in item and tag["name"] in item[verb]["tags"]
    ]
    return f"## {tag['name'].capitalize()}\n\n{tag['description']}\n\n" + "\n".join(found)


def _operation(document: dict[str, Any], verb: str, path: str, item: dict[str, Any]) -> str:
    operation = item[verb]
    parameters = [
        _resolve(document, one)
        for one in [*item.get("parameters", ()), *operation.get("parameters", ())]
    ]
    body = operation.get("requestBody")
    return f"""
(rest-{operation["operationId"]})=
### {code(f"{verb.upper()} {path}")}

{operation["summary"]}

{operation.get("description", "")}

{table(("parameter", "in", "type", ""), map(_parameter, parameters))}
{_body(body) if body else ""}
{table(("status", "", "with"), _responses(document, operation))}
"""


def _parameter(one: dict[str, Any]) -> tuple[str, str, str, str]:
    schema = one["schema"]
    default = f"Default: {code(schema['default'])}." if "default" in schema else ""
    about = " ".join(filter(None, (one.get("description", ""), default)))
    return code(one["name"]), one["in"], type_of(schema), about


def _body(body: dict[str, Any]) -> str:
    kinds = [
        ", ".join(filter(None, (code(kind), one["schema"] and type_of(one["schema"]))))
        for kind, one in body["content"].items()
    ]
    return f"Body: {' or '.join(kinds)}. {one_line(body.get('description', ''))}\n"


def _responses(
    document: dict[str, Any], operation: dict[str, Any]
) -> Iterator[tuple[str, str, str]]:
    for status, response in operation["responses"].items():
        # Their descriptions name each other.
        name = response["$ref"].rpartition("/")[2] if "$ref" in response else ""
        response = _resolve(document, response)
        content = [
            _content(kind, one["schema"]) for kind, one in response.get("content", {}).items()
        ]
        about = f"{code(name)}: {response['description']}" if name else response["description"]
        yield status, about, "; ".join(content)


def _content(kind: str, schema: dict[str, Any]) -> str:
    codes = schema.get("properties", {}).get("error", {}).get("enum")
    if codes:
        return ", ".join(map(code, codes))
    if kind != "application/json":
        return code(kind)
    if "properties" in schema:
        named = schema["properties"].items()
        return ", ".join(f"{code(name)}: {type_of(one)}" for name, one in named)
    return type_of(schema)


def _schema(name: str, schema: dict[str, Any]) -> str:
    base = "".join(f"All of {type_of(one)}, and:\n" for one in schema.get("allOf", ()))
    shape = base + fields(schema) if "properties" in schema else f"{type_of(schema)}\n"
    return f"(schema-{name.lower()})=\n### {name}\n\n{schema.get('description', '')}\n\n{shape}\n"


def _resolve(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        target: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target
    return value
