"""Shell commands in a session's container, beside whatever its kernel runs.

They go through a *subshell* of the kernel (JEP 91, ipykernel 7): a thread of its own, so that
every runtime has them and no second way into the container is needed. What comes back is hostile.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from typing import Any

from ..exceptions import CognitionError, RuntimeUnavailable
from .kernel import KernelGone, SessionKernel
from .responders.base import CommandResult

OUTPUT_BYTES = 1 << 20  # of a command's output that are kept: its beginning and its end
_GRACE = 10.0  # seconds that the kernel may take to answer besides the command's own time
_ABANDONED = 60.0  # seconds that an answer is waited for which nobody wants any more
_ANSWER_CHARACTERS = OUTPUT_BYTES * 8 // 3  # base64 in JSON in base64 takes 16/9

# An expression: it leaves nothing in the user's namespace. The dictionary on `sys` is for `_KILL`;
# when that comes first, it leaves None there.
_RUN = r"""
(lambda names: (exec(r'''
import base64, json, os, select, signal, subprocess, sys, threading
running = sys.__dict__.setdefault('_cognition_commands', {{}})
process = subprocess.Popen(
    ['/bin/sh', '-c', base64.b64decode('{command}').decode('utf-8', 'surrogateescape')],
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
    cwd=os.environ['COGNITION_WORKSPACE'], start_new_session=True,
    env={{**os.environ, 'COGNITION_PYTHON': sys.executable}})
over, late = [], []
def end():
    over.append(1)
    try:
        if process.returncode is None: os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
if running.setdefault('{token}', end) is None: end()
timer = threading.Timer({timeout}, lambda: (late.append(1), end()))
timer.daemon = True
if {timeout}: timer.start()
ready = select.poll()
ready.register(process.stdout, select.POLLIN)
head, tail, size, more = b'', b'', 0, 32
while more:  # what has left the killed group may hold the pipe, or fill it, for ever
    if not ready.poll(200):
        if over: break
        continue
    piece = os.read(process.stdout.fileno(), 1 << 16)
    if not piece:
        break
    if over: more -= 1
    size += len(piece)
    room = {most} // 2 - len(head)
    head, piece = head + piece[:room], piece[room:]
    tail = (tail + piece)[-({most} // 2):]
process.stdout.close()
code = process.wait()
timer.cancel()
running.pop('{token}', None)
said = [base64.b64encode(head + tail).decode(), None if late else code, size > {most}]
result = base64.b64encode(json.dumps(said).encode()).decode()
''', names), names['result'])[1])({{}})
"""
_KILL = """
[end() for end in [__import__('sys').__dict__.setdefault('_cognition_commands', {{}}).setdefault(
  '{token}', None)] if end is not None]
"""


class Commands:
    """Runs commands in one session; several at once if need be. For one event loop."""

    def __init__(self, kernel: SessionKernel) -> None:
        self._kernel = kernel
        #: What nobody waits for any more: it deletes its subshell once that has answered.
        self._abandoned: set[asyncio.Task[Any]] = set()

    async def run(self, command: str, timeout: float | None = None) -> CommandResult:
        """Run `sh -c command` in the workspace; it is killed after `timeout` seconds.

        Cancelled, it kills the command. Raises KernelGone, RuntimeUnavailable, CognitionError.
        """
        token = secrets.token_hex(8)
        encoded = base64.b64encode(command.encode("utf-8", "surrogateescape")).decode()
        source = _RUN.format(command=encoded, token=token, timeout=timeout or 0, most=OUTPUT_BYTES)
        wait = None if timeout is None else timeout + _GRACE
        connection = await self._kernel.connection()
        try:
            text = await self._evaluate(connection, source, wait)
        except BaseException as error:
            if not isinstance(error, KernelGone):
                await asyncio.shield(self._kill(connection, token))
            raise
        return _result(text)

    async def _kill(self, connection: Any, token: str) -> None:
        try:
            await self._evaluate(connection, _KILL.format(token=token), _GRACE)
        except CognitionError:
            pass  # no kernel: no command either

    async def _evaluate(self, connection: Any, expression: str, timeout: float | None) -> str:
        """The text of an expression's value, evaluated in a subshell of the kernel."""
        work = asyncio.ensure_future(self._in_subshell(connection, expression))
        try:
            await asyncio.wait([work], timeout=timeout)
        finally:
            if not work.done():
                self._abandon(work)
        try:
            if work.done():
                return work.result()
        except asyncio.TimeoutError:
            pass
        raise RuntimeUnavailable("The kernel is too busy to run commands.", "kernel_silent")

    def _abandon(self, work: asyncio.Task[str]) -> None:
        self._abandoned.add(work)
        end = asyncio.get_running_loop().call_later(_ABANDONED, work.cancel)

        def over(work: asyncio.Task[str]) -> None:
            end.cancel()
            self._abandoned.discard(work)
            if not work.cancelled():
                work.exception()  # nobody else asks for it

        work.add_done_callback(over)

    async def _in_subshell(self, connection: Any, expression: str) -> str:
        me = asyncio.current_task()
        subshell = await _subshell(connection)
        if me in self._abandoned:
            connection.subshells.append(subshell)
            raise asyncio.CancelledError
        content = {
            "code": "",
            "silent": True,
            "store_history": False,
            "user_expressions": {"result": expression},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        # Only after the answer it is free: to delete one that is at work makes the kernel wait for
        # it, and answer nothing meanwhile.
        answer = await connection.request("execute_request", content, "shell", subshell)
        try:
            text = _value(answer)
        except CognitionError:
            await _delete(connection, subshell)  # maybe the kernel does not know it any more
            raise
        connection.subshells.append(subshell)
        return text


async def _subshell(connection: Any) -> str:
    """A subshell that nobody uses."""
    if connection.subshells:
        return str(connection.subshells.pop())
    made = await asyncio.wait_for(
        connection.request("create_subshell_request", {}, "control"), _GRACE
    )
    subshell = made.get("subshell_id") if isinstance(made, dict) else None
    if not isinstance(subshell, str):
        raise CognitionError(
            "The kernel has no subshells: it needs ipykernel 7.", "commands_unavailable"
        )
    return subshell


async def _delete(connection: Any, subshell: str) -> None:
    """End a subshell's thread, if the kernel does so."""
    content = {"subshell_id": subshell}
    try:
        await asyncio.wait_for(
            connection.request("delete_subshell_request", content, "control"), _GRACE
        )
    except (CognitionError, asyncio.TimeoutError):
        pass


def _value(answer: object) -> str:
    """The text of the value in an `execute_reply`. Raises CognitionError."""
    expressions = answer.get("user_expressions") if isinstance(answer, dict) else None
    result = expressions.get("result") if isinstance(expressions, dict) else None
    if not isinstance(result, dict):
        result = {}
    if result.get("status") == "ok":
        data = result.get("data")
        text = data.get("text/plain") if isinstance(data, dict) else None
        if isinstance(text, str):
            return text
        raise _unsaid()
    said = (result.get("ename"), result.get("evalue"))
    what = ": ".join(part[:300] for part in said if isinstance(part, str))
    raise CognitionError(f"The command could not be run: {what[:300]}.", "command_failed")


def _result(text: str) -> CommandResult:
    """What `_RUN` says: a string of base64 of JSON, in quotes. Raises CognitionError."""
    if len(text) > _ANSWER_CHARACTERS or text[:1] != "'" or text[-1:] != "'":
        raise _unsaid()
    try:
        output, code, truncated = json.loads(base64.b64decode(text[1:-1], validate=True))
        data = base64.b64decode(output, validate=True).decode("utf-8", "replace")
    except (ValueError, TypeError, MemoryError, RecursionError):
        raise _unsaid() from None
    if code is not None and (type(code) is not int or abs(code) >= 1 << 31):
        raise _unsaid()
    return CommandResult(data, code, truncated is True)


def _unsaid() -> CognitionError:
    return CognitionError("The kernel did not say what the command did.", "command_failed")
