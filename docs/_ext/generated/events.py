"""The events, from their schemas."""

from __future__ import annotations

from pathlib import Path

import yaml

import cognition_jupyter

from .markdown import code
from .schema import fields

SCHEMAS = Path(cognition_jupyter.__file__).parent / "event_schemas"


def events() -> str:
    """A section for each noun, with all fields."""
    return "\n".join(_section(path) for path in sorted(SCHEMAS.glob("*/*.yaml")))


def _section(path: Path) -> str:
    schema = yaml.safe_load(path.read_text())
    return f"""
(event-{path.parent.name})=
## {schema["title"]}

{code(schema["$id"])}

{schema["description"]}

{fields(schema)}
"""
