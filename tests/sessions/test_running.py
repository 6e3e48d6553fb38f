"""What running code tells: streams, rich output, errors, tests, changed files; and its bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.sessions.responders.code import (
    ARTIFACT_CHARACTERS,
    CHUNK,
    INPUT_CHARACTERS,
    OUTPUT_CHARACTERS,
    _Artifacts,
    count_tests,
    tell_tests,
)

from ..support.server import Server
from .client import Socket, stdout

MIB = 1 << 20


@pytest.fixture(scope="module")
def socket(server: Server) -> Iterator[Socket]:
    with Socket(server) as made:
        yield made


@pytest.fixture(scope="module")
def started(socket: Socket) -> Iterator[dict[str, Any]]:
    made = socket.create(user_prefix="running")
    yield made
    socket.send("close_session", session_id=made["session_id"])
    socket.until("session_ended")


def artifacts(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    (end,) = [event for event in events if event["event"] == "tool_end"]
    found: list[dict[str, Any]] = end["artifacts"]
    return found


def test_streams_as_they_come(socket: Socket, started: dict[str, Any]) -> None:
    code = """
import os, sys, time
print("out")
print("err", file=sys.stderr)
sys.stdout.flush()
while not os.path.exists("seen"):
    time.sleep(0.01)
print("after")
"""
    socket.send("execute", session_id=started["session_id"], code=code)
    begin = len(socket.seen)
    while (stdout(socket.seen[begin:]), stdout(socket.seen[begin:], "stderr")) != (
        "out\n",
        "err\n",
    ):
        socket.until("tool_output")
    Path(started["workspace_path"], "seen").touch()
    socket.until_said("after\n")
    socket.until("done")


def test_rich_output(socket: Socket, started: dict[str, Any]) -> None:
    code = """
from IPython.display import HTML, JSON, Image, display
display(HTML("<b>bold</b>"), metadata={"text/html": {"isolated": True}})
display({"application/json": {"text": "\\u2028"}}, raw=True)
display(Image(data=b"\\x89PNG\\r\\n", format="png"))
7
"""
    html, js, image, value = artifacts(socket.run(started["session_id"], code))
    assert html["data"]["text/html"] == "<b>bold</b>"
    assert html["metadata"] == {"text/html": {"isolated": True}}
    assert js["data"]["application/json"] == {"text": "\u2028"}
    assert image["data"]["image/png"].startswith("iVBORw0K")
    assert value["data"] == {"text/plain": "7"}


def test_errors_with_their_traceback(socket: Socket, started: dict[str, Any]) -> None:
    events = socket.run(started["session_id"], "def f():\n    raise ValueError('bad')\nf()")
    assert events[-2]["exit_code"] == 1
    assert "ValueError" in stdout(events, "stderr")
    (error,) = artifacts(events)
    error = error["data"]["application/vnd.jupyter.error"]
    assert (error["ename"], error["evalue"]) == ("ValueError", "bad") and error["traceback"]
    events = socket.run(started["session_id"], "name = input('Your name? ')")
    assert "does not support input requests" in stdout(events, "stderr")
    events = socket.run(started["session_id"], "1 +")
    assert "SyntaxError" in stdout(events, "stderr")


def test_one_hundred_megabytes_are_cut_and_cost_no_memory(
    socket: Socket, started: dict[str, Any], server: Server
) -> None:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status")

    def memory(name: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024

    code = "for n in range(100_000): print('x' * 999)"
    events = socket.run(started["session_id"], code)
    text = stdout(events)
    assert len(text) == OUTPUT_CHARACTERS and events[-2]["exit_code"] == 0
    assert "output beyond 10000000 characters is not kept" in stdout(events, "stderr")
    chunks = [len(event["chunk"]) for event in events if event["event"] == "tool_output"]
    assert max(chunks) <= CHUNK
    # What the kernel says in 0.2 s comes as one message, and Jupyter reads it, too.
    held = memory("VmRSS")
    assert memory("VmHWM") < 700 * MIB
    for _ in range(2):
        socket.run(started["session_id"], code)
    assert memory("VmRSS") < held + 100 * MIB
    events = socket.run(started["session_id"], "print('still quick')")
    assert stdout(events) == "still quick\n"


def test_large_artifacts_are_named(socket: Socket, started: dict[str, Any]) -> None:
    code = f"""
from IPython.display import display
display({{"text/plain": "small"}}, raw=True)
display({{"image/svg+xml": "x" * {ARTIFACT_CHARACTERS}, "text/plain": "large"}}, raw=True)
"""
    small, large = artifacts(socket.run(started["session_id"], code))
    assert small["data"] == {"text/plain": "small"}
    assert large["data"]["text/plain"].endswith("is not kept: image/svg+xml, text/plain]")


def test_outputs_for_which_there_is_no_room_are_counted(
    socket: Socket, started: dict[str, Any]
) -> None:
    code = f"""
from IPython.display import display
large = "x" * {ARTIFACT_CHARACTERS}
for n in range(12):
    display({{"text/plain": large}}, raw=True)
display({{"text/plain": "small"}}, raw=True)
"""
    small, note = artifacts(socket.run(started["session_id"], code))
    assert small["data"] == {"text/plain": "small"}
    assert note["data"]["text/plain"].endswith("not kept: text/plain; nor are 11 after it]")


def test_displays_are_updated_and_cleared(socket: Socket, started: dict[str, Any]) -> None:
    code = f"""
from IPython.display import clear_output, display
def show(text, **options): return display({{"text/plain": text}}, raw=True, **options)
show("gone"); clear_output()
one, two = show("one", display_id=True), show("two", display_id=True)
show("plain")
for n in range(20):  # each alone has room
    two.update({{"text/plain": str(n) + "x" * {ARTIFACT_CHARACTERS // 2}}}, raw=True)
two.update({{"text/plain": "end"}}, raw=True)
"""
    found = artifacts(socket.run(started["session_id"], code))
    assert [a["data"]["text/plain"] for a in found] == ["one", "end", "plain"]
    code = """
one.update({"text/plain": "of another run"}, raw=True)
clear_output(wait=True); one.update({"text/plain": "newer"}, raw=True)
"""
    found = artifacts(socket.run(started["session_id"], code))
    assert [a["data"]["text/plain"] for a in found] == ["newer"]
    code = "one.update({'text/plain': '1'}, raw=True); clear_output(wait=True); print('next')"
    assert artifacts(socket.run(started["session_id"], code)) == []


def test_long_code_is_told_in_part(socket: Socket, started: dict[str, Any]) -> None:
    code = "print('run')" + "#" * INPUT_CHARACTERS
    events = socket.run(started["session_id"], code)
    assert events[0]["input"] == code[:INPUT_CHARACTERS] + "\n[… 12 characters more]"
    assert stdout(events) == "run\n"
    code = code[:INPUT_CHARACTERS]
    assert socket.run(started["session_id"], code)[0]["input"] == code


@pytest.mark.parametrize("content", [{}, {"data": [], "transient": 7}, {"data": {"a": 1}}])
def test_artifacts_of_a_hostile_kernel(content: dict[str, Any]) -> None:
    artifacts = _Artifacts()
    for kind in ("display_data", "update_display_data", "error", "clear_output", "error"):
        artifacts.hear(kind, content)
    assert len(artifacts.all()) == 1
    for _ in range(300_000):
        artifacts.hear("display_data", content)
    assert len(json.dumps(artifacts.all())) < ARTIFACT_CHARACTERS * 1.1


def test_statistics_are_true(socket: Socket, server: Server) -> None:
    started = socket.create(user_prefix="counted")
    session_id, project_id = started["session_id"], started["project_id"]

    def statistics() -> tuple[int, int, int]:
        found = server.call("GET", f"/api/projects/{project_id}")["statistics"]
        return found["total_messages"], found["files_modified"], found["tests_run"]

    socket.run(session_id, "open('before git', 'w').write('1')", "user_msg")
    assert statistics() == (1, 0, 0)  # without git nobody knows
    setup = """
!git init -q . && git config user.email a@example.test && git config user.name a
!git add -A && git commit -qm one
"""
    events = socket.run(session_id, setup)
    assert [e for e in events if e["event"] == "diff_applied"] == []
    code = """
open('before git', 'a').write('2')
open('caf\\xe9', 'w').write('new')
import os; os.makedirs('sub'); open('sub/x', 'w').close()
"""
    events = socket.run(session_id, code)
    (diff,) = [e for e in events if e["event"] == "diff_applied"]
    assert diff["files_changed"] == ["before git", "caf\xe9", "sub/x"]
    assert "-1\n" in diff["diff_preview"] and "+12\n" in diff["diff_preview"]
    assert statistics() == (3, 3, 0)
    socket.run(session_id, "print('changes nothing')")
    assert statistics() == (4, 3, 0)
    # The same file again counts again; one that goes back to what it was, too.
    socket.run(session_id, "open('before git', 'a').write('3')")
    socket.run(session_id, "!git checkout -q -- 'before git'")
    assert statistics() == (6, 5, 0)
    test = """
%%writefile test_it.py
def test_one(): pass
def test_two(): pass
def test_three(): assert False
"""
    socket.run(session_id, test.lstrip())
    events = socket.run(session_id, "!python3 -m pytest -q -p no:cacheprovider test_it.py")
    (tests,) = [e for e in events if e["event"] == "tests_finished"]
    assert tests["exit_code"] == 1 and tests["summary"] == "1 failed, 2 passed"
    assert statistics()[2] == 3
    socket.send("close_session", session_id=session_id)
    socket.until("session_ended")
    assert (
        server.call("GET", f"/api/projects/{project_id}")["statistics"]["total_duration_seconds"]
        > 0
    )


def test_git_s_configuration_runs_nothing_on_the_host(socket: Socket, server: Server) -> None:
    """A repository's configuration can name programs: they run in the container, if anywhere."""
    started = socket.create(user_prefix="hostile")
    session_id = started["session_id"]
    code = """
!git init -q . && git config core.fsmonitor 'touch /workspace/ran-monitor; id > /tmp/ran'
!git config diff.external 'touch /workspace/ran-diff' && git config core.pager 'touch /workspace/x'
"""
    socket.run(session_id, code)
    events = socket.run(session_id, "open('a', 'w').write('1')")
    assert [e["event"] for e in events][-2:] == ["diff_applied", "done"]
    names = {p.name for p in Path(started["workspace_path"]).iterdir()}
    assert names == {".git", "a", "ran-monitor"} or names == {".git", "a"}
    assert not Path("/tmp/ran").exists()
    socket.send("close_session", session_id=session_id)
    socket.until("session_ended")


class Told:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def emit(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, **fields})


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("===== 3 passed in 0.12s =====\n", (0, "3 passed", 3)),
        ("== 1 failed, 2 passed, 3 skipped, 1 warning in 61.20s (0:01:01) ==", (1, None, 3)),
        ("\x1b[32m== \x1b[1m3 passed\x1b[0m\x1b[32m in 0.01s\x1b[0m ==\x1b[0m", (0, None, 3)),
        ("2 passed in 0.00s\r\n", (0, "2 passed", 2)),
        ("1 error in 0.10s", (1, "1 error", 1)),
        ("5 passed, 1 xfailed, 1 xpassed in 0.10s", (0, None, 7)),
        ("no tests ran in 0.00s", None),
        ("I have 3 passed exams in 2s of thinking", None),
        ("3 apples in 0.1s", None),
        ("9999999 passed in 0.10s", (0, None, 9999999)),
        ("12345678 passed in 0.10s", None),
        (f"{'1' * 4400} passed, 1 failed in 0.10s", None),
        (f"1 passed, {'1' * 4000} failed in 0.10s", None),
        ("", None),
    ],
)  # fmt: skip
def test_pytest_s_last_line(output: str, told: tuple[int, str | None, int] | None) -> None:
    turn = Told()
    asyncio.run(tell_tests(turn, "collected\n" + output))
    if told is None:
        assert turn.events == []
        return
    (event,) = turn.events
    assert event["exit_code"] == told[0] and count_tests(event["summary"]) == told[2]
    assert told[1] is None or event["summary"] == told[1]
    assert json.dumps(event)


def test_numbers_that_are_none() -> None:
    assert count_tests(f"{'1' * 5000} passed, 12345678 failed, 3 errors") == 3
