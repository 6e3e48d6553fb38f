"""`kill -9` at chosen moments of a snapshot, of thinning, of a restore."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cognition_jupyter.memory.snapshots.generations import list_generations, verify
from cognition_jupyter.memory.snapshots.marker import HotMemory, is_complete
from cognition_jupyter.memory.snapshots.restore import ensure_restored, restore
from cognition_jupyter.memory.snapshots.take import take, thin

from .snapshot_support import Picture, hot_memory, killed_at, moments_of, picture, wipe

Known = dict[int, Picture]


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


def change(hot: HotMemory, turn: int) -> None:
    """Some files change, some come, some go, some stay."""
    for i in range(6):
        (hot.ram / f"changing {i}").write_bytes(b"%d" % (turn * i))
        (hot.ram / f"{turn} {i}" / "a" / "b").mkdir(parents=True)
        (hot.ram / f"{turn} {i}" / "a" / "file").write_bytes(b"x" * i)
        (hot.ram / f"{turn} {i}" / "link").symlink_to("a")
        shutil.rmtree(hot.ram / f"{turn - 3} {i}", ignore_errors=True)
    if turn == 0:
        for i in range(6):
            (hot.ram / f"constant {i}").write_bytes(b"x" * i)


def check_all(hot: HotMemory, known: Known) -> None:
    """Every generation is whole, and the newest one restores to what it was."""
    whole = [summary for summary in list_generations(hot.disk) if not summary.damaged]
    assert {summary.number for summary in whole} == set(known)
    for number in known:
        assert verify(hot.disk, number) == [], number
    with hot_memory() as other:
        again = HotMemory(other.ram, hot.disk, other.marker, "other", None, "boot")
        restored = ensure_restored(again)
        assert restored is not None and restored.generation == max(known)
        assert picture(other.ram) == known[max(known)]


def beaten(total: int, points: int | None) -> list[int]:
    """Moments to kill at: all, or so many spread over them."""
    if points is None:
        return list(range(1, total + 1))
    return [1 + (total - 1) * i // (points - 1) for i in range(points)]


def kill_snapshots(hot: HotMemory, points: int | None) -> int:
    """How many children were killed."""
    known: Known = {}
    for turn in range(2):
        change(hot, turn)
        known[take(hot, "x").generation or 0] = picture(hot.ram)
    change(hot, 2)
    shutil.copytree(hot.disk, hot.disk.with_name("copy"))
    total = moments_of(lambda: take(hot, "x"))
    shutil.rmtree(hot.disk)
    hot.disk.with_name("copy").rename(hot.disk)
    killed = 0
    for turn, moment in enumerate(beaten(total, points), 3):
        now = picture(hot.ram)
        new = max(known) + 1
        killed += killed_at(moment, lambda: take(hot, "x"))
        found = {summary.number for summary in list_generations(hot.disk)}
        assert found in (set(known), {*known, new})
        if new in found:
            known[new] = now
        check_all(hot, known)
        taken = take(hot, "again")
        assert (taken.generation, taken.created) == (new, new not in found)
        known[new] = now
        assert not [name for name in os.listdir(hot.disk) if name.startswith(".")]
        for number in thin(hot, keep=4, now=None):
            del known[number]
        check_all(hot, known)
        change(hot, turn)
    return killed


def kill_thinning(hot: HotMemory, points: int | None) -> int:
    known: Known = {}
    killed = 0

    def fill() -> None:
        while len(known) < 3:
            change(hot, max(known, default=0))
            known[take(hot, "x").generation or 0] = picture(hot.ram)

    fill()
    shutil.copytree(hot.disk, hot.disk.with_name("copy"))
    total = moments_of(lambda: thin(hot, 1))
    shutil.rmtree(hot.disk)
    hot.disk.with_name("copy").rename(hot.disk)
    for moment in beaten(total, points):
        killed += killed_at(moment, lambda: thin(hot, 1))
        found = {summary.number for summary in list_generations(hot.disk)}
        assert max(known) in found <= set(known)
        known = {number: known[number] for number in found}
        check_all(hot, known)
        fill()
    return killed


def kill_restores(hot: HotMemory, points: int | None, asked: bool) -> int:
    """`asked`: back to generation 1 while the RAM is whole; else after a reboot."""
    change(hot, 0)
    first = picture(hot.ram)
    take(hot, "x")
    change(hot, 1)
    second = picture(hot.ram)
    take(hot, "x")

    def work() -> None:
        if asked:
            restore(hot, 1)
        else:
            ensure_restored(hot)

    def begin() -> None:
        if asked:
            restore(hot, 2)
        else:
            wipe(hot)
            (hot.ram / "not whole").mkdir()

    begin()
    total = moments_of(work)
    killed = 0
    for moment in beaten(total, points):
        begin()
        assert set(os.listdir(hot.ram.parent)) <= {"marker", hot.ram.name}
        inode = hot.ram.stat().st_ino
        killed += killed_at(moment, work)
        whole = is_complete(hot)
        again = ensure_restored(hot)
        assert (again is None) == whole
        assert hot.ram.stat().st_ino == inode
        now = picture(hot.ram)
        if asked:
            assert now in (first, second)
            # Once something in RAM was touched, the restore that was asked for is what is done.
            assert again is None or (again.generation == 1 and now == first)
        else:
            assert now == second
        taken = take(hot, "x")
        assert asked or not taken.created
        assert not hot.new.exists() and not hot.old.exists()
        wipe(hot)  # what was restored lasts
        ensure_restored(hot)
        assert picture(hot.ram) == now
        for summary in list_generations(hot.disk):
            if summary.number > 2:
                shutil.rmtree(hot.disk / f"{summary.number:08d}")
        assert verify(hot.disk, 1) == verify(hot.disk, 2) == []
    return killed


WORKS: dict[str, Callable[[HotMemory, int | None], int]] = {
    "snapshot": kill_snapshots,
    "thinning": kill_thinning,
    "restore on request": lambda hot, points: kill_restores(hot, points, True),
    "restore after a reboot": lambda hot, points: kill_restores(hot, points, False),
}


@pytest.mark.parametrize("work", WORKS)
def test_killed_at_a_few_moments(hot: HotMemory, work: str) -> None:
    assert WORKS[work](hot, 10) >= 9


@pytest.mark.torture
@pytest.mark.parametrize("work", WORKS)
def test_killed_at_every_moment(hot: HotMemory, work: str) -> None:
    killed = WORKS[work](hot, None)
    print(f"{work}: {killed} kills")
    assert killed >= 200 or work == "thinning"


def test_no_lock_outlives_a_kill(hot: HotMemory, tmp_path: Path) -> None:
    change(hot, 0)
    assert killed_at(20, lambda: take(hot, "x"))
    assert take(hot, "x", lock_timeout=0.5).created
