"""What bubblewrap and process share: the container is a child process of the server."""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ..exceptions import RuntimeUnavailable
from .base import ContainerSpec, Exit, Found, Runtime, describe_exit

# The kernel signals a child whose parent *thread* ends (PR_SET_PDEATHSIG): children are started
# from this one thread, which lives as long as the process.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cognition-starter")


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    found: Found
    last_words: bytes = b""

    def listen(self) -> None:
        """Keep the end of what it says on standard error; it may say what it likes."""
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            while piece := os.read(stream.fileno(), 4096):
                self.last_words = (self.last_words + piece)[-2000:]

    @property
    def last_line(self) -> str:
        lines = self.last_words.decode(errors="replace").strip().splitlines()
        return "".join(c for c in lines[-1] if c.isprintable())[:300] if lines else ""


class ChildRuntime(Runtime):
    """Base of the runtimes whose containers die with the server and need no engine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._children: dict[str, _Child] = {}

    def _popen(self, spec: ContainerSpec) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    async def start(self, spec: ContainerSpec) -> str:
        container_id = f"{self.name}-{secrets.token_hex(8)}"
        try:
            process = await asyncio.get_running_loop().run_in_executor(
                _STARTER, functools.partial(self._popen, spec)
            )
        except OSError as error:
            raise RuntimeUnavailable(f"{self.name} can't start: {error.strerror}.") from None
        found = Found(container_id, spec.owner, spec.project_id, spec.session_id)
        child = self._children[container_id] = _Child(process, found)
        threading.Thread(target=child.listen, name="cognition-stderr", daemon=True).start()
        return container_id

    def exit_of(self, container_id: str) -> Exit | None:
        child = self._children.get(container_id)
        if child is None:
            return Exit(137, "crashed", "The container is gone.")
        code = child.process.poll()
        if code is None:
            return None
        ended = describe_exit(128 - code if code < 0 else code)
        if code and child.last_line:
            return replace(ended, detail=f"{ended.detail} It said: {child.last_line}")
        return ended

    async def signal(self, container_id: str, signum: int) -> None:
        child = self._children.get(container_id)
        if child is not None and child.process.poll() is None:
            self._send(child.process, signum)

    def _send(self, process: subprocess.Popen[bytes], signum: int) -> None:
        try:
            os.killpg(process.pid, signum)
        except ProcessLookupError:
            pass

    async def remove(self, container_id: str) -> None:
        child = self._children.get(container_id)
        if child is None:
            return
        self._send(child.process, signal.SIGKILL)
        await self.wait(container_id, timeout=10)
        self._children.pop(container_id, None)

    async def found(self) -> list[Found]:
        return [child.found for child in self._children.values()]
