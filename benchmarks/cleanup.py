"""A round of cleanup over many projects, on the disk, and how free the event loop is meanwhile."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.models import utcnow

from .memory_gaps import Watched
from .store import fill


def measure(projects: int, due: int) -> dict[str, Watched]:
    """One round each: nothing due, `due` of them to the trash, the same out of it."""
    base = Path(tempfile.mkdtemp(prefix="cognition-bench-"))
    try:
        return asyncio.run(_measure(base, projects, due))
    finally:
        shutil.rmtree(base)


async def _measure(base: Path, projects: int, due: int) -> dict[str, Watched]:
    config = Config()
    config.ProjectStore.root = str(base / "root")
    config.ProjectStore.max_projects = 0
    config.RuntimeChoice.runtime = "process"
    fill(base / "root", projects)
    cognition = Cognition(base, config=config)
    cognition.open()
    found = {name: Watched() for name in ("nothing due", f"{due:,} due", f"{due:,} from the trash")}
    try:
        for days, one in zip((0, 31, 38), found.values(), strict=True):
            if days == 31:  # the rest was used meanwhile
                _use(cognition, due)
            cognition.store.now = partial(_ahead, days)
            await one.watch(cognition.cleanup.run())
    finally:
        await cognition.close()
    return found


def _ahead(days: int) -> datetime:
    return utcnow() + timedelta(days=days)


def _use(cognition: Cognition, due: int) -> None:
    """Give all but the first `due` projects another month."""
    root = cognition.store.directory.path
    later = (utcnow() + timedelta(days=30)).timestamp()
    for path in sorted(root.glob("filler-*"))[due:]:
        os.utime(path / "repo", (later, later))
