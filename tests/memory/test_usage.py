"""The use of a project: bounded in what is looked at, and not looked at twice."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.exceptions import NotFound
from cognition_jupyter.memory.usage import ProjectUsage
from cognition_jupyter.models import utcnow
from cognition_jupyter.projects.store import ProjectStore

from ..projects.store_support import create, opened, run, session

PARTS = ["repo", "deps", "persistent_memory", "snapshots", "logs", "agent"]


@pytest.fixture
def store(short_path: Path) -> Iterator[ProjectStore]:
    with opened(short_path / "root") as store:
        yield store


def fill(folder: Path, count: int) -> None:
    """Directories of 1,000 files each; names of a few inodes, which is quick."""
    for number in range(count // 1000):
        inner = folder / f"d{number}"
        inner.mkdir()
        (inner / "f0").touch()
        descriptor = os.open(inner, os.O_RDONLY)
        for other in range(1, 999):
            os.link("f0", f"f{other}", src_dir_fd=descriptor, dst_dir_fd=descriptor)
        os.close(descriptor)


def large(store: ProjectStore, most: int, size: int, **traits: Any) -> None:
    project_id = create(store)
    fill(store.paths(project_id).repo, size)
    usage = ProjectUsage(store, **traits)
    disk = run(usage.of(project_id))["disk"]
    assert disk["complete"] is disk["parts"]["repo"]["complete"] is False
    assert disk["parts"]["repo"]["entries"] == most
    assert disk["parts"]["deps"] == {"bytes": 0, "entries": 1, "complete": True}
    visited = usage.visited
    assert visited == most + 5
    assert run(usage.of(project_id))["disk"] == disk
    assert usage.visited == visited


def test_a_large_project_is_not_looked_at_whole_nor_twice(store: ProjectStore) -> None:
    large(store, 500, 5000, most_entries=500)


@pytest.mark.torture
def test_a_really_large_project_with_the_default_budget(store: ProjectStore) -> None:
    large(store, 100_000, 150_000, most_seconds=600)


def test_an_old_measurement_is_made_anew(store: ProjectStore) -> None:
    project_id = create(store)
    usage = ProjectUsage(store, kept_seconds=60)
    first = run(usage.of(project_id))["disk"]
    (store.paths(project_id).repo / "file").write_bytes(b"x" * 10_000)
    then = utcnow()
    store.now = lambda: then + timedelta(seconds=30)
    assert run(usage.of(project_id))["disk"] == first
    store.now = lambda: then + timedelta(seconds=61)
    second = run(usage.of(project_id))["disk"]
    assert second["bytes"] >= first["bytes"] + 10_000
    assert second["measured_at"] > first["measured_at"]
    store.now = lambda: then - timedelta(days=1)  # the clock was set back
    assert run(usage.of(project_id))["disk"]["measured_at"] < first["measured_at"]


def test_many_askers_share_one_measurement(store: ProjectStore) -> None:
    project_id = create(store)
    usage = ProjectUsage(store)

    async def ask() -> list[dict[str, Any]]:
        return await asyncio.gather(*(usage.of(project_id) for _ in range(20)))

    answers = run(ask())
    assert usage.visited == len(PARTS)
    assert all(answer == answers[0] for answer in answers)


def test_each_part_is_told_apart(store: ProjectStore) -> None:
    project_id = create(store)
    paths = store.paths(project_id)
    places = [paths.repo, paths.deps, paths.persistent, paths.snapshots, paths.logs, paths.agent]
    for number, place in enumerate(places, 1):
        (place / "file").write_bytes(b"x" * 100_000 * number)
    disk = run(ProjectUsage(store).of(project_id))["disk"]
    assert list(disk["parts"]) == PARTS
    for number, part in enumerate(disk["parts"].values(), 1):
        assert 100_000 * number <= part["bytes"] < 100_000 * number + 20_000
        assert part["entries"] == 2 and part["complete"]
    assert disk["bytes"] == sum(part["bytes"] for part in disk["parts"].values())


def test_parts_that_are_gone_or_are_links(store: ProjectStore, tmp_path: Path) -> None:
    project_id = create(store)
    paths = store.paths(project_id)
    (tmp_path / "large").write_bytes(b"x" * 1_000_000)
    paths.repo.rmdir()
    paths.repo.symlink_to(tmp_path)
    paths.logs.rmdir()
    disk = run(ProjectUsage(store).of(project_id))["disk"]
    assert disk["parts"]["repo"]["entries"] == 1 and disk["bytes"] < 100_000
    assert disk["parts"]["logs"] == {"bytes": 0, "entries": 0, "complete": True}


def test_a_live_session_counts_until_now(store: ProjectStore) -> None:
    project_id = create(store)
    record = session("live").model_copy(update={"started_at": utcnow() - timedelta(seconds=100)})
    run(store.open_session(project_id, record, 0, 0))
    then = record.started_at + timedelta(seconds=100)
    store.now = lambda: then
    answer = run(ProjectUsage(store).of(project_id))
    assert sum(day["seconds"] for day in answer["days"]) == pytest.approx(100)
    assert sum(day["sessions"] for day in answer["days"]) == answer["totals"]["sessions"] == 1
    assert answer["totals"]["seconds"] == 0 and answer["reasons"] == {}
    assert run(store.get(project_id)).usage.model_dump()["days"] != answer["days"]


def test_what_is_no_project_has_no_use(store: ProjectStore) -> None:
    with pytest.raises(NotFound):
        run(ProjectUsage(store).of("nobody-00000000"))
