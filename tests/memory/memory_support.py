"""Projects with nothing but their directories, in RAM, for the tests of memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.exceptions import CognitionError
from cognition_jupyter.memory.operations import Operations
from cognition_jupyter.memory.project_memory import ProjectMemory
from cognition_jupyter.memory.routes import Routes, parse_routes
from cognition_jupyter.memory.shapes import Limits
from cognition_jupyter.projects.stage import ProjectPaths
from cognition_jupyter.projects.tree import remove_tree

SESSION = "11111111-2222-3333-4444-555555555555"
SANDBOX_USER = (1000, 1000)


class Place:
    """A directory in RAM with a project in it, and one that the project must never reach."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="cgn-mem-", dir="/dev/shm"))
        self.base.chmod(0o755)
        self.paths = ProjectPaths.under(self.base / "project")
        self.hot, self.tmp, self.outside = (self.base / name for name in ("hot", "tmp", "outside"))
        directories = (self.paths.repo, self.paths.persistent, self.hot, self.tmp, self.outside)
        for directory in directories:
            directory.mkdir(parents=True)
        (self.outside / "passwd").write_text("SECRET outside\n")

    def memory(
        self, routes: object = None, allowed: tuple[str, ...] = (), **limits: int | float
    ) -> ProjectMemory:
        """The project's memory, with one live session."""
        return ProjectMemory(
            self.paths,
            self.hot,
            SANDBOX_USER,
            Routes(parse_routes(routes or {}, "agent_backend_routes", allowed)),
            Limits(**limits),  # type: ignore[arg-type]
            {SESSION: self.tmp}.get,
        )

    def now(self, **limits: int | float) -> Operations:
        """Its operations, with the session's."""
        return self.memory(None, (), **limits).for_session(SESSION).now

    def remove(self) -> None:
        remove_tree(self.base)  # any depth, with few descriptors


def descriptors_into_places() -> list[str]:
    """What this process has open in any Place."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return [path for path in found if path.startswith("/dev/shm/cgn-mem-")]


@contextmanager
def place() -> Iterator[Place]:
    made = Place()
    try:
        yield made
    finally:
        made.remove()


@contextmanager
def fails(code: str, status: int | None = None) -> Iterator[Any]:
    """An error of ours with that machine code, its message a sentence."""
    with pytest.raises(CognitionError) as caught:
        yield caught
    assert caught.value.code == code, caught.value
    assert caught.value.message.endswith(".") and caught.value.message[0] != " "
    assert status is None or caught.value.status == status


@contextmanager
def as_user(uid: int) -> Iterator[None]:
    """Without the powers of root, if we have them."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
