"""Snapshots of trees that change while they are read."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import NotFound
from cognition_jupyter.memory.snapshots.generations import (
    delete,
    list_generations,
    numbers,
    verify,
)
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.scan import Limits
from cognition_jupyter.memory.snapshots.take import take, thin

from .snapshot_support import SECRET, acting_at, everything_on_disk, hot_memory, moments_of


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


class Racing:
    """Does something to a tree again and again, in a thread."""

    def __init__(self, step: Callable[[int], None]) -> None:
        self._step = step
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        turn = 0
        while not self._stop.is_set():
            try:
                self._step(turn)
            except OSError:
                pass
            turn += 1
            time.sleep(0)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def check_no_secret(hot: HotMemory) -> None:
    assert SECRET not in everything_on_disk(hot)
    for summary in list_generations(hot.disk):
        assert not summary.damaged and verify(hot.disk, summary.number) == []


def test_link_swapped_in_right_before_any_call(hot: HotMemory) -> None:
    """The worst moment for each call is right before it: all of them, for each kind of entry."""
    outside = hot.ram.parent / "outside"
    (outside / "inner").mkdir(parents=True)
    for place in (outside, outside / "inner"):
        (place / "file").write_bytes(SECRET)
    places = ["top/inner/file", "top/inner", "top"]
    for swapped in places:
        moment = 0
        going_on = True
        while going_on:
            moment += 1
            shutil.rmtree(hot.ram / "top", ignore_errors=True)
            (hot.ram / "top" / "inner").mkdir(parents=True)
            (hot.ram / "top" / "file").write_bytes(b"mine")
            (hot.ram / "top" / "inner" / "file").write_bytes(b"mine %d" % moment)

            def swap(path: Path = hot.ram / swapped) -> None:
                path.rename(hot.ram.parent / "aside")
                to = {"file": "file", "inner": "inner", "top": ""}[path.name]
                path.symlink_to(outside / to)

            going_on = acting_at(moment, lambda: take(hot, "x", full_every=2), swap)
            (hot.ram / "top").unlink() if (hot.ram / "top").is_symlink() else None
            aside = hot.ram.parent / "aside"
            shutil.rmtree(aside) if aside.is_dir() else aside.unlink(missing_ok=True)
            check_no_secret(hot)
            thin(hot, keep=2)
        assert moment > 30


def test_directory_moved_right_before_any_call(hot: HotMemory) -> None:
    # On the way up from a directory that was moved, `..` leads somewhere else, at last out.
    for outside in ("before", "deep", "then"):
        (hot.ram.parent / outside).mkdir()
        (hot.ram.parent / outside / "file").write_bytes(SECRET)
    place = hot.ram
    for level in range(70):
        for name in ("before", "deep", "then"):
            (place / name).mkdir()
        (place / "then" / "file").write_bytes(b"%d" % level)
        place /= "deep"
    moved = hot.ram / "/".join(["deep"] * 20)

    def move() -> None:
        moved.rename(hot.ram / "moved")

    total = moments_of(lambda: take(hot, "x"))
    for moment in range(total // 3, total, 60):
        assert acting_at(moment, lambda: take(hot, "x", full_every=2), move)
        (hot.ram / "moved").rename(moved)
        check_no_secret(hot)
        thin(hot, keep=1)
        (moved / "then" / "file").write_bytes(b"new %d" % moment)


def test_links_swapped_all_the_time_show_nothing(hot: HotMemory, tmp_path: Path) -> None:
    for i in range(10):
        (hot.ram / f"{i}").mkdir(parents=True)
        (hot.ram / f"{i}" / "file").write_bytes(b"mine")
    (tmp_path / "file").write_bytes(SECRET)

    def swap(turn: int) -> None:
        place = hot.ram / f"{turn % 10}"
        path = place if turn // 10 % 2 else place / "file"
        aside = hot.ram / "aside"
        path.rename(aside)
        path.symlink_to(tmp_path if path == place else tmp_path / "file")
        time.sleep(0)
        path.unlink()
        aside.rename(path)

    with Racing(swap):
        for _ in range(30):
            take(hot, "x", full_every=2)
    check_no_secret(hot)


def test_files_that_come_go_grow_and_become_fifos(hot: HotMemory) -> None:
    limits = Limits(bytes=1 << 20)

    def churn(turn: int) -> None:
        path = hot.ram / f"{turn % 7}"
        kind = turn // 7 % 5
        if kind == 0:
            path.write_bytes(b"x" * (turn % 5000))
        elif kind == 1:
            os.truncate(path, 1 << 40)
        elif kind == 2:
            path.unlink()
        elif kind == 3:
            os.mkfifo(path)
        else:
            path.unlink()

    with Racing(churn):
        begin = time.monotonic()
        for _ in range(100):
            take(hot, "x", limits=limits)
        assert time.monotonic() - begin < 120
    for summary in list_generations(hot.disk):
        assert summary.bytes <= 1 << 20 and not summary.damaged
        assert verify(hot.disk, summary.number) == []


def test_generation_that_is_thinned_while_it_is_read_is_not_damaged(hot: HotMemory) -> None:
    (hot.ram / "a").mkdir()
    moment, going_on = 0, True
    while going_on:
        moment += 1
        (hot.ram / "a" / "file").write_bytes(b"x" * 5000 + b"%d" % moment)
        number = take(hot, "x").generation or 0

        def read(number: int = number) -> None:
            assert not any(summary.damaged for summary in list_generations(hot.disk))
            try:
                assert verify(hot.disk, number) == []
            except NotFound as error:
                assert error.code == "snapshot_not_found"
                assert number not in numbers(hot.disk)

        going_on = acting_at(moment, read, lambda number=number: delete(hot.disk, number))
    assert moment > 8
