"""The responder where no agent is configured: a message is code for the session's kernel."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import Any

from ...exceptions import CognitionError
from .base import Responder, ResponderContext, Turn

TOOL = "python"
CHUNK = 1 << 16  # characters of one `tool_output`
OUTPUT_CHARACTERS = 10_000_000  # of one run that are kept
ARTIFACT_CHARACTERS = 4_000_000  # of all rich outputs of one run, as JSON
_PATIENCE = 10.0  # seconds that a kernel may take to be interrupted
_TAIL = 4096
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
#: Last line of pytest's report: `_pytest/terminal.py`, `summary_stats`.
_SUMMARY = re.compile(
    r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s(?: \([\d:.]+\))? ?=*$", re.MULTILINE
)
_COUNT = re.compile(r"(\d+) (passed|failed|errors?|xfailed|xpassed)")


class CodeResponder(Responder):
    """Runs messages one after the other, as cells of a notebook."""

    def __init__(self, context: ResponderContext, parent: object = None) -> None:
        self._kernel = context.kernel

    async def respond(self, content: str, turn: Turn) -> None:
        """Run `content`. Raises CognitionError when the kernel dies or can't be interrupted."""
        run = asyncio.ensure_future(_Run(turn).follow(content, self._kernel))
        try:
            await asyncio.shield(run)
        except asyncio.CancelledError:
            with suppress(Exception):  # a kernel that ends just now can't be: its end is told
                await self._kernel.interrupt()
            done, _ = await asyncio.wait([run], timeout=_PATIENCE)
            if not done:
                run.cancel()
                await asyncio.gather(run, return_exceptions=True)
                raise CognitionError(
                    f"The kernel was not interrupted within {_PATIENCE:.0f} s; restart it.",
                    "not_interrupted",
                ) from None
            with suppress(CognitionError):
                run.result()
            raise


class _Run:
    """What one run has said so far."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._room = OUTPUT_CHARACTERS
        self._artifact_room = ARTIFACT_CHARACTERS
        self._artifacts: list[dict[str, Any]] = []
        self._tail = ""

    async def follow(self, code: str, kernel: Any) -> None:
        """Run the code and tell all of it."""
        await self._turn.emit("tool_start", tool=TOOL, input=code)
        exit_code = 1
        async for message in kernel.execute(code):
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                await self._output(str(content.get("name")), str(content.get("text", "")))
            elif kind in ("display_data", "execute_result", "update_display_data"):
                self._keep({"data": content.get("data", {}), "metadata": content.get("metadata")})
            elif kind == "error":
                await self._error(content)
            elif kind == "execute_reply":
                exit_code = 0 if content.get("status") == "ok" else 1
        await self._turn.emit("tool_end", tool=TOOL, exit_code=exit_code, artifacts=self._artifacts)
        await tell_tests(self._turn, self._tail)

    async def _error(self, content: dict[str, Any]) -> None:
        lines = [str(line) for line in content.get("traceback") or []]
        await self._output("stderr", "\n".join(lines) + "\n")
        error = {name: content.get(name) for name in ("ename", "evalue", "traceback")}
        self._keep({"data": {"application/vnd.jupyter.error": error}, "metadata": {}})

    async def _output(self, stream: str, text: str) -> None:
        """Tell a piece of a stream, in chunks, as long as there is room."""
        self._tail = (self._tail + text[-_TAIL:])[-_TAIL:]
        if self._room <= 0:
            return
        text, more = text[: self._room], len(text) > self._room
        self._room -= len(text)
        name = "stderr" if stream == "stderr" else "stdout"
        for at in range(0, len(text), CHUNK):
            await self._turn.emit(
                "tool_output", tool=TOOL, stream=name, chunk=text[at : at + CHUNK]
            )
        if more or self._room <= 0:
            self._room = 0
            note = f"\n[output beyond {OUTPUT_CHARACTERS} characters is not kept]\n"
            await self._turn.emit("tool_output", tool=TOOL, stream="stderr", chunk=note)

    def _keep(self, artifact: dict[str, Any]) -> None:
        """Keep a mime bundle; of a large one only its text, or that it was there."""
        text = json.dumps(artifact, default=repr)
        if len(text) > self._artifact_room:
            kinds = ", ".join(map(str, artifact["data"]))[:200]
            note = f"[an output of {len(text)} characters is not kept: {kinds}]"
            text = json.dumps({"data": {"text/plain": note}, "metadata": {}})
        self._artifact_room -= len(text)
        # JSON knows no NaN, which Python writes and reads.
        self._artifacts.append(json.loads(text, parse_constant=lambda name: None))


async def tell_tests(turn: Turn, output: str) -> None:
    """Tell how tests ended when the end of an output is pytest's report."""
    found = _SUMMARY.findall(_COLOURS.sub("", output.replace("\r\n", "\n")))
    if found and _COUNT.search(found[-1]):
        bad = re.search(r"\d+ (failed|errors?)", found[-1])
        await turn.emit("tests_finished", exit_code=1 if bad else 0, summary=found[-1])


def count_tests(summary: str) -> int:
    """How many tests a summary of pytest counts."""
    return sum(int(count) for count, _ in _COUNT.findall(summary))
