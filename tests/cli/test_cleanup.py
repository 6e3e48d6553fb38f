"""`jupyter cognition cleanup`: what it would do, what it does, and what it could not."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

import pytest

from ..maintenance.life import let_age
from .conftest import Place

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    made.command = ("cleanup",)
    yield made
    made.remove()


def test_a_round_by_hand_and_what_it_would_do(place: Place) -> None:
    due, near, fresh = (place.project() for _ in range(3))
    let_age(place.root, due, 31)
    let_age(place.root, near, 28.5)
    would = place.run("--dry-run")[0].decode().splitlines()
    assert re.fullmatch(rf"would move to the trash  {due}  {TIME}  Last used .*30 days\.", would[0])
    assert re.fullmatch(rf"would warn of            {near}  {TIME}  Last used .*", would[1])
    assert len(would) == 2 and (place.root / due).exists()
    done, err = place.run()
    assert [line.split()[:2] for line in done.decode().splitlines()] == [
        ["moved", "to"],
        ["warned", "of"],
    ]
    assert near in err and "goes to the trash at" in err  # the log tells, too
    assert (place.root / ".trash" / due).exists() and (place.root / fresh).exists()
    assert place.says() == []
    assert place.says("--dry-run") == []


def test_what_stays_that_should_go_is_an_error(place: Place) -> None:
    project_id = place.project({"file": "x"}, release=False)
    os.mkfifo(place.hot(project_id).ram / "fifo")
    let_age(place.root, project_id, 31)
    out, _ = place.run(status=1)
    assert out.decode().startswith(f"FAILED  {project_id}") and "can't be kept" in out.decode()
    assert (place.root / project_id).exists()


def test_configuration_counts_and_wrong_calls_are_refused(place: Place) -> None:
    project_id = place.project()
    let_age(place.root, project_id, 31)
    assert "takes nothing" in place.refuses("something", status=2)
    place.configure(place.configuration | {"ProjectStore": {"project_cleanup_enabled": False}})
    assert place.says() == []
    metadata = json.loads((place.root / project_id / ".project_metadata.json").read_text())
    assert "trashed_at" not in metadata or metadata["trashed_at"] is None
