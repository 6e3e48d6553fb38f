"""Cleanup of many projects: what is due goes, the rest stays, and memory does not grow with them.

How long it takes and how free the event loop is meanwhile, `python -m benchmarks` measures.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cognition_jupyter.models import Metadata
from cognition_jupyter.projects.metadata import METADATA_FILE

from .life import Life, date_file

MIB = 1 << 20


def fill(life: Life, number: int, due: int) -> tuple[set[str], set[str]]:
    """Projects as other processes would leave them: (those that are due, the others)."""
    root = life.store.directory.path
    names = [f"many-{index:08x}" for index in range(number)]
    for index, name in enumerate(names):
        used = life.now - timedelta(days=31 if index < due else 5)
        metadata = Metadata(
            project_id=name, user_prefix="many", created_at=used, last_accessed=used
        )
        for part in ("repo", ".memories/persistent"):
            (root / name / part).mkdir(parents=True)
        (root / name / "repo" / "file").write_text("text")
        date_file(root / name / "repo" / "file", used)
        (root / name / METADATA_FILE).write_text(metadata.model_dump_json())
    return set(names[:due]), set(names[due:])


def resident() -> int:
    """Bytes of memory in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.fixture
def life() -> Iterator[Life]:
    made = Life(max_projects=0)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("number", "due"), [(1000, 300), pytest.param(10_000, 3000, marks=pytest.mark.torture)]
)
def test_many_projects(life: Life, number: int, due: int) -> None:
    goes, stays = fill(life, number, due)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def body() -> None:
        counting = asyncio.ensure_future(count_turns())
        try:
            done = await life.cognition.cleanup.run()
        finally:
            counting.cancel()
        assert {case.project_id for case in done.trashed} == goes and not done.failed

    life.store.catalog.catch_up()
    before = resident()
    asyncio.run(body())
    assert resident() - before < 64 * MIB
    assert turns > 10 * due  # the loop had its turns while the disk worked
    listed, total = life.run(life.store.select(limit=10_000))
    assert {entry.project_id for entry in listed} == stays and total == number - due
    assert life.run(life.store.trash.select(limit=1))[1] == due

    life.pass_by(days=7)
    before = resident()
    done = life.check()
    assert {case.project_id for case in done.deleted} == goes
    assert resident() - before < 64 * MIB
    assert life.run(life.store.trash.select())[1] == 0
    assert not [*life.store.directory.deleting.iterdir()]
