"""JSON schemas, of REST and of events, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .markdown import code, one_line, table

Schema = dict[str, Any]
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
}
_HEADINGS = ("field", "type", "")


def fields(schema: Schema) -> str:
    """A table of an object's fields, those of objects inside it by dotted names."""
    return table(_HEADINGS, _rows(schema, ""))


def type_of(schema: Schema) -> str:
    """The type in words, with what bounds it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#schema-{name.lower()})"
    if "enum" in schema:
        return ", ".join(_value(value) for value in schema["enum"])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(type_of(one) for one in schema[key]))
    kinds = schema.get("type", "anything")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    words = " or ".join(kinds)
    if "array" in kinds and "items" in schema:
        inner = schema["items"]
        words = words.replace("array", f"array of {type_of(inner)}")
    bounds = [text.format(f"{schema[key]:,}") for key, text in _BOUNDS.items() if key in schema]
    if "pattern" in schema:
        bounds.append(f"pattern {code(schema['pattern'])}")
    return ", ".join([words, *bounds])


def _value(value: Any) -> str:
    return "null" if value is None else code(value)


def _rows(schema: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        if not isinstance(field, dict):
            continue  # `false` in a condition
        notes = [one_line(field.get("description", ""))]
        if "default" in field:
            notes.append(f"Default: {_value(field['default'])}.")
        kind = type_of(field) + ("" if name in required else ", optional")
        yield code(prefix + name), kind, " ".join(filter(None, notes))
        inner = field.get("items", field) if field.get("type") == "array" else field
        mark = "[]." if inner is not field else "."
        if "properties" in inner:
            yield from _rows(inner, f"{prefix}{name}{mark}")
