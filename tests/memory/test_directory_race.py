"""Code in a container swaps what the server works on for links to the host, as fast as it can."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import CognitionError
from cognition_jupyter.memory.operations import Operations

from .memory_support import Place, place

SECONDS = 1.5

# Exchanges two names at once (renameat2), so that there is never a moment without either.
SWAPPER = r"""
import ctypes, os, shutil, sys
libc = ctypes.CDLL(None)
top, outside = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2])
os.chdir(top)
def exchange(one, other):
    return libc.renameat2(-100, one, -100, other, 2)
os.mkdir(b"dir"); open(b"dir/passwd", "w").write("inside")
os.makedirs(b"dir/deep/er"); open(b"dir/deep/er/passwd", "w").write("inside")
os.symlink(outside, b"link")
open(b"file", "w").write("inside")
os.symlink(outside + b"/passwd", b"filelink")
os.mkfifo(b"fifo")
print("ready", flush=True)
while True:
    for _ in range(50):
        exchange(b"dir", b"link")
        exchange(b"file", b"filelink")
        exchange(b"file", b"fifo")
        exchange(b"tree/x", b"treelink")
        exchange(b"grove", b"grovelink")
    # Where both are directories since something was deleted, there has to be a link again.
    for name, link in ((b"tree/x", b"treelink"), (b"grove", b"grovelink")):
        if not os.path.islink(name) and not os.path.islink(link):
            shutil.rmtree(link, ignore_errors=True)
            try:
                os.symlink(outside, link)
            except FileExistsError:
                pass
"""


def photo(directory: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """All that must stay as it is."""
    found = {}
    for path in (directory, *sorted(directory.rglob("*"))):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mode, status.st_uid, status.st_mtime_ns, data)
    return found


@pytest.fixture
def attacked() -> Iterator[Place]:
    with place() as here:
        (here.outside / "deep/er").mkdir(parents=True)
        (here.outside / "deep/er/passwd").write_text("SECRET deep")
        (here.outside / "x").mkdir()
        (here.outside / "x/1").write_text("SECRET x")
        swapper = subprocess.Popen(
            [sys.executable, "-c", SWAPPER, str(here.hot), str(here.outside)],
            stdout=subprocess.PIPE,
        )
        try:
            assert swapper.stdout is not None
            assert swapper.stdout.readline() == b"ready\n"
            yield here
            assert swapper.poll() is None
        finally:
            swapper.kill()
            swapper.communicate()


def rounds(steps: list[Callable[[], object]]) -> Counter[str]:
    """What came of the steps, done again and again; never anything of the outside."""
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for number, step in enumerate(steps):
            try:
                result = step()
            except CognitionError as error:
                outcomes[f"{number} {error.code}"] += 1
            else:
                assert "SECRET" not in str(result)
                outcomes[f"{number} done"] += 1
    return outcomes


def met_both(outcomes: Counter[str], steps: range) -> bool:
    """Whether these steps met the links as well as what they are swapped with."""
    return all(
        sum(outcomes[f"{number} {outcome}"] for number in steps)
        for outcome in ("done", "invalid_path")
    )


def test_nothing_of_the_host_is_read(attacked: Place) -> None:
    now: Operations = attacked.now()
    hot = "/memories/hot"
    files = ("dir/passwd", "dir/deep/er/passwd", "file")
    steps: list[Callable[[], object]] = []
    for name in files:
        for read in (now.read, now.read_bytes, now.read_text):
            steps.append(lambda read=read, name=name: read(f"{hot}/{name}"))  # type: ignore[misc]
    steps += [
        lambda: now.ls(f"{hot}/dir/deep"),
        lambda: [e for e in now.ls(f"{hot}/dir").entries if e.path.endswith("/x")] and "SECRET",
        lambda: [e for e in now.glob("**/1").files if "/dir/" in e.path] and "SECRET",
        lambda: now.glob("passwd"),
        lambda: now.grep("SECRET").matches and "SECRET found",
        lambda: now.grep("SECRET", f"{hot}/dir/passwd").matches and "SECRET found",
        lambda: now.usage(f"{hot}/"),
        lambda: now.download([f"{hot}/{name}" for name in files]),
    ]
    before = photo(attacked.outside)
    outcomes = rounds(steps)
    assert met_both(outcomes, range(9))
    assert photo(attacked.outside) == before


def test_nothing_of_the_host_is_changed(attacked: Place) -> None:
    now = attacked.now()
    hot = "/memories/hot"
    steps: list[Callable[[], object]] = [
        lambda: now.write(f"{hot}/dir/passwd", "inside"),
        lambda: now.write(f"{hot}/dir/deep/er/passwd", "inside"),
        lambda: now.write(f"{hot}/dir/new/er/file", "inside"),
        lambda: now.edit(f"{hot}/dir/deep/er/passwd", "in", "out", True),
        lambda: now.edit(f"{hot}/dir/deep/er/passwd", "out", "in", True),
        lambda: now.write(f"{hot}/file", "inside"),
        lambda: now.write(f"{hot}/dir/once", "inside", create_only=True),
        lambda: now.delete(f"{hot}/dir/once"),
        lambda: now.delete(f"{hot}/dir/new"),
        lambda: now.write(f"{hot}/tree/x/1", "inside"),
        lambda: now.write(f"{hot}/tree/x/2", "inside"),
        lambda: now.delete(f"{hot}/tree/x/1"),
        lambda: now.delete(f"{hot}/tree/x"),
        lambda: now.write(f"{hot}/tree/x/1", "inside"),
        lambda: now.write(f"{hot}/tree/y/x/1", "inside"),
        lambda: now.delete(f"{hot}/tree"),
        lambda: now.write(f"{hot}/grove/x/1", "inside"),
        lambda: now.write(f"{hot}/grove/passwd", "inside"),
        lambda: now.delete(f"{hot}/grove/x"),
        lambda: now.delete(f"{hot}/grove/passwd"),
        lambda: now.delete(f"{hot}/grove"),
    ]
    before = photo(attacked.outside)
    outcomes = rounds(steps)
    assert photo(attacked.outside) == before
    for numbers in (range(5), range(9, 21)):
        assert met_both(outcomes, numbers)
    for number in (8, 12, 15, 20):
        assert outcomes[f"{number} done"], outcomes
    left = [name for name in os.listdir(attacked.hot) if name.endswith(".tmp")]
    assert not left


def test_nothing_of_the_host_is_reached_through_the_root_of_a_route(attacked: Place) -> None:
    (attacked.paths.repo / "top").symlink_to(attacked.hot)  # never followed, wherever it leads
    memory = attacked.memory(
        {
            "/x/": {"type": "filesystem", "root": "/".join([str(attacked.hot), "dir"])},
            "/y/": {"type": "filesystem", "root": "repo/top/dir"},
        },
        allowed=(str(attacked.hot),),
    )
    now = memory.now
    before = photo(attacked.outside)
    outcomes = rounds(
        [
            lambda: now.read("/x/passwd"),
            lambda: now.write("/x/passwd", "inside"),
            lambda: now.write("/x/a/b", "inside"),
            lambda: now.delete("/x/a"),
            lambda: now.grep("SECRET", "/x").matches and "SECRET found",
            lambda: now.read("/y/passwd"),
            lambda: now.write("/y/passwd", "inside"),
        ]
    )
    assert photo(attacked.outside) == before
    assert met_both(outcomes, range(3))
    for number in (5, 6):
        assert set(outcomes) & {f"{number} done", f"{number} invalid_path"} == {
            f"{number} invalid_path"
        }
