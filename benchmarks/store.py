"""Create, get and list as projects grow."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from cognition_jupyter.events import Events
from cognition_jupyter.models import CreateProject, Metadata, utcnow
from cognition_jupyter.projects.git import GitClone
from cognition_jupyter.projects.metadata import METADATA_FILE
from cognition_jupyter.projects.projects import Projects
from cognition_jupyter.projects.store import ProjectStore
from cognition_jupyter.projects.templates import ProjectTemplates


def fill(root: Path, number: int) -> None:
    """Projects as other processes would leave them, without waiting for the disk each time."""
    now = utcnow()
    for index in range(number):
        project_id = f"filler-{index:08x}"
        metadata = Metadata(
            project_id=project_id, user_prefix="filler", created_at=now, last_accessed=now
        )
        (root / project_id / "repo").mkdir(parents=True)
        (root / project_id / METADATA_FILE).write_text(metadata.model_dump_json())


async def _median(rounds: int, work: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(rounds + 1):
        before = time.perf_counter()
        await work()
        times.append(time.perf_counter() - before)
    return statistics.median(times[1:])


async def _at(number: int, rounds: int) -> dict[str, float]:
    root = Path(tempfile.mkdtemp(prefix="cognition-bench-"))
    try:
        fill(root, number)
        store = ProjectStore(max_projects=0)
        store.open(root)
        events = Events(store.log)
        projects = Projects(
            store,
            GitClone(),
            ProjectTemplates(),
            lambda config: None,
            lambda project_id: None,
            events,
        )
        made = await projects.create(CreateProject(user_prefix="one"))
        result = {
            "create": await _median(
                rounds, lambda: projects.create(CreateProject(user_prefix="bench"))
            ),
            "get": await _median(rounds, lambda: projects.details(made["project_id"])),
            "list 100": await _median(rounds, lambda: projects.select(None, [], None, 100, 0)),
        }
        store.close()
        return result
    finally:
        shutil.rmtree(root)


def measure(sizes: tuple[int, ...], rounds: int) -> dict[int, dict[str, float]]:
    """Median seconds of each call at each number of projects."""
    return {number: asyncio.run(_at(number, rounds)) for number in sizes}
