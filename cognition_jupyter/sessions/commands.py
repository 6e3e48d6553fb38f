"""Shell commands in a session's container, beside whatever its kernel runs.

They go through a *subshell* of the kernel (JEP 91, ipykernel 7): a thread of its own, so that
every runtime has them and no second way into the container is needed. What comes back is hostile.
"""

from __future__ import annotations

import ast
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

# An expression: it leaves nothing in the user's namespace. The dictionary on `sys` is for `_KILL`.
_RUN = r"""
(lambda names: (exec(r'''
import base64, json, os, signal, subprocess, sys, threading
running = sys.__dict__.setdefault('_cognition_commands', {{}})
process = subprocess.Popen(
    ['/bin/sh', '-c', base64.b64decode('{command}').decode('utf-8', 'surrogateescape')],
    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    cwd=os.environ['COGNITION_WORKSPACE'], start_new_session=True,
    env={{**os.environ, 'COGNITION_PYTHON': sys.executable}})
running['{token}'] = process
def end():
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
late = []
timer = threading.Timer({timeout}, lambda: (late.append(1), end()))
timer.daemon = True
if {timeout}: timer.start()
head, tail, size = b'', b'', 0
while True:
    piece = process.stdout.read1(1 << 16)
    if not piece:
        break
    size += len(piece)
    room = {most} // 2 - len(head)
    head, piece = head + piece[:room], piece[room:]
    tail = (tail + piece)[-({most} // 2):]
code = process.wait()
timer.cancel()
running.pop('{token}', None)
result = json.dumps([base64.b64encode(head + tail).decode(), None if late else code, size > {most}])
''', names), names['result'])[1])({{}})
"""
_KILL = """
(lambda sys, os: [os.killpg(process.pid, 9) for process in
  [sys.__dict__.get('_cognition_commands', {{}}).get('{token}')] if process is not None])(
    __import__('sys'), __import__('os'))
"""


class Commands:
    """Runs commands in one session; several at once if need be. For one event loop."""

    def __init__(self, kernel: SessionKernel) -> None:
        self._kernel = kernel

    async def run(self, command: str, timeout: float | None = None) -> CommandResult:
        """Run `sh -c command` in the workspace; it is killed after `timeout` seconds.

        Cancelled, it kills the command. Raises KernelGone, RuntimeUnavailable, CognitionError.
        """
        token = secrets.token_hex(8)
        encoded = base64.b64encode(command.encode("utf-8", "surrogateescape")).decode()
        source = _RUN.format(command=encoded, token=token, timeout=timeout or 0, most=OUTPUT_BYTES)
        try:
            text = await self._evaluate(source, None if timeout is None else timeout + _GRACE)
        except BaseException as error:
            if not isinstance(error, KernelGone):
                await asyncio.shield(self._kill(token))
            raise
        try:
            output, code, truncated = json.loads(ast.literal_eval(text))
            data = base64.b64decode(output).decode("utf-8", "replace")
            return CommandResult(data, None if code is None else int(code), bool(truncated))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise CognitionError(
                "The kernel did not say what the command did.", "command_failed"
            ) from None

    async def _kill(self, token: str) -> None:
        try:
            await self._evaluate(_KILL.format(token=token), _GRACE)
        except CognitionError:
            pass  # no kernel: no command either

    async def _evaluate(self, expression: str, timeout: float | None) -> str:
        """The text of an expression's value, evaluated in a subshell of the kernel."""
        connection = await self._kernel.connection()
        try:
            return await asyncio.wait_for(self._in_subshell(connection, expression), timeout)
        except asyncio.TimeoutError:
            raise RuntimeUnavailable(
                "The kernel is too busy to run commands.", "kernel_silent"
            ) from None

    async def _in_subshell(self, connection: Any, expression: str) -> str:
        if connection.subshells:
            subshell = connection.subshells.pop()
        else:
            made = await asyncio.wait_for(
                connection.request("create_subshell_request", {}, "control"), _GRACE
            )
            subshell = made.get("subshell_id")
            if not isinstance(subshell, str):
                raise CognitionError(
                    "The kernel has no subshells: it needs ipykernel 7.", "commands_unavailable"
                )
        content = {
            "code": "",
            "silent": True,
            "store_history": False,
            "user_expressions": {"result": expression},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        answer = await connection.request("execute_request", content, "shell", subshell)
        connection.subshells.append(subshell)  # not after a cancellation: it is still at work
        result = answer.get("user_expressions", {}).get("result", {})
        if result.get("status") != "ok":
            what = f"{result.get('ename', '')}: {result.get('evalue', '')}"
            raise CognitionError(f"The command could not be run: {what[:300]}.", "command_failed")
        return str(result.get("data", {}).get("text/plain", ""))
