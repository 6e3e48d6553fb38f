"""A process that makes children which kill themselves (`kill -9`) at their N-th step.

A step is a call into the operating system or the database: the audit events of Python and the C
functions that our own modules call. Reads a line of JSON each: root, operation, arguments and `at`;
answers `{"killed": bool, "steps": N}`. Forks, so that a point costs milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cognition_jupyter.models import CreateProject, Metadata
from cognition_jupyter.projects.files import in_thread
from cognition_jupyter.projects.root import Root
from cognition_jupyter.projects.stage import ProjectPaths
from cognition_jupyter.projects.store import ProjectStore

from .store_support import session

EVENTS = ("open", "os.", "shutil.", "fcntl.", "sqlite3.")
MODULES = ("posix", "fcntl", "_io")
OURS = str(Path(sys.modules["cognition_jupyter"].__file__ or "").parent)


class Killer:
    """Counts the steps of the threads for the disk and for trees."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.steps = 0

    def step(self) -> None:
        if threading.current_thread().name.startswith(("cognition-disk", "cognition-trees")):
            self.steps += 1
            if self.steps == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, arguments: object) -> None:
        if event.startswith(EVENTS):
            self.step()

    def profile(self, frame: Any, event: str, function: Any) -> None:
        """Before and after each call of a C function by our modules."""
        if event in ("c_call", "c_return") and frame.f_code.co_filename.startswith(OURS):
            owner = type(getattr(function, "__self__", None)).__module__
            if getattr(function, "__module__", None) in MODULES or owner in ("sqlite3", "_io"):
                self.step()


async def create(store: ProjectStore, target: str) -> None:
    async def populate(paths: ProjectPaths, metadata: Metadata) -> None:
        (paths.repo / "sub").mkdir()
        (paths.repo / "sub" / "file").write_text("cloned")

    await store.create(CreateProject(user_prefix="new", description="whole"), populate)


async def change(store: ProjectStore, target: str) -> None:
    def edit(metadata: Metadata) -> None:
        metadata.description = "after " * 300
        metadata.statistics.total_messages += 1

    await store.change(target, edit)


async def trash(store: ProjectStore, target: str) -> None:
    await store.trash.put(target)


async def remove(store: ProjectStore, target: str) -> None:
    await store.trash.delete(target)


async def restore(store: ProjectStore, target: str) -> None:
    await store.trash.restore(target)


async def start_session(store: ProjectStore, target: str) -> None:
    await store.open_session(target, session("s1"), 8, 8)


async def remember(store: ProjectStore, target: str) -> None:
    await in_thread(store.directory.remember_runtime)("docker")


async def own(store: ProjectStore, target: str) -> None:
    owner = await in_thread(store.directory.register_owner)()
    await in_thread(owner.release)()


async def list_and_recover(store: ProjectStore, target: str) -> None:
    await store.select()
    await in_thread(store.recover)()


OPERATIONS: dict[str, Callable[[ProjectStore, str], Awaitable[None]]] = {
    "create": create,
    "change": change,
    "trash": trash,
    "remove": remove,
    "remove from the trash": remove,
    "restore": restore,
    "start_session": start_session,
    "remember": remember,
    "own": own,
    "list_and_recover": list_and_recover,
}


def act(root: Path, operation: str, target: str, at: int, report: int) -> None:
    killer = Killer(at)
    store = ProjectStore()
    opening = operation == "open"
    if not opening:
        store.open(root)

    async def perform() -> None:
        if opening:
            await in_thread(store.open)(root)
        else:
            await OPERATIONS[operation](store, target)

    sys.addaudithook(killer.audit)
    threading.setprofile(killer.profile)
    asyncio.run(perform())
    os.write(report, str(killer.steps).encode())


def main() -> None:
    Root(Path(sys.argv[1]))  # imports what is imported late
    while line := sys.stdin.readline():
        order = json.loads(line)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                act(Path(order.pop("root")), **order, report=write)
                status = 0
            finally:
                os._exit(status)
        os.close(write)
        with os.fdopen(read) as pipe:
            steps = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status not in (0, -signal.SIGKILL):
            raise SystemExit(f"{order} ended with {status}")
        answer = {"killed": status != 0, "steps": int(steps or order["at"])}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
