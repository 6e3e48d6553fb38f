"""Code and commands in a real kernel, side by side."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import select
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from jupyter_client.multikernelmanager import AsyncMultiKernelManager

from cognition_jupyter.exceptions import CognitionError
from cognition_jupyter.sessions.commands import OUTPUT_BYTES, Commands, _result
from cognition_jupyter.sessions.kernel import KernelGone, SessionKernel

from ..runtimes.support import processes_with

Body = Callable[[SessionKernel, Commands], Awaitable[None]]


@pytest.fixture
def with_kernel(tmp_path: Path) -> Callable[[Body], None]:
    """Run a test with an ordinary local kernel."""

    async def run(body: Body) -> None:
        kernels = AsyncMultiKernelManager(connection_dir=str(tmp_path))
        environment = {**os.environ, "COGNITION_WORKSPACE": str(tmp_path)}
        kernel_id = await kernels.start_kernel(cwd=str(tmp_path), env=environment)
        kernel = SessionKernel(kernels, kernel_id)
        try:
            await asyncio.wait_for(body(kernel, Commands(kernel)), 170)
        finally:
            kernel.lose()
            await kernels.shutdown_all(now=True)

    return lambda body: asyncio.run(run(body))


async def said(kernel: SessionKernel, code: str) -> tuple[str, dict[str, Any]]:
    """Everything on the streams, and the reply's content."""
    text, reply = "", {}
    async for message in kernel.execute(code):
        if message["msg_type"] == "stream":
            text += message["content"]["text"]
        reply = message["content"]
    return text, reply


async def until(holds: Callable[[], Any]) -> None:
    while not holds():  # noqa: ASYNC110 - of another process nothing else can be had
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # a zombie has none
    except OSError:
        return False


def test_code(with_kernel: Callable[[Body], None]) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        assert (await said(kernel, "print('hello')"))[0] == "hello\n"
        text, reply = await said(kernel, "1 / 0")
        assert reply["status"] == "error" and reply["ename"] == "ZeroDivisionError"
        lines = "for i in range(20000): print('line', i)"
        text = (await said(kernel, lines))[0]
        assert text == "".join(f"line {i}\n" for i in range(20000))
        _, reply = await said(kernel, "input('name')")
        assert reply["status"] == "error" and "does not support input" in reply["evalue"]

    with_kernel(body)


def test_commands(with_kernel: Callable[[Body], None], tmp_path: Path) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        result = await commands.run("echo out; echo err >&2; pwd; exit 3")
        assert (result.output, result.exit_code) == (f"out\nerr\n{tmp_path}\n", 3)
        result = await commands.run("printf '\\377'; kill -9 $$")
        assert (result.output, result.exit_code) == ("\N{REPLACEMENT CHARACTER}", -9)
        result = await commands.run(f"head -c {OUTPUT_BYTES * 3} /dev/zero | tr '\\0' x; echo end")
        assert len(result.output) == OUTPUT_BYTES and result.truncated
        assert result.output.startswith("xx") and result.output.endswith("xend\n")
        begun = time.monotonic()
        result = await commands.run("sleep 60 & sleep 61", 0.5)
        assert result.exit_code is None and time.monotonic() - begun < 50
        # Nothing of it is in the user's namespace.
        text, _ = await said(kernel, "print([n for n in dir() if n[0] != '_'])")
        assert text == "['In', 'Out', 'exit', 'get_ipython', 'open', 'quit']\n"

    with_kernel(body)


def test_commands_beside_a_busy_kernel_and_each_other(
    with_kernel: Callable[[Body], None], tmp_path: Path
) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        code = "import os, time\nwhile not os.path.exists('stop'): time.sleep(0.01)\nprint('seen')"
        running = asyncio.ensure_future(said(kernel, code))
        await asyncio.sleep(0.3)
        results = await asyncio.gather(*(commands.run(f"echo {n}") for n in range(5)))
        assert [result.output for result in results] == [f"{n}\n" for n in range(5)]
        assert not running.done()
        await commands.run("touch stop")
        assert (await running)[0] == "seen\n"

    with_kernel(body)


def test_a_cancelled_command_is_killed(with_kernel: Callable[[Body], None], tmp_path: Path) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        command = "echo $$ > pid; exec sleep 600"
        running = asyncio.ensure_future(commands.run(command))
        await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        pid = int((tmp_path / "pid").read_text())
        await until(lambda: not alive(pid))
        assert (await commands.run("echo still")).output == "still\n"

    with_kernel(body)


def test_a_command_cancelled_at_once_is_killed(
    with_kernel: Callable[[Body], None], tmp_path: Path
) -> None:
    """Also when the kernel hears of the end before it has begun."""

    async def body(kernel: SessionKernel, commands: Commands) -> None:
        mark = f"{random.randrange(10**6, 10**7)}.5"
        command = f"sleep {mark}; touch alive; sleep 600"
        for turn in range(20):
            running = asyncio.ensure_future(commands.run(command))
            await asyncio.sleep(turn / 1000)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        await asyncio.sleep(1)
        await until(lambda: not processes_with(mark))
        assert not (tmp_path / "alive").exists()

    with_kernel(body)


def test_what_leaves_a_killed_command_s_group_holds_nothing_up(
    with_kernel: Callable[[Body], None],
) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        for daemon in ("setsid sleep 30 & sleep 30", "setsid timeout 30 yes & sleep 30"):
            begun = time.monotonic()
            result = await commands.run(f"echo begun; {daemon}", 0.5)
            assert result.exit_code is None and result.output.startswith("begun\n")
            assert time.monotonic() - begun < 25

    with_kernel(body)


def test_cancelled_commands_leave_no_threads(with_kernel: Callable[[Body], None]) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        async def threads() -> int:
            code = "import threading; print(sum(t.name[:8] == 'subshell' for t in %s))"
            return int((await said(kernel, code % "threading.enumerate()"))[0])

        await commands.run("true")
        for together in (1, 1, 1, 10):
            running = [
                asyncio.ensure_future(commands.run("setsid sleep 60 & sleep 60"))
                for _ in range(together)
            ]
            await asyncio.sleep(0.3)
            for task in running:
                task.cancel()
            for found in await asyncio.gather(*running, return_exceptions=True):
                assert isinstance(found, asyncio.CancelledError)
        most = 22  # ten that ran, ten that killed; all are kept for the next
        await until(lambda: not commands._abandoned)
        connection = await kernel.connection()
        assert await threads() == len(connection.subshells) <= most
        before = await threads()
        for _ in range(10):
            task = asyncio.ensure_future(commands.run("sleep 60"))
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await until(lambda: not commands._abandoned)
        assert await threads() <= before
        assert (await commands.run("echo still")).output == "still\n"

    with_kernel(body)


def test_interrupted(with_kernel: Callable[[Body], None], tmp_path: Path) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        code = "import time; open('begun', 'w').close(); time.sleep(60)"
        running = asyncio.ensure_future(said(kernel, code))
        await until((tmp_path / "begun").exists)
        begun = time.monotonic()
        await kernel.interrupt()
        _, reply = await running
        assert reply["ename"] == "KeyboardInterrupt" and time.monotonic() - begun < 50

    with_kernel(body)


def test_no_reply_is_missed_that_comes_while_something_is_sent(
    with_kernel: Callable[[Body], None],
) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        connection = await kernel.connection()
        signal = zmq.Socket.shadow(connection._client.shell_channel.socket).fd
        # The loop is busy until the reply is there, and then sends something else first.
        first = connection._send("kernel_info_request", {})
        select.select([signal], [], [], 5)  # nothing is signalled if the send has seen it come
        time.sleep(0.05)  # noqa: ASYNC251 - a send looks for news every few milliseconds only
        second = connection._send("kernel_info_request", {})
        replies = asyncio.gather(connection._reply(first), connection._reply(second))
        await asyncio.wait_for(replies, 60)

    with_kernel(body)


def test_a_kernel_that_dies(with_kernel: Callable[[Body], None]) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        await said(kernel, "x = 1")
        running = asyncio.ensure_future(said(kernel, "import time; time.sleep(60)"))
        command = asyncio.ensure_future(commands.run("sleep 60"))
        await asyncio.sleep(0.5)
        kernel.lose()  # what a restart or an end does
        for task in (running, command):
            with pytest.raises(KernelGone):
                await task
        await kernel.interrupt()
        assert (await said(kernel, "print(x)"))[0] == "1\n"  # connected anew

    with_kernel(body)


def test_what_a_hostile_kernel_answers(with_kernel: Callable[[Body], None]) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        await said(
            kernel, "import builtins; builtins.exec = lambda s, n: n.update(result='[' * 9999)"
        )
        with pytest.raises(CognitionError, match="did not say"):
            await commands.run("true")

    with_kernel(body)


@pytest.mark.parametrize(
    "expressions",
    [
        "[]",
        "7",
        "{'result': []}",
        "{'result': None}",
        "{'result': {'status': 'ok'}}",
        "{'result': {'status': 'ok', 'data': []}}",
        "{'result': {'status': 'ok', 'data': {'text/plain': 7}}}",
        "{'result': {'status': 'ok', 'data': {'text/plain': ''}}}",
        "{'result': {'status': 'ok', 'data': {'text/plain': chr(39)}}}",
        "{'result': {'status': ['ok'], 'ename': [1], 'evalue': {}}}",
        "{'result': {'status': 'error', 'ename': 'x' * 10**6, 'evalue': 'y'}}",
    ],
)
def test_expressions_of_a_hostile_kernel(
    with_kernel: Callable[[Body], None], expressions: str
) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        await said(kernel, f"get_ipython().user_expressions = lambda asked: {expressions}")
        with pytest.raises(CognitionError) as caught:
            await commands.run("true")
        assert caught.value.code == "command_failed" and len(caught.value.message) < 400

    with_kernel(body)


@pytest.mark.parametrize("text", ["'[' + '[],' * 2_000_000 + ']'", "repr('A' * 6_000_000)"])
def test_a_large_answer_does_not_hold_up_the_others(
    with_kernel: Callable[[Body], None], text: str
) -> None:
    async def body(kernel: SessionKernel, commands: Commands) -> None:
        value = f"{{'result': {{'status': 'ok', 'data': {{'text/plain': {text}}}}}}}"
        await said(kernel, f"get_ipython().user_expressions = lambda asked: asked and {value}")
        longest = 0.0

        async def tick() -> None:
            nonlocal longest
            while True:
                begun = time.monotonic()
                await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - begun)

        ticking = asyncio.ensure_future(tick())
        with pytest.raises(CognitionError, match="did not say"):
            await commands.run("true")
        ticking.cancel()
        assert longest < 3

    with_kernel(body)


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 1_000_000,
        b"7",
        b'["", 0]',
        b'["", 1e999, false]',
        b'["", true, false]',
        b'["", 1' + b"0" * 4000 + b", false]",
        b'["?", 0, false]',
        b'[["x"], 0, false]',
        b"\xff",
    ],
)
def test_answers_that_are_none(document: bytes) -> None:
    for text in (f"'{base64.b64encode(document).decode()}'", document.decode("latin-1"), "'\xe9'"):
        with pytest.raises(CognitionError, match="did not say"):
            _result(text)
