"""`jupyter cognition export` and `import`, with no server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.core import Cognition

from ..archive.archive_support import fill_with, on_its_way
from ..archive.hostile import good
from ..memory.snapshot_support import picture
from ..support.server import clean_environment
from .conftest import HOT, PACKAGE, Place


class Shelf(Place):
    """A place with another one's root beside it, and the two commands."""

    def start(self, *arguments, cwd=None, stdout=subprocess.PIPE, **environment):  # type: ignore[no-untyped-def]
        """The command itself, not one of `memory`."""
        return subprocess.Popen(
            [sys.executable, "-m", "cognition_jupyter.cli", *arguments],
            cwd=cwd or self.files,
            env=clean_environment(self.home, PYTHONPATH=str(PACKAGE)),
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )


@pytest.fixture
def place() -> Iterator[Shelf]:
    made = Shelf()
    yield made
    made.remove()


@pytest.fixture
def other() -> Iterator[Shelf]:
    made = Shelf()
    made.within(nothing)
    yield made
    made.remove()


async def nothing(cognition: Cognition) -> None:
    """Opens the root, which makes it."""


def test_there_and_back(place: Shelf, other: Shelf) -> None:
    project_id = place.project({"plan.md": "first"}, {"plan.md": "second"})
    (place.root / project_id / "repo" / "a b").write_text("a")
    (place.root / project_id / ".deps" / "p.py").write_text("p")
    (said,) = place.says("export", project_id)
    file = place.files / f"{project_id}.tar.gz"
    assert said.startswith(f"{file.name}: {file.stat().st_size} bytes, 2 files with 7 bytes")
    assert place.in_ram() == [] and not list(place.files.glob(".*.tmp"))
    (made,) = other.says("import", str(file))
    assert made != project_id and made.startswith("demo-")
    assert picture(other.root / made / "repo") == picture(place.root / project_id / "repo")
    assert not list((other.root / made / ".deps").iterdir())
    assert other.within(lambda c: read(c, made)) == b"second"


async def read(cognition: Cognition, project_id: str) -> bytes:
    memory = await cognition.memories.of(project_id)
    data = (await memory.read(f"{HOT}/plan.md")).data
    await cognition.hot.release(project_id)
    return data


def test_through_a_pipe(place: Shelf, other: Shelf) -> None:
    project_id = place.project({"plan.md": "piped"})
    (place.root / project_id / ".deps" / "p.py").write_text("p")
    out, err = place.run("export", project_id, "-", "--deps", "--logs")
    assert err == ""
    with other.start("import", "-") as process:
        made, _ = process.communicate(out, timeout=60)
    assert process.returncode == 0
    name = made.decode().strip()
    assert (other.root / name / ".deps" / "p.py").read_text() == "p"


def test_a_file_that_is_there_is_left_alone(place: Shelf) -> None:
    project_id = place.project()
    target = place.files / "kept"
    target.write_text("kept")
    assert "--force" in place.refuses("export", project_id, "kept")
    assert target.read_text() == "kept"
    (said,) = place.says("export", project_id, "kept", "--force")
    assert said.startswith("kept: ") and target.read_bytes()[:2] == b"\x1f\x8b"
    (place.files / "link").symlink_to("nowhere")
    assert "--force" in place.refuses("export", project_id, "link")


def test_what_is_no_file_is_never_replaced(place: Shelf) -> None:
    project_id = place.project()
    os.mkfifo(place.files / "fifo")
    for target in ("fifo", "workspaces"):
        refusal = place.refuses("export", project_id, target, "--force", status=2)
        assert "is no file to write to" in refusal
    assert (place.files / "fifo").is_fifo()


def test_what_is_left_out_is_said(place: Shelf) -> None:
    project_id = place.project()
    os.mkfifo(place.root / project_id / "repo" / "fifo\x1b[31m")
    out, err = place.run("export", project_id)
    assert out.decode().splitlines()[-1] == "Left out: 1."
    assert "is a FIFO" in err and "\x1b" not in err


def test_errors_are_sentences_and_leave_nothing(place: Shelf) -> None:
    project_id = place.project()
    assert "There is no project" in place.refuses("export", "none-00000000")
    assert "project id" in place.refuses("export", "../x")
    assert "No such file" in place.refuses("export", project_id, "no/such/directory/x")
    assert "There is no file" in place.refuses("import", "none.tar.gz")
    assert "takes FILE" in place.refuses("import", status=2)
    (place.files / "bad").write_bytes(good().whole()[:-3])
    assert "cut short" in place.refuses("import", "bad")
    assert on_its_way(place.root) == []
    assert {path.name for path in place.files.iterdir()} == {"workspaces", "bad"}


def test_the_policy_of_the_configuration_holds_here_too(place: Shelf) -> None:
    (place.files / "good").write_bytes(good().whole())
    place.within(nothing)
    place.configure({**place.configuration, "Archives": {"max_bytes": 3}})
    assert "more than 3 bytes" in place.refuses("import", "good")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_import_that_is_stopped(place: Shelf, how: signal.Signals, tmp_path: Path) -> None:
    fill_with(tmp_path, 4, 4 << 20)
    made = good()
    for path in sorted(tmp_path.iterdir()):
        made.add(f"repo/{path.name}", path.read_bytes())
    archive = made.whole()
    place.within(nothing)
    with place.start("import", "-") as process:
        assert process.stdin is not None
        process.stdin.write(archive[: len(archive) // 2])
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not on_its_way(place.root):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        process.send_signal(how)
        try:
            assert process.wait(60) in (130, -signal.SIGKILL)
        finally:
            process.kill()
    place.within(nothing)  # finishes what a killed one left half done
    assert on_its_way(place.root) == [] and not list(place.root.glob("*-*"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_export_that_is_stopped_leaves_no_file_that_looks_whole(
    place: Shelf, how: signal.Signals
) -> None:
    project_id = place.project()
    fill_with(place.root / project_id / "repo", 40, 8 << 20)
    with place.start("export", project_id) as process:
        deadline = time.monotonic() + 60
        while not list(place.files.glob(".*.tmp")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.005)
        process.send_signal(how)
        try:
            assert process.wait(60) != 0
        finally:
            process.kill()
    assert not list(place.files.glob("*.gz"))
    if how == signal.SIGINT:
        assert not list(place.files.glob(".*.tmp"))
