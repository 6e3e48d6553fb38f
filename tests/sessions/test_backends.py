"""Memory as deepagents' backends, and commands from any thread."""

from __future__ import annotations

import asyncio
import base64
import inspect
import threading
from typing import Any

import pytest

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from deepagents.backends.protocol import BackendProtocol

from cognition_jupyter.exceptions import Conflict
from cognition_jupyter.sessions.responders.backends import Elsewhere, ProjectBackend
from cognition_jupyter.sessions.responders.base import CommandResult
from cognition_jupyter.sessions.responders.memory_backend import BINARY_BYTES, MemoryBackend
from cognition_jupyter.sessions.responders.sandbox import ProjectSandbox

from ..memory.memory_support import SESSION, Place


class Commands:
    """Remembers what was to be run, and on which loop and thread."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, float | None]] = []
        self.where: set[tuple[Any, Any]] = set()

    async def __call__(self, command: str, timeout: float | None = None) -> CommandResult:
        self.ran.append((command, timeout))
        self.where.add((asyncio.get_running_loop(), threading.current_thread()))
        await asyncio.sleep(0)
        return CommandResult("said", 3, True)


def backend(here: Place, routes: object = None, commands: Any = None) -> ProjectBackend:
    memory = here.memory(routes).for_session(SESSION)
    loop = asyncio.new_event_loop()
    made = Elsewhere(SESSION, memory, commands or Commands(), loop)
    loop.close()
    return ProjectBackend(memory, made)


def test_all_of_the_protocol_is_there_in_both_kinds() -> None:
    own = vars(MemoryBackend)
    for name, method in vars(BackendProtocol).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            assert name in own, name
            given, wanted = inspect.signature(own[name]), inspect.signature(method)
            assert [*given.parameters] == [*wanted.parameters], name


@pytest.mark.parametrize("later", [False, True])
def test_files_through_each_route(here: Place, later: bool) -> None:
    made = backend(here)

    def do(name: str, *arguments: Any, **more: Any) -> Any:
        method = getattr(made, f"a{name}" if later else name)
        result = method(*arguments, **more)
        return asyncio.run(result) if later else result

    behind = {
        "/workspace": here.paths.repo,
        "/memories/hot": here.hot,
        "/memories/persistent": here.paths.persistent,
        "/tmp": here.tmp,
    }
    for route, directory in behind.items():
        path = f"{route}/a/notes.md"
        assert do("write", path, "one\ntwo\nthree\n").error is None
        assert (directory / "a/notes.md").read_text() == "one\ntwo\nthree\n"
        read = do("read", path, 1, 1)
        assert read.file_data["content"] == "two\n"
        assert (read.start_line, read.end_line, read.next_offset, read.total_lines) == (2, 2, 2, 3)
        edited = do("edit", path, "two", "2")
        assert (edited.error, edited.path, edited.occurrences) == (None, path, 1)
        assert do("write", path, "2\n").error is None  # over what was there
        assert [(e["path"], e["is_dir"]) for e in do("ls", route).entries] == [(f"{route}/a", True)]
        assert [e["path"] for e in do("glob", "*.md", route).matches] == [path]
        assert do("grep", "2", route).matches == [{"path": path, "line": 1, "text": "2"}]
        assert do("grep", "2", path).matches == [{"path": path, "line": 1, "text": "2"}]
        (up,) = do("upload_files", [(path, b"\xff")])
        (down,) = do("download_files", [path])
        assert (up.path, up.error, down.path, down.content) == (path, None, path, b"\xff")
        assert do("delete", f"{route}/a").error is None
        assert not (directory / "a").exists()


def test_what_can_not_be_done_is_a_sentence(here: Place) -> None:
    made = backend(here)
    (here.paths.repo / "link").symlink_to(here.outside / "passwd")
    (here.paths.repo / "two").write_text("same same")
    (here.paths.repo / "data").write_bytes(b"\xff\xfe")
    said = [
        made.read("/workspace/none").error,
        made.read("/workspace/link").error,
        made.read("/workspace/data").error,
        made.read("/workspace/two", 5).error,
        made.write("/workspace/link/x", "x").error,
        made.edit("/workspace/two", "same", "other").error,
        made.edit("/workspace/two", "", "other").error,
        made.delete("/workspace/").error,
        made.ls("/workspace/none").error,
        made.glob("../*", "/workspace").error,
        made.grep("x", "/workspace/none").error,
    ]
    assert all(isinstance(sentence, str) and sentence.endswith(".") for sentence in said), said
    assert "SECRET" not in str(said)
    assert made.download_files(["/workspace/none", "/workspace/two"])[0].error == "file_not_found"
    assert (here.outside / "passwd").read_text() == "SECRET outside\n"


def test_reads_that_are_special(here: Place) -> None:
    made = backend(here)
    repo = here.paths.repo
    (repo / "empty.txt").touch()
    (repo / "lines.txt").write_bytes(b"a\r\nb\r\n")
    (repo / "small.png").write_bytes(b"\x89PNG")
    (repo / "large.png").write_bytes(b"x" * (BINARY_BYTES + 1))
    assert "empty" in made.read("/workspace/empty.txt").file_data["content"]
    assert made.read("/workspace/lines.txt").file_data["content"] == "a\nb\n"
    assert made.edit("/workspace/lines.txt", "a\nb", "c\nd").error is None
    assert (repo / "lines.txt").read_bytes() == b"c\r\nd\r\n"
    picture = made.read("/workspace/small.png").file_data
    assert (picture["encoding"], base64.b64decode(picture["content"])) == ("base64", b"\x89PNG")
    assert "bytes" in made.read("/workspace/large.png").error
    assert made.read("/workspace/lines.txt", -3, 0).no_lines_requested
    assert made.read("/workspace/lines.txt", -3, 1).start_line == 1


def test_above_the_routes_memory_answers_as_a_whole(here: Place) -> None:
    commands = Commands()
    made = backend(here, {"/workspace/cache/": "state", "/notes/": "filesystem"}, commands)
    for route in ("/workspace", "/workspace/cache", "/memories/hot", "/notes"):
        assert made.write(f"{route}/x.md", "needle").error is None
    assert (here.tmp / "workspace/cache/x.md").exists()
    found = [e["path"] for e in made.glob("x.md").matches or []]
    assert {"/workspace/x.md", "/workspace/cache/x.md", "/memories/hot/x.md", "/notes/x.md"} <= {
        *found
    }
    assert len(found) == len(set(found))
    assert [e["path"] for e in made.glob("*.md", "/memories").matches or []] == [
        "/memories/hot/x.md",
        "/memories/persistent/notes/x.md",
    ]
    assert {e["path"] for e in made.ls("/").entries or []} == {
        "/memories",
        "/notes",
        "/tmp",
        "/workspace",
    }
    assert len(made.grep("needle", max_count=2).matches or []) == 2
    assert made.grep("needle", max_count=2).truncated
    assert not commands.ran


def test_outside_of_the_routes_nothing_is_transferred(here: Place) -> None:
    made = backend(here)
    (up,) = made.upload_files([("/etc/passwd", b"x")])
    (down,) = made.download_files(["/etc/passwd"])
    assert (up.error, down.error, down.content) == ("invalid_path", "file_not_found", None)
    assert made.write("/etc/passwd", "x").error


def test_commands_run_on_the_sessions_loop_from_everywhere(here: Place) -> None:
    commands = Commands()
    memory = here.memory().for_session(SESSION)

    async def server() -> None:
        made = ProjectSandbox(SESSION, memory, commands, timeout=7.0)
        assert made.id == SESSION
        first = await made.aexecute("one")
        assert (first.output, first.exit_code, first.truncated) == ("said", 3, True)
        await asyncio.to_thread(made.execute, "two", timeout=9)
        await asyncio.to_thread(lambda: asyncio.run(made.aexecute("three", timeout=0)))
        with pytest.raises(RuntimeError, match="asynchronous twin"):
            made.execute("four")
        # Many at once, more than there are threads: none waits for another.
        await asyncio.gather(*(asyncio.to_thread(made.execute, "many") for _ in range(100)))

    asyncio.run(asyncio.wait_for(server(), 30))
    assert commands.ran[:3] == [("one", 7.0), ("two", 9), ("three", 7.0)]
    assert len(commands.where) == 1


def test_what_commands_raise_arrives_in_other_threads(here: Place) -> None:
    async def gone(command: str, timeout: float | None = None) -> CommandResult:
        raise Conflict("The session has no container any more.", "no_container")

    async def server() -> None:
        made = ProjectSandbox(SESSION, here.memory(), gone)
        with pytest.raises(Conflict):
            await asyncio.to_thread(made.execute, "x")
        with pytest.raises(Conflict):
            await made.aread("/usr/lib/x")

    asyncio.run(server())


def test_a_cancelled_command_is_cancelled_where_it_runs(here: Place) -> None:
    state: list[str] = []

    async def endless(command: str, timeout: float | None = None) -> CommandResult:
        state.append("began")
        try:
            await asyncio.sleep(1000)
        finally:
            state.append("ended")
        return CommandResult("", 0)

    async def elsewhere(made: ProjectSandbox) -> None:
        task = asyncio.ensure_future(made.aexecute("x"))
        while not state:  # noqa: ASYNC110 - set on another loop
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def server() -> None:
        made = ProjectSandbox(SESSION, here.memory(), endless)
        await asyncio.to_thread(lambda: asyncio.run(elsewhere(made)))
        while "ended" not in state:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(server(), 60))
