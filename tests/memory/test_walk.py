"""Walks through trees that are made to cost much, are closed, or move away on the way."""

from __future__ import annotations

import errno
import os
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cognition_jupyter.memory.directory import Directory
from cognition_jupyter.memory.walk import Budget, walk

from .memory_support import Place, as_user, descriptors_into_places, place

HOT = "/memories/hot"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    assert not descriptors_into_places()


@contextmanager
def allocating_less_than(mebibytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < mebibytes << 20
    finally:
        tracemalloc.stop()


def deep(top: Path, depth: int) -> None:
    """Directories in directories, each named d, with a file in a directory on either side."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        for name in "adz":
            os.mkdir(name, dir_fd=fd)
            inner = os.open(name, os.O_RDONLY, dir_fd=fd)
            if name == "d":
                following = inner
                continue
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
            os.close(inner)
        os.close(fd)
        fd = following
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


# -- cost ------------------------------------------------------------------------------------


def test_depth_takes_neither_time_nor_memory(here: Place) -> None:
    deep(here.hot, 5000)
    now = here.now(seconds=60.0)
    began = time.monotonic()
    with allocating_less_than(24):
        usage = now.usage(f"{HOT}/")
    assert (usage.files, usage.reason) == (10_001, None)
    with allocating_less_than(24):
        assert now.glob("leaf").files == ()
        assert now.glob("leaf").reason == "unreadable"  # no path leads to it
        assert now.grep("needle").reason == "unreadable"
    assert now.write(f"{HOT}/x", b"x").created
    assert time.monotonic() - began < 60


def test_few_entries_are_enough_to_take_too_long(here: Place) -> None:
    (here.hot / "a/b").mkdir(parents=True)
    assert here.now(seconds=-1.0).usage(f"{HOT}/").reason == "time"


def test_a_pattern_of_many_states_takes_little_memory(here: Place) -> None:
    bottom = here.hot.joinpath(*["d"] * 50)
    bottom.mkdir(parents=True)
    for number in range(1000):
        (bottom / f"{number}").mkdir()
    alternatives = ",".join(map(str, range(100)))
    with allocating_less_than(16):
        found = here.now(seconds=120.0).glob("**/*/**/*/**/*/**/*/**/{" + alternatives + "}", HOT)
    assert (found.files, found.reason) == ((), None)


# -- what moves ------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "moved", "reason"), [(40, 2, None), (2300, 2200, "unreadable")])
def test_a_walk_does_not_leave_with_what_is_moved_away(
    here: Place, depth: int, moved: int, reason: str | None
) -> None:
    deep(here.hot, depth)
    seen = []
    is_moved = False
    budget = Budget(100_000, 60.0)
    steps = walk(Directory(here.hot), (), True, lambda state, _: state, budget)
    for _, folder, entry, _ in steps:
        seen.append((folder, entry.name))
        if entry.name == "leaf":
            move(here.hot, moved, here.outside)
            is_moved = True
    assert is_moved
    names = {name for _, name in seen}
    assert names == {"file", "leaf"}  # nothing of where it was moved to
    assert {("a/", "file"), ("z/", "file"), ("d/a/", "file"), ("d/z/", "file")} <= set(seen)
    assert budget.reason == reason


def move(top: Path, depth: int, to: Path) -> None:
    """Move the directory in that depth of a deep tree."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(depth - 1):
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.rename("d", to / "moved", src_dir_fd=fd)
    os.close(fd)


# -- what can't be read ----------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("mode", [0o444, 0o111, 0])
def test_a_closed_directory_is_said_and_keeps_nobody_from_writing(here: Place, mode: int) -> None:
    (here.hot / "closed").mkdir()
    (here.hot / "closed/note.md").write_text("needle\n")
    for path in (here.paths.project, here.hot, here.hot / "closed", here.hot / "closed/note.md"):
        os.chown(path, 1000, 1000)
    (here.hot / "closed").chmod(mode)
    with as_user(1000):
        now = here.now()
        for found in (now.glob("**/*.md", HOT), now.grep("needle", HOT), now.usage(f"{HOT}/")):
            assert found.reason == "unreadable"
        assert now.write(f"{HOT}/new", b"x").created


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """So few may be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
    try:
        try:
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] + count, hard)
        )
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)


def test_no_result_is_short_for_want_of_descriptors(here: Place) -> None:
    bottom = here.hot
    for _ in range(6):
        bottom /= "d"
        bottom.mkdir()
        (bottom / "file").write_text("needle\n")
    now = here.now(hot_bytes=42)
    asked: list[Callable[[], object]] = [
        lambda: now.glob("**/file", HOT),
        lambda: now.grep("needle", HOT),
        lambda: now.usage(f"{HOT}/"),
    ]
    whole = [ask() for ask in asked]
    refused = 0
    for count in range(2, 12):
        for ask, expected in zip(asked, whole, strict=True):
            try:
                with descriptors_left(count):
                    answer = ask()
            except OSError as error:
                assert error.errno == errno.EMFILE
                refused += 1
            else:
                assert answer == expected
        # The limit is not forgotten either: there is no room.
        no_room = pytest.raises(Exception, match=r"Too many open files|hot_memory_limit")
        with no_room, descriptors_left(count):
            now.write(f"{HOT}/x", b"x")
    assert 0 < refused < 30
