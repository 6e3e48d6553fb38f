"""The date on which a project is due to be cleaned up."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import (
    InvalidInput,
)
from cognition_jupyter.models import (
    ExtendProject,
)

from .store_support import (
    create,
    edit,
    opened,
    projects_of,
    run,
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.mark.parametrize("days", [1, 30, 3650])
def test_extending_moves_the_date_by_exactly_so_many_days(tmp_path: Path, days: int) -> None:
    with opened(tmp_path) as store:
        projects = projects_of(store)
        project_id = create(store)
        before = run(projects.details(project_id))
        for times in (1, 2):
            after = run(projects.extend(project_id, ExtendProject(days=days)))
            moved = moment(after["cleanup_at"]) - moment(before["cleanup_at"])
            assert moved == timedelta(days=days * times)
            assert after["cleanup_in_days"] == 30 + days * times
            assert after["last_accessed"] == before["last_accessed"]


def test_extending_counts_from_the_date_that_holds(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        projects = projects_of(store)
        project_id = create(store)
        edit(tmp_path, project_id, extended_until="2020-01-01T00:00:00Z")  # long past
        before = run(projects.details(project_id))
        after = run(projects.extend(project_id, ExtendProject(days=3)))
        assert moment(after["cleanup_at"]) - moment(before["cleanup_at"]) == timedelta(days=3)
        # Accessed long ago and due long ago: still by exactly these days.
        edit(tmp_path, project_id, last_accessed="2021-01-01T00:00:00Z", extended_until=None)
        assert run(projects.details(project_id))["cleanup_in_days"] == 0
        after = run(projects.extend(project_id, ExtendProject(days=3)))
        assert after["cleanup_at"] == "2021-02-03T00:00:00.000000Z"


def test_a_pinned_project_has_no_date_and_gets_its_own_back(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        projects = projects_of(store)
        project_id = create(store)
        due = run(projects.details(project_id))["cleanup_at"]
        pinned = run(projects.extend(project_id, ExtendProject(pin=True)))
        assert pinned["pinned"] is True
        assert pinned["cleanup_at"] is pinned["cleanup_in_days"] is None
        assert run(projects.extend(project_id, ExtendProject(pin=False)))["cleanup_at"] == due
        both = run(projects.extend(project_id, ExtendProject(days=2, pin=True)))
        assert both["cleanup_at"] is None
        unpinned = run(projects.extend(project_id, ExtendProject(pin=False)))
        assert moment(unpinned["cleanup_at"]) - moment(due) == timedelta(days=2)
        with pytest.raises(InvalidInput, match=r"days .*pin"):
            run(projects.extend(project_id, ExtendProject()))


def test_the_end_of_time_is_no_internal_error(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        projects = projects_of(store)
        project_id = create(store)
        edit(tmp_path, project_id, last_accessed="9999-12-31T23:59:59Z")
        assert run(projects.details(project_id))["cleanup_at"].startswith("9999-12-31")
        with pytest.raises(InvalidInput, match=r"^days: .*9999"):
            run(projects.extend(project_id, ExtendProject(days=1)))
        store.catalog.sweep()
        assert run(projects.select(None, [], None, 100, 0))["total"] == 1
