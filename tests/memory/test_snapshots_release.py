"""RAM is freed only when what is in it was read from the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from cognition_jupyter.exceptions import Conflict
from cognition_jupyter.memory.snapshots.generations import numbers, verify
from cognition_jupyter.memory.snapshots.marker import (
    RESTORING,
    HotMemory,
    complete_marker,
    write_marker,
)
from cognition_jupyter.memory.snapshots.restore import ensure_restored
from cognition_jupyter.memory.snapshots.take import release, take

from .snapshot_support import contents, copy_of, flip_byte, hot_memory, wipe
from .test_restore_damage import GOOD, plant


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        (made.ram / "note").write_bytes(b"a week of work")
        yield made


def unused() -> bool:
    return False


def used() -> bool:
    return True


def test_release_and_back(hot: HotMemory) -> None:
    taken, freed = release(hot, unused)
    assert freed and (taken.generation, taken.created) == (1, True)
    assert os.listdir(hot.ram.parent) == []
    ensure_restored(hot)
    taken, freed = release(hot, unused)  # nothing changed
    assert freed and (taken.generation, taken.created) == (1, False)
    ensure_restored(hot)
    assert contents(hot.ram) == {"note": b"a week of work"}


def test_damage_on_disk_is_mended_from_ram(hot: HotMemory) -> None:
    take(hot, "x")
    flip_byte(copy_of(hot, 1, "note"))
    assert not take(hot, "x", thorough=True).created
    taken, freed = release(hot, unused)
    assert freed and (taken.generation, taken.created) == (2, True)
    assert verify(hot.disk, 2) == []
    restored = ensure_restored(hot)
    assert restored is not None and not restored.recovered and not restored.lost
    # The same when the manifest itself is damaged inside of a checksum that fits.
    plant(hot, 3, GOOD, {"path": "b", "type": "nothing"})
    taken, freed = release(hot, unused)
    assert freed and (taken.generation, taken.created) == (4, True)
    ensure_restored(hot)
    assert contents(hot.ram) == {"note": b"a week of work"}


def test_ram_in_the_middle_of_a_restore_stays(hot: HotMemory) -> None:
    take(hot, "x")
    (hot.ram / "note").write_bytes(b"newer work")
    write_marker(hot, 1, RESTORING)
    assert not release(hot, unused)[1]
    assert contents(hot.ram) == {"note": b"newer work"}


def test_ram_that_was_never_whole_goes(hot: HotMemory) -> None:
    hot.marker.unlink()
    taken, freed = release(hot, unused)
    assert freed and taken.generation is None
    assert os.listdir(hot.ram.parent) == []


def test_marker_comes_back_as_it_was(hot: HotMemory) -> None:
    before = complete_marker(hot)

    def asked() -> bool:
        assert complete_marker(hot) is None  # who starts now is seen, or waits
        raise RuntimeError("nobody knows")

    with pytest.raises(RuntimeError):
        release(hot, asked)
    assert complete_marker(hot) == before
    assert not release(hot, used)[1]
    assert complete_marker(hot) == before
    assert sorted(os.listdir(hot.ram.parent)) == ["marker", hot.ram.name]


def test_marker_of_a_release_that_was_killed_is_no_marker(hot: HotMemory) -> None:
    hot.marker.rename(hot.marker.with_name(f".{hot.marker.name}.aside.tmp"))
    assert not release(hot, used)[1]
    assert complete_marker(hot) is None
    assert ensure_restored(hot) is not None
    assert sorted(os.listdir(hot.ram.parent)) == ["marker", hot.ram.name]


def test_nothing_is_freed_when_there_is_no_snapshot(hot: HotMemory) -> None:
    (hot.disk / ("9" * 15)).mkdir()
    with pytest.raises(Conflict):
        release(hot, unused)
    assert contents(hot.ram) == {"note": b"a week of work"} and complete_marker(hot)


# -- damage is not carried on -------------------------------------------------------------------


def test_damaged_copies_are_not_shared_after_a_restore(hot: HotMemory) -> None:
    take(hot, "x")
    (hot.ram / "other").write_bytes(b"0")
    take(hot, "x", full_every=1)
    flip_byte(copy_of(hot, 2, "note"))
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and len(restored.recovered) == 1
    for i in range(3, 6):
        (hot.ram / "other").write_bytes(b"x" * i)
        assert take(hot, "x").generation == i
        assert verify(hot.disk, i) == []
    assert copy_of(hot, 3, "note").samefile(copy_of(hot, 5, "note"))  # one full one is enough


def test_only_whole_regular_copies_are_shared(hot: HotMemory) -> None:
    for name in ("link", "fifo", "cut"):
        (hot.ram / name).write_bytes(b"content")
    take(hot, "x")
    for name in ("link", "fifo", "cut"):
        copy_of(hot, 1, name).unlink()
    copy_of(hot, 1, "link").symlink_to("/etc/passwd")
    os.mkfifo(copy_of(hot, 1, "fifo"))
    copy_of(hot, 1, "cut").write_bytes(b"conten")
    (hot.ram / "other").write_bytes(b"1")
    assert take(hot, "x").generation == 2
    assert verify(hot.disk, 2) == []
    assert copy_of(hot, 1, "note").samefile(copy_of(hot, 2, "note"))


def test_emptied_ram_is_kept_whatever_the_newest_manifest_says(hot: HotMemory) -> None:
    take(hot, "x")
    plant(hot, 2, {"type": "nothing"})
    (hot.ram / "note").unlink()
    assert take(hot, "x").generation == 3
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 3
    assert contents(hot.ram) == {} and numbers(hot.disk) == [3, 2, 1]
