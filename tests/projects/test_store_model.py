"""Any sequence of operations leaves the store as a plain dictionary would be."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from cognition_jupyter.exceptions import NotFound
from cognition_jupyter.models import CreateProject, ExtendProject, PatchProject
from cognition_jupyter.projects.store import ProjectStore

from .store_support import leftovers, projects_of, run

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
tags = st.lists(st.sampled_from(["red", "blue", 'q"uo,te', "[", "é"]), max_size=3)
prefixes = st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True)
days = st.integers(1, 3650)


class Model(RuleBasedStateMachine):
    ids: Bundle[str] = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="cognition-test-"))
        self.store = ProjectStore()
        self.store.open(self.root)
        self.expected: dict[str, dict[str, Any]] = {}
        self.trash: set[str] = set()
        self.order: list[str] = []  # newest access first

    def teardown(self) -> None:
        self.store.close()
        left = leftovers(self.root)
        shutil.rmtree(self.root)
        assert left == []

    def accessed(self, project_id: str) -> None:
        self.order = [project_id, *(one for one in self.order if one != project_id)]

    @rule(target=ids, prefix=prefixes, description=texts, tags=tags, after=st.none() | days)
    def create(self, prefix: str, description: str, tags: list[str], after: int | None) -> str:
        wanted = {"description": description, "tags": tags, "cleanup_after_days": after}
        request = CreateProject.model_validate({"user_prefix": prefix} | wanted)
        made = run(projects_of(self.store).create(request))
        name = str(made["project_id"])
        self.expected[name] = wanted | {"user_prefix": prefix, "pinned": False, "extended": None}
        self.accessed(name)
        return name

    @rule(name=ids, change=st.fixed_dictionaries({}, optional={"description": texts, "tags": tags}))
    def patch(self, name: str, change: dict[str, Any]) -> None:
        run(projects_of(self.store).patch(name, PatchProject(**change)))
        self.expected[name] |= change
        self.accessed(name)

    @rule(name=ids, days=days, pin=st.none() | st.booleans())
    def extend(self, name: str, days: int, pin: bool | None) -> None:
        before = run(self.store.get(name)).due_at(30)
        run(projects_of(self.store).extend(name, ExtendProject(days=days, pin=pin)))
        self.expected[name]["extended"] = before + timedelta(days=days)
        if pin is not None:
            self.expected[name]["pinned"] = pin

    @rule(target=ids, name=consumes(ids), permanent=st.booleans())
    def delete(self, name: str, permanent: bool) -> Any:
        trash = self.store.trash
        run((trash.delete if permanent else trash.put)(name))
        del self.expected[name]
        self.order.remove(name)
        if not permanent:
            self.trash.add(name)
        try:
            run(self.store.get(name))
        except NotFound:
            return multiple()
        raise AssertionError("still there")

    @rule(lose_index=st.booleans())
    def reopen(self, lose_index: bool) -> None:
        self.store.close()
        if lose_index:
            for path in (self.root / ".cognition").glob("index.sqlite3*"):
                path.unlink()
        self.store = ProjectStore()
        self.store.open(self.root)

    @invariant()
    def agrees(self) -> None:
        listing = run(projects_of(self.store).select(None, [], None, 1000, 0))
        assert [row["project_id"] for row in listing["projects"]] == self.order
        assert listing["total"] == len(self.expected)
        assert self.store.catalog.index.dirty() == []
        for row in listing["projects"]:
            wanted = self.expected[row["project_id"]]
            for name in ("description", "tags", "user_prefix", "pinned"):
                assert row[name] == wanted[name]
            details = run(projects_of(self.store).details(row["project_id"]))
            assert {name: details[name] for name in row} == row
            if not wanted["pinned"]:
                due = moment(row["last_accessed"]) + timedelta(wanted["cleanup_after_days"] or 30)
                assert moment(row["cleanup_at"]) == max(due, wanted["extended"] or due)
        for tag in ("red", 'q"uo,te'):
            found = run(self.store.select(tags=[tag]))[0]
            carrying = {name for name, wanted in self.expected.items() if tag in wanted["tags"]}
            assert {entry.project_id for entry in found} == carrying
        trash = run(projects_of(self.store).select(None, [], "trashed", 1000, 0))
        assert {row["project_id"] for row in trash["projects"]} == self.trash


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=25,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
