"""A root with projects as a server leaves them, and the command line as a user has it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.models import CreateProject

from ..support.server import clean_environment

T = TypeVar("T")
HOT = "/memories/hot"
PACKAGE = Path(__file__).parents[2]


class Place:
    """Jupyter's directory with a root in it, RAM and configuration of its own."""

    #: What stands behind `jupyter cognition` in what a user calls.
    command: tuple[str, ...] = ("memory",)

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cognition-test-cli-"))
        self.ram = Path(tempfile.mkdtemp(prefix="cgn", dir="/dev/shm"))
        self.home = self.directory / "home"
        self.files = self.directory / "files"
        self.root = self.files / "workspaces"
        (self.home / "config").mkdir(parents=True)
        self.files.mkdir()
        self.configuration = {"RamDirectories": {"hot_root": str(self.ram)}}
        self.configure(self.configuration)

    def configure(self, configuration: dict[str, Any]) -> None:
        file = self.home / "config" / "jupyter_cognition_config.json"
        file.write_text(json.dumps(configuration))

    def remove(self) -> None:
        shutil.rmtree(self.directory)
        shutil.rmtree(self.ram)

    # -- as a program that uses the package ------------------------------------------------

    def within(self, work: Callable[[Cognition], Awaitable[T]]) -> T:
        async def run() -> T:
            async with Cognition.unserved(self.root, Config(self.configuration)) as cognition:
                return await work(cognition)

        return asyncio.run(run())

    def project(self, *states: dict[str, str | bytes], release: bool = True) -> str:
        """A project with a snapshot of each of these states of `/memories/hot`."""

        async def make(cognition: Cognition) -> str:
            made = await cognition.store.create(CreateProject(user_prefix="demo"))
            project_id = made.project_id
            for state in states:
                memory = await cognition.memories.of(project_id)
                for entry in (await memory.ls(HOT)).entries:
                    await memory.delete(entry.path)
                for name, content in state.items():
                    await memory.write(f"{HOT}/{name}", content)
                await cognition.memories.snapshot(project_id)
            if release:
                assert not states or await cognition.hot.release(project_id)
            return project_id

        return self.within(make)

    def hot(self, project_id: str) -> HotMemory:
        async def find(cognition: Cognition) -> HotMemory:
            return cognition.hot.of(project_id)

        return self.within(find)

    def in_ram(self) -> list[str]:
        return self.within(lambda cognition: cognition.hot.in_ram())

    # -- as a user -------------------------------------------------------------------------

    def start(
        self,
        *arguments: str | bytes,
        cwd: Path | None = None,
        stdout: int = subprocess.PIPE,
        **environment: str,
    ) -> subprocess.Popen[bytes]:
        environment.setdefault("PYTHONPATH", str(PACKAGE))
        return subprocess.Popen(
            [sys.executable, "-m", "cognition_jupyter.cli", *self.command, *arguments],
            cwd=cwd or self.files,
            env=clean_environment(self.home, **environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )

    def run(
        self, *arguments: str | bytes, cwd: Path | None = None, status: int = 0
    ) -> tuple[bytes, str]:
        """Standard output and the errors of a command that ends with `status`."""
        with self.start(*arguments, cwd=cwd) as process:
            try:
                out, err = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == status, (arguments, out, err)
        assert b"Traceback" not in err
        return out, err.decode()

    def says(self, *arguments: str | bytes, cwd: Path | None = None) -> list[str]:
        """The lines of a command that has nothing to complain about."""
        out, err = self.run(*arguments, cwd=cwd)
        assert err == ""
        return out.decode().splitlines()

    def refuses(self, *arguments: str | bytes, cwd: Path | None = None, status: int = 1) -> str:
        """The one sentence of a command that does nothing."""
        out, err = self.run(*arguments, cwd=cwd, status=status)
        assert out == b""
        assert err.endswith(".\n") and len(err.splitlines()) == 1, err
        return err


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.remove()
