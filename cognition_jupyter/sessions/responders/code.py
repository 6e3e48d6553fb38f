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
INPUT_CHARACTERS = 65_536  # of code and messages that are told again
_PATIENCE = 10.0  # seconds that a kernel may take to be interrupted
_TAIL = 4096
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
#: Last line of pytest's report: `_pytest/terminal.py`, `summary_stats`.
_SUMMARY = re.compile(
    r"^=* ?((?:\d{1,7} [a-z]+(?:, )?)+) in [\d.]+s(?: \([\d:.]+\))? ?=*$", re.MULTILINE
)
_COUNT = re.compile(r"(?<!\d)(\d{1,7}) (passed|failed|errors?|xfailed|xpassed)")


class CodeResponder(Responder):
    """Runs messages one after the other, as cells of a notebook."""

    #: `tool_start` has the code.
    repeats_message = True

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
        self._artifacts = _Artifacts()
        self._tail = ""

    async def follow(self, code: str, kernel: Any) -> None:
        """Run the code and tell all of it."""
        await self._turn.emit("tool_start", tool=TOOL, input=shortened(code))
        exit_code = 1
        async for message in kernel.execute(code):
            kind, content = message["msg_type"], message["content"]
            self._artifacts.hear(kind, content)
            if kind == "stream":
                await self._output(str(content.get("name")), str(content.get("text", "")))
            elif kind == "error":
                await self._error(content)
            elif kind == "execute_reply":
                exit_code = 0 if content.get("status") == "ok" else 1
        artifacts = self._artifacts.all()
        await self._turn.emit("tool_end", tool=TOOL, exit_code=exit_code, artifacts=artifacts)
        await tell_tests(self._turn, self._tail)

    async def _error(self, content: dict[str, Any]) -> None:
        lines = [str(line) for line in content.get("traceback") or []]
        await self._output("stderr", "\n".join(lines) + "\n")

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


class _Artifacts:
    """Rich outputs of one run, as JSON; with a note of those for which there was no room."""

    def __init__(self) -> None:
        self._clear_next = False
        self._clear()

    def _clear(self) -> None:
        self._room = ARTIFACT_CHARACTERS
        self._kept: dict[str | int, str] = {}  # by `display_id`, or a number
        self._number = 0
        self._dropped = 0
        self._first_dropped = ""

    def hear(self, kind: str, content: dict[str, Any]) -> None:
        """Take one message of the kernel, as a notebook would."""
        if kind == "clear_output":
            self._clear_next = bool(content.get("wait"))
            if not self._clear_next:
                self._clear()
            return
        if kind == "update_display_data":
            self._keep_display(content)
        elif kind in ("stream", "display_data", "execute_result", "error"):
            if self._clear_next:
                self._clear_next = False
                self._clear()
            if kind == "error":
                error = {name: content.get(name) for name in ("ename", "evalue", "traceback")}
                self._keep(None, {"application/vnd.jupyter.error": error}, {})
            elif kind != "stream":
                self._keep_display(content)

    def _keep_display(self, content: dict[str, Any]) -> None:
        transient, data = content.get("transient"), content.get("data")
        name = transient.get("display_id") if isinstance(transient, dict) else None
        self._keep(
            name if isinstance(name, str) else None,
            data if isinstance(data, dict) else {},
            content.get("metadata"),
        )

    def _keep(self, name: str | None, data: dict[str, Any], metadata: Any) -> None:
        """Keep a mime bundle, in place of what was there under its name."""
        text = json.dumps({"data": data, "metadata": metadata}, default=repr)
        key: str | int = self._number if name is None else name
        self._number += 1
        self._room += _cost(key, self._kept.get(key))
        if _cost(key, text) <= self._room:
            self._room -= _cost(key, text)
            self._kept[key] = text
            return
        self._kept.pop(key, None)
        self._dropped += 1
        if self._dropped == 1:
            kinds = ", ".join(map(str, data))[:200]
            self._first_dropped = f"{len(text)} characters is not kept: {kinds}"

    def all(self) -> list[dict[str, Any]]:
        """What is kept, and at the end the note."""
        # JSON knows no NaN, which Python writes and reads.
        found = [json.loads(text, parse_constant=lambda name: None) for text in self._kept.values()]
        if self._dropped:
            note = f"an output of {self._first_dropped}"
            if self._dropped > 1:
                note += f"; nor are {self._dropped - 1} after it"
            found.append({"data": {"text/plain": f"[{note}]"}, "metadata": {}})
        return found


def _cost(key: str | int, text: str | None) -> int:
    if text is None:
        return 0
    return len(text) + (len(key) if isinstance(key, str) else 0)


def shortened(code: str) -> str:
    """The beginning of a message or of code, and how much more there was."""
    more = len(code) - INPUT_CHARACTERS
    return code if more <= 0 else f"{code[:INPUT_CHARACTERS]}\n[… {more} characters more]"


async def tell_tests(turn: Turn, output: str) -> None:
    """Tell how tests ended when the end of an output is pytest's report."""
    found = _SUMMARY.findall(_COLOURS.sub("", output.replace("\r\n", "\n")))
    if found and _COUNT.search(found[-1]):
        bad = re.search(r"\d+ (failed|errors?)", found[-1])
        await turn.emit("tests_finished", exit_code=1 if bad else 0, summary=found[-1])


def count_tests(summary: str) -> int:
    """How many tests a summary of pytest counts."""
    return sum(int(count) for count, _ in _COUNT.findall(summary))
