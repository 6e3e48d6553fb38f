"""What bubblewrap and process share: the container is a child process of the server."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import threading
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..exceptions import RuntimeUnavailable
from .base import ContainerSpec, Exit, Found, Runtime, describe_exit
from .usage import Usage, usage_of_processes

# The kernel signals a child whose parent *thread* ends (PR_SET_PDEATHSIG): children are started
# from this one thread, which lives as long as the process.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cognition-starter")

_LAST_WORDS = 2000  # bytes of standard error that are kept
_REMEMBERED = 1000  # exits of containers that have been removed


class Child:
    """A running child, and how it ended."""

    def __init__(self, process: subprocess.Popen[bytes], found: Found) -> None:
        self.process = process
        self.pid = process.pid
        self.found = found
        self.ended: Exit | None = None
        self._last_words = b""
        self._listener = threading.Thread(target=self._listen, name="cognition-stderr", daemon=True)
        self._listener.start()
        threading.Thread(target=self._watch, name="cognition-child", daemon=True).start()

    def _listen(self) -> None:
        """Keep the end of what it says on standard error; it may say what it likes."""
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            while piece := os.read(stream.fileno(), 4096):
                self._last_words = (self._last_words + piece)[-_LAST_WORDS:]

    def _watch(self) -> None:
        # It is left a zombie: as long as it is one, nobody else can have its pid or group.
        try:
            info = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:  # somebody else in this process has waited for it
            info = None
        if info is None:
            code = 255
        elif info.si_code == os.CLD_EXITED:
            code = info.si_status
        else:
            code = 128 + info.si_status
        # What it said is read by now, unless a child of its own holds its standard error open.
        self._listener.join(0.2)
        ended = describe_exit(code)
        lines = self._last_words.decode(errors="replace").strip().splitlines()
        said = "".join(c for c in lines[-1] if c.isprintable())[:300] if lines else ""
        if code and said:
            ended = replace(ended, detail=f"{ended.detail} It said: {said}")
        self.ended = ended

    def reap(self) -> None:
        """Let go of the ended process; from now on its pid may be another's."""
        self.process.wait()


class ChildRuntime(Runtime):
    """Base of the runtimes whose containers die with the server and need no engine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._children: dict[str, Child] = {}
        self._exits: dict[str, Exit] = {}

    @abstractmethod
    def _popen(self, spec: ContainerSpec) -> subprocess.Popen[bytes]:
        """Start the process, in a session of its own. Raises OSError, Forbidden and the like."""

    async def start(self, spec: ContainerSpec) -> str:
        container_id = f"{self.name}-{secrets.token_hex(8)}"
        work = asyncio.get_running_loop().run_in_executor(_STARTER, self._start, spec, container_id)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            await self.remove(container_id)
            raise
        except OSError as error:
            raise RuntimeUnavailable(
                f"The runtime {self.name} can't start the kernel: {error}."
            ) from None
        return container_id

    def _start(self, spec: ContainerSpec, container_id: str) -> None:
        found = Found(container_id, spec.owner, spec.project_id, spec.session_id)
        self._children[container_id] = Child(self._popen(spec), found)

    def exit_of(self, container_id: str) -> Exit | None:
        child = self._children.get(container_id)
        return child.ended if child else self._exits.get(container_id)

    async def signal(self, container_id: str, signum: int) -> None:
        child = self._children.get(container_id)
        if child is None or child.ended is not None:
            return
        if signum == signal.SIGKILL:
            await self._kill(child)
        else:
            self._send(child.pid, signum)

    def _send(self, pid: int, signum: int) -> None:
        """Signal the process group of a child that is not reaped yet."""
        send(pid, signum, group=True)

    async def _kill(self, child: Child) -> None:
        """End the child, which is not reaped yet, and what it has started."""
        send(child.pid, signal.SIGKILL, group=True)

    async def remove(self, container_id: str) -> None:
        child = self._children.get(container_id)
        if child is None:
            return
        await self._kill(child)
        ended = await self.wait(container_id, timeout=10)
        if ended is None:
            raise RuntimeUnavailable(f"The kernel {container_id} can't be killed.")
        if self._children.pop(container_id, None) is not None:
            child.reap()
            self._exits[container_id] = ended
            if len(self._exits) > _REMEMBERED:
                del self._exits[next(iter(self._exits))]

    async def usage(self, container_id: str) -> Usage:
        child = self._children.get(container_id)
        if child is None or child.ended is not None:
            return Usage()
        return await asyncio.to_thread(usage_of_processes, child.pid, children_of)

    async def found(self) -> list[Found]:
        return [child.found for child in self._children.values()]


def send(pid: int, signum: int, group: bool = False) -> None:
    """Signal a process, or all of its group; no error if it is gone."""
    try:
        (os.killpg if group else os.kill)(pid, signum)
    except (ProcessLookupError, PermissionError):  # the latter: a setuid program
        pass


def children_of(pid: int) -> list[int]:
    """The processes that this one has started and that still run, oldest first."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
