"""Strict types: what is refused, is refused with one sentence that names the field."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from cognition_jupyter.exceptions import InvalidInput
from cognition_jupyter.models import (
    CreateProject,
    ExtendProject,
    Metadata,
    PatchProject,
    Request,
    StartSession,
    days_left,
    format_time,
    parse,
)

NUL, SURROGATE, LONG = "a\x00b", "\ud800", "x" * 10_000

WRONG: dict[str, list[object]] = {
    "description": [7, True, None, ["a"], NUL, SURROGATE, "\x1b[31m", "x" * 2001],
    "tags": ["hello", 7, None, {"a": 1}, [7], [None], [""], ["x" * 65], [NUL], [SURROGATE]],
    "network_mode": [7, True, None, "off", "", "NONE", ["ON"], NUL, SURROGATE],
    "keep_packages": ["false", "true", 0, 1, None, [], "yes"],
    "cleanup_after_days": [-5, 0, 3651, 1.5, 7.0, True, "7", 10**400, 1e400, [7], float("nan")],
    "container_image": [7, "", "x" * 257, NUL, SURROGATE, True, ["a"]],
    "agent_model": [7, "", "x" * 257, NUL, SURROGATE, False, {}],
}
NULL_RESETS = {"cleanup_after_days", "container_image", "agent_model"}
CREATE_ONLY: dict[str, list[object]] = {
    "user_prefix": [7, None, True, ["abc"]],
    "template": [7, True, "", "x" * 257, NUL, SURROGATE, {}],
    "repo_url": [7, True, "x" * 2049, NUL, SURROGATE, ["https://example.org/a.git"]],
}


def cases() -> list[tuple[type[Request], dict[str, Any], str]]:
    found: list[tuple[type[Request], dict[str, Any], str]] = []
    for name, values in WRONG.items():
        for value in values:
            found.append((CreateProject, {"user_prefix": "abc", name: value}, name))
            if value is not None:  # for PATCH a null is refused where it is applied
                found.append((PatchProject, {name: value}, name))
    for name, values in CREATE_ONLY.items():
        found += [(CreateProject, {"user_prefix": "abc"} | {name: v}, name) for v in values]
    for value in [-5, 0, 3651, 1.5, True, 10**400, "7", [], float("inf")]:
        found.append((ExtendProject, {"days": value}, "days"))
    found += [(ExtendProject, {"pin": value}, "pin") for value in ("true", 1, 0, [], "on")]
    found += [(StartSession, {"network_mode": v}, "network_mode") for v in (7, "on", True, [])]
    for model in (CreateProject, PatchProject, ExtendProject, StartSession):
        base = {"user_prefix": "abc"} if model is CreateProject else {}
        for extra in ("project_id", "Description", " tags", "x" * 90, "__class__", "model_config"):
            found.append((model, base | {extra: 1}, extra))
    found.append((CreateProject, {}, "user_prefix"))
    found.append((CreateProject, {"user_prefix": "abc", "tags": ["a"] * 33}, "tags"))
    return found


@pytest.mark.parametrize(("model", "body", "field"), cases(), ids=lambda v: ascii(v)[:60])
def test_what_is_wrong_is_named(model: type[Request], body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(model, body)
    message = caught.value.message
    assert caught.value.status == 400 and caught.value.code == "invalid_input"
    assert message.startswith(field) and message.endswith(".")
    assert len(message) < 420 and "\n" not in message and ". " not in message
    json.dumps(message).encode()


@pytest.mark.parametrize("body", [None, [], "x", 7, True, [["user_prefix", "abc"]]])
def test_a_body_must_be_an_object(body: object) -> None:
    with pytest.raises(InvalidInput, match="JSON object"):
        parse(CreateProject, body)


def test_a_field_with_a_hostile_name_makes_a_short_answer() -> None:
    for name in (LONG, SURROGATE, NUL, "a\nb"):
        with pytest.raises(InvalidInput) as caught:
            parse(PatchProject, {name: 1})
        assert len(caught.value.message) < 300
        caught.value.message.encode()


def test_what_is_right_passes() -> None:
    body = {
        "user_prefix": "abc",
        "network_mode": "ON",
        "repo_url": None,
        "agent_model": None,
        "container_image": "a/b:c",
        "keep_packages": False,
        "tags": ["é", "a b", "\N{SNOWMAN}", "<script>"],
        "description": "tab\tand\nnewline",
        "cleanup_after_days": 3650,
    }
    assert parse(CreateProject, body).model_dump(exclude_unset=True) == body
    assert parse(PatchProject, dict.fromkeys(NULL_RESETS)).model_fields_set == NULL_RESETS
    assert parse(PatchProject, {}).model_fields_set == set()
    assert parse(ExtendProject, {"days": 1, "pin": False}).pin is False


# -- times ---------------------------------------------------------------------------------

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("ahead", "days"),
    [
        (timedelta(days=30), 30),
        (timedelta(days=30, microseconds=1), 31),
        (timedelta(days=29, microseconds=1), 30),
        (timedelta(days=3650, microseconds=-1), 3650),
        (timedelta(days=1_000_000, microseconds=1), 1_000_001),
        (timedelta(microseconds=1), 1),
        (timedelta(0), 0),
        (timedelta(microseconds=-1), 0),
        (timedelta(days=-500), 0),
    ],
)
def test_days_left_round_up(ahead: timedelta, days: int) -> None:
    assert days_left(NOW + ahead, NOW) == days
    assert days_left(None, NOW) is None


def metadata(**fields: object) -> Metadata:
    times = {"created_at": "2026-03-01T12:00:00Z", "last_accessed": "2026-03-01T12:00:00Z"}
    given = {"project_id": "a-00000000", "user_prefix": "a"} | times | fields
    return Metadata.model_validate(given)


def test_the_cleanup_date() -> None:
    assert metadata().due_at(30) == NOW + timedelta(days=30)
    assert metadata(cleanup_after_days=7).due_at(30) == NOW + timedelta(days=7)
    later, earlier = format_time(NOW + timedelta(days=40)), format_time(NOW + timedelta(days=2))
    assert metadata(extended_until=later).due_at(30) == NOW + timedelta(days=40)
    assert metadata(extended_until=earlier).due_at(30) == NOW + timedelta(days=30)


def test_times_are_utc_and_end_in_z() -> None:
    made = metadata(last_accessed="2026-03-01T14:00:00.500000+02:00")
    assert json.loads(made.model_dump_json())["last_accessed"] == "2026-03-01T12:00:00.500000Z"
    assert made.model_dump(mode="json")["created_at"] == "2026-03-01T12:00:00.000000Z"
    for bad in ("2026-03-01T12:00:00", "now", "", 7, None, "0001-01-01T00:00:00+14:00"):
        with pytest.raises(ValidationError):
            metadata(last_accessed=bad)


def test_metadata_round_trips() -> None:
    made = metadata(tags=["a"], future={"x": [1, None]}, sessions=[], description="\N{SNOWMAN}")
    again = Metadata.model_validate_json(made.model_dump_json())
    assert again == made and again.model_dump()["future"] == {"x": [1, None]}
