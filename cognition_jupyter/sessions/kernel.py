"""A session's kernel, asked to run code as any front end asks it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient

from ..exceptions import CognitionError, RuntimeUnavailable

Message = dict[str, Any]
_ASK_AGAIN = 0.2  # seconds between two looks whether the kernel's outputs arrive
_PATIENCE = 60.0  # seconds until a kernel that does not answer is given up
_AHEAD = 16  # outputs that are read before somebody takes them; the rest waits at the kernel


class KernelGone(CognitionError):
    """The kernel has died or was restarted while it ran something."""

    status = 409
    code = "kernel_died"


class SessionKernel:
    """A connection to the kernel `kernel_id`, opened when it is first needed. For one loop.

    Commands in subshells may run at any time, but only one `execute` at once.
    """

    def __init__(self, kernels: Any, kernel_id: str) -> None:
        """`kernels`: Jupyter's kernel manager, which starts, restarts and interrupts."""
        self._kernels = kernels
        self._kernel_id = kernel_id
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()

    async def connection(self) -> _Connection:
        """The connection, once outputs arrive on it. Raises RuntimeUnavailable, KernelGone."""
        async with self._connecting:
            if self._connection is None:
                if self._kernel_id not in self._kernels:
                    raise KernelGone("The session's kernel is gone.")
                made = _Connection(self._kernels.get_kernel(self._kernel_id))
                try:
                    await made.open()
                except BaseException:
                    made.lose()
                    raise
                self._connection = made
            return self._connection

    def lose(self) -> None:
        """The kernel was restarted or has ended: whatever runs on this connection is over."""
        made, self._connection = self._connection, None
        if made is not None:
            made.lose()

    async def interrupt(self) -> None:
        """Interrupt what the kernel runs."""
        result = self._kernels.interrupt_kernel(self._kernel_id)
        if inspect.isawaitable(result):
            await result

    async def execute(self, code: str) -> AsyncIterator[Message]:
        """Run code and give each message of its outputs, the `execute_reply` last.

        Without a standard input: `input()` raises in the kernel. Raises KernelGone.
        """
        connection = await self.connection()
        async for message in connection.execute(code):
            yield message


class _Connection:
    """Channels to one life of a kernel, and who reads them."""

    def __init__(self, manager: Any) -> None:
        self._client = AsyncKernelClient(context=zmq.asyncio.Context(manager.context))
        self._client.load_connection_info(manager.get_connection_info())
        self._client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=True)
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._outputs: tuple[str, asyncio.Queue[Message | None]] | None = None
        self._heard = asyncio.Event()
        self._lost = False
        channels = (self._client.shell_channel, self._client.control_channel)
        self._tasks = [asyncio.ensure_future(self._read_replies(c)) for c in channels]
        self._tasks.append(asyncio.ensure_future(self._read_outputs(self._client.iopub_channel)))
        #: Subshells of this kernel that nobody uses just now.
        self.subshells: list[str] = []

    async def open(self) -> None:
        """Wait until the kernel answers and is heard. Raises KernelGone, RuntimeUnavailable."""
        try:
            await asyncio.wait_for(self._hear(), _PATIENCE)
        except asyncio.TimeoutError:
            raise RuntimeUnavailable(
                f"The kernel does not answer within {_PATIENCE:.0f} s.", "kernel_silent"
            ) from None

    async def _hear(self) -> None:
        """Ask again and again: what it says before we are subscribed reaches nobody.

        Only a kernel that has answered on its shell channel can make subshells.
        """
        await self.request("kernel_info_request", {})
        while not self._heard.is_set():
            self._send("kernel_info_request", {})
            await asyncio.wait([asyncio.ensure_future(self._heard.wait())], timeout=_ASK_AGAIN)

    def lose(self) -> None:
        """End everything that waits."""
        self._lost = True
        for task in self._tasks:
            task.cancel()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(KernelGone("The kernel has died or was restarted."))
        if self._outputs is not None:
            queue = self._outputs[1]
            while queue.full():
                queue.get_nowait()
            queue.put_nowait(None)
        self._client.stop_channels()

    def _send(
        self,
        kind: str,
        content: dict[str, Any],
        channel: str = "shell",
        subshell: str | None = None,
    ) -> str:
        if self._lost:
            raise KernelGone("The kernel has died or was restarted.")
        message = self._client.session.msg(kind, content)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        getattr(self._client, f"{channel}_channel").send(message)
        return str(message["header"]["msg_id"])

    async def request(
        self,
        kind: str,
        content: dict[str, Any],
        channel: str = "shell",
        subshell: str | None = None,
    ) -> dict[str, Any]:
        """Send a request and wait for the content of its reply. Raises KernelGone."""
        identity = self._send(kind, content, channel, subshell)
        message = await self._reply(identity)
        answer: dict[str, Any] = message["content"]
        return answer

    async def _reply(self, identity: str) -> Message:
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._replies[identity] = reply
        try:
            return await reply
        finally:
            self._replies.pop(identity, None)

    async def execute(self, code: str) -> AsyncIterator[Message]:
        """As `SessionKernel.execute`."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        request = self._send("execute_request", content)
        queue: asyncio.Queue[Message | None] = asyncio.Queue(_AHEAD)
        self._outputs = (request, queue)
        reply = asyncio.ensure_future(self._reply(request))
        try:
            while True:
                message = await queue.get()
                if message is None:
                    raise KernelGone("The kernel has died or was restarted.")
                if message["msg_type"] != "status":
                    yield message
                elif message["content"].get("execution_state") == "idle":
                    break
            yield await reply
        finally:
            self._outputs = None
            while not queue.empty():  # the reader may stand waiting for room
                queue.get_nowait()
            reply.cancel()
            await asyncio.gather(reply, return_exceptions=True)

    async def _read_replies(self, channel: Any) -> None:
        while True:
            message: Message = await channel.get_msg()
            reply = self._replies.get(message["parent_header"].get("msg_id", ""))
            if reply is not None and not reply.done():
                reply.set_result(message)

    async def _read_outputs(self, channel: Any) -> None:
        """Take outputs at the pace of who wants them; what is nobody's is dropped at once."""
        while True:
            message: Message = await channel.get_msg()
            self._heard.set()
            if self._outputs is not None:
                request, queue = self._outputs
                if message["parent_header"].get("msg_id") == request:
                    await queue.put(message)
