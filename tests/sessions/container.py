"""A container of the session image as a runtime would start it, and commands in it."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from cognition_jupyter.exceptions import Conflict
from cognition_jupyter.kernels.policy import DEFAULT_IMAGE
from cognition_jupyter.memory.project_memory import ProjectMemory
from cognition_jupyter.sessions.responders.base import CommandResult

from ..memory.memory_support import SANDBOX_USER, SESSION, Place

#: Another one than the default is for working on the image itself.
IMAGE = os.environ.get("COGNITION_TEST_IMAGE", DEFAULT_IMAGE)
KEPT = 4 << 20  # bytes of output
_USER = "{}:{}".format(*SANDBOX_USER)


class Container:
    """One container without a network on the directories of a Place; `run` is a RunCommand."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.commands: list[str] = []
        self._numbers = itertools.count(1)
        place.paths.deps.mkdir(exist_ok=True)
        mounts = {
            place.paths.repo: "/workspace",
            place.hot: "/memories/hot",
            place.paths.persistent: "/memories/persistent",
            place.paths.deps: "/deps",
            place.tmp: "/tmp",
        }
        for source in mounts:
            if os.geteuid() == 0:
                os.chown(source, *SANDBOX_USER)
        binds = [f"--mount=type=bind,source={s},target={t}" for s, t in mounts.items()]
        self.id = _docker(
            *("run", "--detach", "--rm", "--init", "--network=none", "--read-only"),
            *("--cap-drop=ALL", "--security-opt=no-new-privileges", f"--user={_USER}"),
            *("--label=cognition.test=agent", "--workdir=/workspace", "--pids-limit=512"),
            *("--env=HOME=/tmp/home", "--env=PATH=/deps/bin:/usr/local/bin:/usr/bin:/bin"),
            *binds,
            *(IMAGE, "sleep", "infinity"),
        )

    @property
    def memory(self) -> ProjectMemory:
        return self.place.memory().for_session(SESSION)

    async def run(self, command: str, timeout: float | None = None) -> CommandResult:
        self.commands.append(command)
        mark = f"/dev/shm/run-{next(self._numbers)}"
        inner = f'echo $$ >{mark}; exec sh -c "$0"'
        process = await asyncio.create_subprocess_exec(
            *("docker", "exec", self.id, "setsid", "--wait", "sh", "-c", inner, command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        talk = asyncio.ensure_future(process.communicate())
        try:
            done, _ = await asyncio.wait([talk], timeout=timeout)
            if not done:
                await self._kill(mark)
            output, _ = await talk
        except asyncio.CancelledError:
            await self._kill(mark)
            await talk
            raise
        if process.returncode and b"No such container" in output:
            raise Conflict("The session has no container any more.", "no_container")
        text = output[:KEPT].decode(errors="replace")
        return CommandResult(text, process.returncode if done else None, len(output) > KEPT)

    async def _kill(self, mark: str) -> None:
        kill = f"kill -KILL -$(cat {mark})"
        process = await asyncio.create_subprocess_exec(
            *("docker", "exec", self.id, "sh", "-c", kill), stderr=subprocess.DEVNULL
        )
        await process.wait()

    def sh(self, command: str) -> str:
        """The same for tests that wait."""
        return _docker("exec", self.id, "sh", "-c", command)

    def remove(self) -> None:
        _docker("rm", "--force", self.id)


@contextmanager
def container() -> Iterator[Container]:
    place = Place()
    try:
        made = Container(place)
        try:
            yield made
        finally:
            made.remove()
    finally:
        place.remove()


def _docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
