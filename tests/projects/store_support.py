"""What the tests of the store share: stores on real directories, and real other processes."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cognition_jupyter.events import Events
from cognition_jupyter.models import CreateProject, Metadata, SessionRecord, utcnow
from cognition_jupyter.projects.git import GitClone
from cognition_jupyter.projects.index import Entry
from cognition_jupyter.projects.projects import Projects
from cognition_jupyter.projects.store import ProjectStore
from cognition_jupyter.projects.templates import ProjectTemplates

REPOSITORY = Path(__file__).parents[2]
METADATA = ".project_metadata.json"


@contextmanager
def opened(root: Path, **traits: Any) -> Iterator[ProjectStore]:
    store = ProjectStore(**traits)
    store.open(root)
    try:
        yield store
    finally:
        store.close()


def projects_of(store: ProjectStore, templates: ProjectTemplates | None = None) -> Projects:
    events = Events(store.log)
    return Projects(
        store,
        GitClone(),
        templates or ProjectTemplates(),
        lambda config: None,
        lambda name: f"work/{name}/repo",
        events,
    )


def create(store: ProjectStore, prefix: str = "demo", **fields: Any) -> str:
    request = CreateProject(user_prefix=prefix, **fields)
    return asyncio.run(_await(store.create(request))).project_id


def get(store: ProjectStore, project_id: str) -> Metadata:
    return asyncio.run(_await(store.get(project_id)))


def select(store: ProjectStore, **filters: Any) -> list[Entry]:
    return asyncio.run(_await(store.select(**filters)))[0]


def ids(store: ProjectStore, **filters: Any) -> list[str]:
    return [entry.project_id for entry in select(store, **filters)]


def run(awaitable: Any) -> Any:
    return asyncio.run(_await(awaitable))


async def _await(awaitable: Any) -> Any:
    return await awaitable


def session(session_id: str, owner: str = "0" * 16) -> SessionRecord:
    return SessionRecord(
        session_id=session_id,
        kernel_id=session_id,
        owner=owner,
        runtime="docker",
        isolated=True,
        network_mode="OFF",
        started_at=utcnow(),
    )


def on_disk(root: Path) -> set[str]:
    """Names in the root that are not ours to ignore."""
    return {path.name for path in root.iterdir() if not path.name.startswith(".")}


def edit(root: Path, project_id: str, **fields: Any) -> None:
    """Change the metadata by hand, as an editor does."""
    path = root / project_id / METADATA
    document = json.loads(path.read_text()) | fields
    path.write_text(json.dumps(document))


def snapshot(directory: Path) -> dict[str, tuple[Any, ...]]:
    """All that a change below `directory` would change, but for the index and the locks."""
    found = {}
    for parent, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = Path(parent, name)
            inside = path.relative_to(directory)
            if inside.name.startswith("index.sqlite3") or inside.name.endswith(".lock"):
                continue
            status = path.lstat()
            kind = stat.S_IFMT(status.st_mode)
            content: object = None
            if kind == stat.S_IFREG and status.st_size < 1 << 20 and status.st_mode & 0o400:
                content = path.read_bytes()
            elif kind == stat.S_IFLNK:
                content = path.readlink()
            # Locks come and go in directories of ours: their times say nothing.
            time = 0 if kind == stat.S_IFDIR else status.st_mtime_ns
            found[str(inside)] = (status.st_mode, status.st_ino, time, content)
    return found


def leftovers(root: Path) -> list[str]:
    """What nobody may leave behind: locks, temporary files, stages, half of a deletion."""
    found = [str(path) for path in root.rglob("*.lock")] + [str(p) for p in root.rglob("*.tmp")]
    for name in ("incoming", "deleting"):
        found += [str(path) for path in (root / ".cognition" / name).iterdir()]
    return found


class Worker:
    """Another process with the same root; see worker.py for what it can be asked."""

    def __init__(self, root: Path, user: int | None = None, **traits: Any) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.projects.worker",
                str(root),
                json.dumps(traits),
                str(user),
            ],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def start(self, call: str, **arguments: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"call": call, **arguments}) + "\n")
        self.process.stdin.flush()

    def result(self) -> Any:
        """What the call returned; an error of the package is `{"error": class, "message": …}`."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the worker died"
        return json.loads(line)

    def call(self, call: str, **arguments: Any) -> Any:
        self.start(call, **arguments)
        return self.result()
