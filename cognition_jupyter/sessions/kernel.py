"""A session's kernel, asked to run code as any front end asks it."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient

from ..exceptions import CognitionError, RuntimeUnavailable

Message = dict[str, Any]
_ASK_AGAIN = 0.2  # seconds between two looks whether the kernel's outputs arrive
_PATIENCE = 60.0  # seconds until a kernel that does not answer is given up
_QUIET = 3.0  # seconds after which a reply without its idle status, or the reverse, is the end
_HELD_BYTES = 64 << 20  # of outputs that nobody has taken yet; what is more is dropped, and said
_LARGEST = 12 << 20  # bytes of one message that are read at once; of a stream, its beginning
_STREAM = re.compile(rb'\{"name": ?"(stdout|stderr)", ?"text": ?"')  # as ipykernel writes it
_DROPPED = "\n[outputs are missing: they came faster than they could be taken, or were too large]\n"


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
        self._closed = False

    async def connection(self) -> _Connection:
        """The connection, once outputs arrive on it. Raises RuntimeUnavailable, KernelGone."""
        async with self._connecting:
            if self._connection is None:
                if self._closed or self._kernel_id not in self._kernels:
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

    def close(self) -> None:
        """The session has ended: there is no other connection any more."""
        self._closed = True
        self.lose()

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
        async with aclosing(connection.execute(code)) as messages:
            async for message in messages:
                yield message


class _Execution:
    """One request and what has come for it so far."""

    def __init__(self, request: str) -> None:
        self.request = request
        self.reply: Message | None = None
        self.lost = False
        self.dropped = False
        self._held: deque[tuple[Message, int]] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    def put(self, message: Message | None, size: int) -> None:
        """Take an output; None for one that was too large to look at."""
        size = min(size, _LARGEST)
        if message is None or self._bytes + size > _HELD_BYTES:
            self.dropped = True
        else:
            self._held.append((message, size))
            self._bytes += size
        self._news.set()

    def end(self, reply: Message | None) -> None:
        """Take the reply; None when the kernel is lost."""
        self.reply, self.lost = reply, reply is None
        self._news.set()

    async def messages(self) -> AsyncGenerator[Message, None]:
        """The outputs, until reply and idle status are there. Raises KernelGone."""
        idle = False
        while True:
            while self._held:
                message, size = self._held.popleft()
                self._bytes -= size
                if message["msg_type"] != "status":
                    yield message
                elif message["content"].get("execution_state") == "idle":
                    idle = True
            if self.lost:
                raise KernelGone("The kernel has died or was restarted.")
            if idle and self.reply is not None:
                break
            self._news.clear()
            try:
                # A kernel that is quicker than its sockets drops what it says, also the last of it.
                half = idle or self.reply is not None
                await asyncio.wait_for(self._news.wait(), _QUIET if half else None)
            except asyncio.TimeoutError:
                self.dropped = self.dropped or not idle
                break
        if self.dropped:
            yield {"msg_type": "stream", "content": {"name": "stderr", "text": _DROPPED}}


class _Connection:
    """Channels to one life of a kernel, and who reads them."""

    def __init__(self, manager: Any) -> None:
        self._client = AsyncKernelClient(context=zmq.asyncio.Context(manager.context))
        self._client.context.setsockopt(zmq.RCVHWM, 0)  # a full queue would drop the last of it
        self._client.load_connection_info(manager.get_connection_info())
        self._client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=True)
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._execution: _Execution | None = None
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
            try:
                await asyncio.wait_for(self._heard.wait(), _ASK_AGAIN)
            except asyncio.TimeoutError:
                continue

    def lose(self) -> None:
        """End everything that waits."""
        self._lost = True
        for task in self._tasks:
            task.cancel()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(KernelGone("The kernel has died or was restarted."))
        if self._execution is not None:
            self._execution.end(None)
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
        sender = getattr(self._client, f"{channel}_channel")
        sender.send(message)
        # It sends past zmq.asyncio, which uses up the wake-up of a reply that comes just then:
        # asked for its events, the socket looks whether there is one.
        sender.socket.get(zmq.EVENTS)
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

    async def execute(self, code: str) -> AsyncGenerator[Message, None]:
        """As `SessionKernel.execute`."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        execution = _Execution(self._send("execute_request", content))
        self._execution = execution
        try:
            async with aclosing(execution.messages()) as messages:
                async for message in messages:
                    yield message
            yield execution.reply or {"msg_type": "execute_reply", "content": {"status": "aborted"}}
        finally:
            if self._execution is execution:
                self._execution = None

    async def _read_replies(self, channel: Any) -> None:
        while True:
            message, _ = await self._receive(channel)
            identity = _parent_of(message)
            if message is None or identity is None:
                continue
            if self._execution is not None and identity == self._execution.request:
                self._execution.end(message)
            elif (reply := self._replies.get(identity)) is not None and not reply.done():
                reply.set_result(message)

    async def _read_outputs(self, channel: Any) -> None:
        """Take everything at once; what is nobody's is dropped."""
        while True:
            message, size = await self._receive(channel)
            self._heard.set()
            execution = self._execution
            if execution is None:
                continue
            if size > _LARGEST and (message is None or _parent_of(message) == execution.request):
                execution.put(None, size)
            if message is not None and _parent_of(message) == execution.request:
                execution.put(message, size)

    async def _receive(self, channel: Any) -> tuple[Message | None, int]:
        """The next message and its bytes; None for one that can't be used: a kernel is hostile."""
        frames: list[bytes] = await channel.socket.recv_multipart()
        size = sum(map(len, frames))
        try:
            _, rest = self._client.session.feed_identities(frames)
            if size > _LARGEST:
                return _beginning(rest), size
            message: Message = self._client.session.deserialize(rest)
            if not isinstance(message["content"], dict):
                return None, size
            return message, size
        except Exception:  # whatever it sends
            return None, size


def _beginning(frames: list[bytes]) -> Message | None:
    """Of a large message on a stream its first part, without parsing all of it.

    `frames`: signature, header, parent header, metadata, content. Raises ValueError.
    """
    content = frames[4]
    begin = _STREAM.match(content)
    header, parent = json.loads(frames[1]), json.loads(frames[2])
    if header.get("msg_type") != "stream" or begin is None:
        return None
    part = content[begin.end() : begin.end() + _LARGEST]
    part = part[: part.rfind(b"\\n")] if b"\\n" in part else part[:-12]  # through no escape
    text = json.loads(b'"' + part.rstrip(b"\\") + b'"')
    name = begin[1].decode()
    return {
        "msg_type": "stream",
        "parent_header": parent,
        "content": {"name": name, "text": text},
    }


def _parent_of(message: Message | None) -> str | None:
    parent = None if message is None else message.get("parent_header")
    identity = parent.get("msg_id") if isinstance(parent, dict) else None
    return identity if isinstance(identity, str) else None
