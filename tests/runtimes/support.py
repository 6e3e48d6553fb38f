"""A session's directories on the host, and a runtime that starts containers on them."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

import pytest

from cognition_jupyter.kernels.policy import DEFAULT_IMAGE, SessionPolicy
from cognition_jupyter.runtimes import base
from cognition_jupyter.runtimes.base import ContainerSpec, Exit, Mount, Runtime

T = TypeVar("T")

#: Whose the sessions' files are: as `ProjectStore.user`.
USER = (1000, 1000) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
PLACES = {
    "workspace": base.WORKSPACE,
    "hot": base.HOT,
    "persistent": base.PERSISTENT,
    "deps": base.DEPS,
    "tmp": base.TMP,
    "k": base.SOCKETS,
}


class Place:
    """Directories as a session has them, and one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.path = Path(tempfile.mkdtemp(prefix="cgn-place-", dir="/dev/shm"))
        os.chmod(self.path, 0o711)
        for name in (*PLACES, "tmp/home"):
            (self.path / name).mkdir()
            os.chown(self.path / name, *USER)
        self.mounts = tuple(Mount(self.path / name, at) for name, at in PLACES.items())

    def spec(self, *command: str, **changes: Any) -> ContainerSpec:
        isolated = self.runtime.guarantees.isolated
        spec = ContainerSpec(
            root_uuid=self.runtime.root_uuid,
            owner="0123456789abcdef",
            project_id="contract-00000000",
            session_id="session-1",
            command=command,
            environment=SessionPolicy().environment_of(self.runtime, self.mounts),
            working_directory=self.runtime.inside(base.WORKSPACE, self.mounts),
            mounts=self.mounts,
            network_mode="OFF" if isolated else "ON",
            user=USER,
            image=DEFAULT_IMAGE,
        )
        return replace(spec, **changes)

    def sh(self, script: str, **changes: Any) -> ContainerSpec:
        return self.spec("sh", "-c", script, **changes)

    def python(self, code: str, **changes: Any) -> ContainerSpec:
        return self.spec(self.runtime.python, "-c", dedent(code), **changes)

    @property
    def workspace(self) -> Path:
        return self.path / "workspace"

    def read(self, name: str) -> str:
        return (self.workspace / name).read_text()

    @asynccontextmanager
    async def running(self, spec: ContainerSpec) -> AsyncIterator[str]:
        container_id = await self.runtime.start(spec)
        try:
            yield container_id
        finally:
            await self.runtime.remove(container_id)

    async def finish(self, spec: ContainerSpec, timeout: float = 30) -> Exit:
        """Run a container to its end."""
        async with self.running(spec) as container_id:
            ended = await self.runtime.wait(container_id, timeout)
        assert ended is not None, "it did not end"
        return ended

    async def appears(self, name: str, timeout: float = 15) -> str:
        """The content of a file that the container writes into its workspace."""
        file = self.workspace / name
        await until(lambda: file.exists() and file.stat().st_size > 0, timeout)
        return file.read_text()

    def run(self, body: Callable[[], Awaitable[T]]) -> T:
        """Run a test's coroutine; whatever it leaves running is removed."""

        async def whole() -> T:
            try:
                return await body()
            finally:
                for found in await self.runtime.found():
                    await self.runtime.remove(found.container_id)
                await self.runtime.close()

        try:
            return asyncio.run(whole())
        finally:
            shutil.rmtree(self.path, ignore_errors=True)


async def until(condition: Callable[[], object], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def new_uuid() -> str:
    return uuid.uuid4().hex


def processes_with(text: str) -> list[int]:
    """The processes on this machine that have `text` in their command line."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in command:
            found.append(int(directory.name))
    return found


def only(*names: str) -> Callable[[Place], None]:
    def check(place: Place) -> None:
        if place.runtime.name not in names:
            pytest.skip(f"says nothing about {place.runtime.name}")

    return check


isolated = only("docker", "bubblewrap")
with_the_server = only("bubblewrap", "process")
