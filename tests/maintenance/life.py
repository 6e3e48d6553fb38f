"""A root with a clock that the test holds, and all that is told about it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.events import Event
from cognition_jupyter.kernels.records import close_record
from cognition_jupyter.maintenance.cleanup_round import Round
from cognition_jupyter.models import (
    CreateProject,
    ExtendProject,
    Metadata,
    SessionRecord,
    format_time,
    utcnow,
)
from cognition_jupyter.projects.projects import Projects


class Life:
    """One server's worth of everything but the server, in one process; `close` it."""

    def __init__(self, root: Path | None = None, **store: Any) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="cgn-life", dir="/dev/shm"))
        self.root = root or self.base / "root"
        # Far ahead: what the file system itself dates is before all that happens here.
        self.now = utcnow() + timedelta(days=1000)
        self.told: list[Event] = []
        self.settings = store
        self.open()

    def open(self) -> None:
        config = Config()
        config.ProjectStore = Config(root=str(self.root), **self.settings)
        config.RamDirectories.hot_root = str(self.base / "ram")
        config.RuntimeChoice.runtime = "process"
        self.cognition = Cognition(self.base, config=config)
        self.cognition.open()
        self.store = self.cognition.store
        self.store.now = lambda: self.now  # type: ignore[method-assign]
        self.cognition.events.subscribe(self.told.append)
        self.projects = Projects(
            self.store,
            self.cognition.git,
            self.cognition.templates,
            lambda config: None,
            self.cognition.contents_path,
            self.cognition.events,
        )

    def restart(self) -> None:
        """Sessions of the process before are ended by the reconcile of the next one."""
        asyncio.run(self.cognition.close())
        self.open()
        self.run(self.cognition.reconcile.run())

    def close(self) -> None:
        asyncio.run(self.cognition.close())
        shutil.rmtree(self.base)

    def run(self, work: Any) -> Any:
        async def body() -> Any:
            return await work

        return asyncio.run(body())

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)

    # -- what people do --------------------------------------------------------------------

    def create(self, **fields: Any) -> str:
        made = self.run(self.store.create(CreateProject(user_prefix="life", **fields)))
        return str(made.project_id)

    def extend(self, project_id: str, days: int | None = None, pin: bool | None = None) -> None:
        self.run(self.projects.extend(project_id, ExtendProject(days=days, pin=pin)))

    def start(self, project_id: str) -> str:
        session_id = str(uuid.uuid4())
        record = SessionRecord(
            session_id=session_id,
            kernel_id=session_id,
            owner=self.cognition.owner.owner_id,
            runtime="process",
            isolated=False,
            network_mode="OFF",
            started_at=self.now,
        )
        self.run(self.store.open_session(project_id, record, 0, 0))
        return session_id

    def stop(self, project_id: str, session_id: str) -> None:
        def end(metadata: Metadata) -> None:
            close_record(metadata, session_id, "client", self.now)

        self.run(self.store.change(project_id, end))

    def edit(self, project_id: str, name: str = "file", at: datetime | None = None) -> None:
        """Save a file in the workspace without a session, as Lab's editor does."""
        path = self.store.paths(project_id).repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("edited")
        date_file(path, at or self.now)

    def check(self, dry: bool = False) -> Round:
        done: Round = self.run(self.cognition.cleanup.run(dry))
        return done

    # -- what became of it -----------------------------------------------------------------

    def metadata(self, project_id: str) -> Metadata:
        found: Metadata = self.run(self.store.get(project_id))
        return found

    def cleanup_at(self, project_id: str) -> datetime | None:
        return self.store.cleanup_at(self.metadata(project_id))

    def place(self, project_id: str) -> str:
        """`root`, `trash` or `gone`, on the disk."""
        for name, parent in (("root", self.root), ("trash", self.root / ".trash")):
            if (parent / project_id).exists():
                return name
        assert not [*self.root.glob(f"**/{project_id}*")]
        return "gone"

    def events(self, noun: str, action: str, project_id: str | None = None) -> list[Event]:
        return [
            e
            for e in self.told
            if (e.noun, e.action) == (noun, action)
            and project_id in (None, e.data.get("project_id"))
        ]


def let_age(root: Path, project_id: str, days: float) -> None:
    """Date the project back on disk, as if nobody had used it for so long."""
    then = utcnow() - timedelta(days=days)
    file = root / project_id / ".project_metadata.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"last_accessed": format_time(then)}))
    for part in ("repo", ".memories/persistent"):
        for path in (root / project_id / part, *(root / project_id / part).rglob("*")):
            date_file(path, then)


def date_file(path: Path, time: datetime) -> None:
    since = time - datetime.fromtimestamp(0, timezone.utc)
    nanoseconds = since // timedelta(microseconds=1) * 1000
    os.utime(path, ns=(nanoseconds, nanoseconds))
