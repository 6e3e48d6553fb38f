"""Whatever is in RAM when a restore comes: in a generation, or where it was. Never lost."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import Conflict, StorageFull
from cognition_jupyter.memory.snapshots.generations import list_generations, numbers
from cognition_jupyter.memory.snapshots.marker import HotMemory, is_complete, read_marker
from cognition_jupyter.memory.snapshots.restore import ensure_restored, restore
from cognition_jupyter.memory.snapshots.take import release, take

from .snapshot_support import (
    ROOT,
    acting_at,
    as_nobody,
    contents,
    copy_of,
    fill,
    flip_byte,
    hot_memory,
    in_child,
    killed_at,
    moments_of,
    mounted,
    needs_root,
    picture,
    wipe,
)


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


def kept(hot: HotMemory, data: bytes) -> bool:
    """Whether some generation, or the RAM, has a file with that content."""
    found = (contents(hot.disk / f"{number:08d}" / "files") for number in numbers(hot.disk))
    return any(data in one.values() for one in [contents(hot.ram), *found])


def in_small_ram(base: HotMemory, point: Path) -> HotMemory:
    (point / "p").mkdir()
    hot = HotMemory(point / "p", base.disk, point / "marker", ROOT, None, "boot")
    ensure_restored(hot)
    return hot


# -- on request ----------------------------------------------------------------------------------


def test_a_restore_survives_a_reboot(hot: HotMemory) -> None:
    fill(hot)
    (hot.ram / "unsaved").write_bytes(b"work")
    work = picture(hot.ram)
    restored, before = restore(hot, 1)
    assert restored.unsaved is None and (before.generation, before.created) == (4, True)
    there = picture(hot.ram)
    assert contents(hot.ram)["changes"] == b"1"
    wipe(hot)
    ensure_restored(hot)
    assert picture(hot.ram) == there
    assert [s.reason for s in list_generations(hot.disk)][:2] == ["request", "restore"]
    restore(hot, 4)
    assert picture(hot.ram) == work
    assert ensure_restored(hot) is None


def test_what_is_there_already_makes_no_generation(hot: HotMemory) -> None:
    fill(hot)
    _, before = restore(hot, 3)
    assert (before.generation, before.created) == (3, False)
    assert numbers(hot.disk) == [3, 2, 1]


def test_what_is_not_whole_is_not_restored_on_request(hot: HotMemory) -> None:
    fill(hot)
    assert release(hot, lambda: False)[1]  # by another process, after our `ensure`
    with pytest.raises(Conflict) as caught:
        restore(hot, 1)
    assert caught.value.code == "memory_not_restored" and not hot.ram.exists()


def test_file_written_at_any_moment_of_a_restore_is_kept(hot: HotMemory) -> None:
    fill(hot)

    def put() -> None:
        (hot.ram / "late").write_bytes(b"from a session")

    moment = 1
    for step in range(1, 1000):
        (hot.ram / "changes").write_bytes(b"%d" % step)
        more = acting_at(moment, lambda: restore(hot, 1), put)
        assert not more or kept(hot, b"from a session"), moment
        assert is_complete(hot) and not hot.old.exists()
        for number in numbers(hot.disk)[:-3]:
            os.rename(hot.disk / f"{number:08d}", hot.disk.parent / f"{step} {number}")
        (hot.ram / "late").unlink(missing_ok=True)
        if not more:
            break
        moment += 7
    assert moment > 100


def test_names_that_come_twice_are_all_kept(hot: HotMemory) -> None:
    """A session that makes a file again while it is moved out."""
    fill(hot)

    def work() -> None:
        listed: list[int] = []

        def again(event: str, arguments: tuple[object, ...]) -> None:
            if event == "os.listdir" and is_swapping(hot) and len(listed) < 3:
                listed.append(1)
                (hot.ram / "goes").write_bytes(b"number %d" % len(listed))

        sys.addaudithook(again)
        restore(hot, 1)

    assert in_child(work) == 0
    assert all(kept(hot, b"number %d" % i) for i in (1, 2, 3))
    assert contents(hot.ram)["goes"] == b"goes"


def is_swapping(hot: HotMemory) -> bool:
    return b"restoring" in hot.marker.read_bytes()


def test_all_is_put_back_when_it_can_t_be_kept(hot: HotMemory) -> None:
    """The disk is full just when a session has written something beside the restore."""
    with mounted("size=1m,nr_inodes=60") as point:
        (point / "hot").mkdir()
        hot = HotMemory(hot.ram, point / "hot", hot.marker, ROOT, None, "boot")
        fill(hot)
        for name in ("a", "b"):
            (hot.ram / name).mkdir()
            (hot.ram / name / "file").write_bytes(name.encode())
        take(hot, "x")
        before = contents(hot.ram)

        def work() -> None:
            done: list[int] = []

            def audit(event: str, arguments: tuple[object, ...]) -> None:
                if event == "os.rename" and not done and is_swapping(hot):
                    done.append(1)
                    (hot.ram / "late").write_bytes(b"late")
                    try:
                        for i in range(100):
                            (point / f"{i}").touch()
                    except OSError:
                        pass

            sys.addaudithook(audit)
            with pytest.raises(StorageFull):
                restore(hot, 1)
            assert done

        assert in_child(work) == 0
        assert is_complete(hot) and ensure_restored(hot) is None
        assert contents(hot.ram) == before | {"late": b"late"}
        assert sorted(os.listdir(hot.ram.parent)) == ["marker", hot.ram.name]
        for path in point.glob("[0-9]*"):
            path.unlink()
        assert take(hot, "x").created


def test_full_disk_that_takes_no_generation_of_the_result(hot: HotMemory) -> None:
    with mounted("size=1m,nr_inodes=60") as point:
        (point / "hot").mkdir()
        hot = HotMemory(hot.ram, point / "hot", hot.marker, ROOT, None, "boot")
        fill(hot)
        try:
            for i in range(100):
                (point / f"{i}").touch()
        except OSError:
            (point / "0").unlink()  # for the lock
        restored, before = restore(hot, 1)
        assert isinstance(restored.unsaved, StorageFull) and before.generation == 3
        assert contents(hot.ram)["changes"] == b"1" and ensure_restored(hot) is None
        for path in point.glob("[0-9]*"):
            path.unlink()
        assert take(hot, "x").generation == 4


# -- no room in RAM ------------------------------------------------------------------------------


def test_tmpfs_with_too_few_inodes_at_any_step(hot: HotMemory) -> None:
    with mounted("size=8m,nr_inodes=60,mode=0700") as point:
        small = in_small_ram(hot, point)
        for i in range(5):
            (small.ram / f"f{i}").write_bytes(b"v1")
        take(small, "x")
        refused = 0
        for free in range(16):
            (small.ram / "f0").write_bytes(b"new work")
            (point / "filler").mkdir()
            for i in range(os.statvfs(point).f_ffree - free):
                (point / "filler" / f"{i}").touch()
            try:
                restore(small, 1)
            except StorageFull:
                refused += 1
                assert contents(small.ram)["f0"] == b"new work"
            assert is_complete(small), free
            for path in (point / "filler").iterdir():
                path.unlink()
            (point / "filler").rmdir()
            take(small, "x")
            assert kept(small, b"new work")
        assert 5 < refused < 16


def test_tmpfs_that_is_filled_up_during_the_restore(hot: HotMemory) -> None:
    with mounted("size=8m,nr_inodes=60,mode=0700") as point:
        small = in_small_ram(hot, point)
        (small.ram / "f").write_bytes(b"v1")
        take(small, "x")

        def junk() -> None:
            try:
                for i in range(100):
                    (small.ram / f"junk{i}").touch()
            except OSError:
                pass

        def work() -> None:
            try:
                restore(small, 1)
            except StorageFull:
                assert contents(small.ram)["f"] == b"v2"

        moment = 1
        while True:
            (small.ram / "f").write_bytes(b"v2")
            take(small, "x")
            more = acting_at(moment, work, junk)
            for path in small.ram.glob("junk*"):
                path.unlink()
            assert is_complete(small) and ensure_restored(small) is None, moment
            if not more:
                break
            moment += 5
        assert moment > 50


# -- interrupted ---------------------------------------------------------------------------------


def test_what_came_before_and_after_a_kill_is_kept(hot: HotMemory) -> None:
    fill(hot)
    (hot.ram / "a").write_bytes(b"unsaved 1")
    total = moments_of(lambda: restore(hot, 1))
    interrupted = 0
    for moment in range(1, total, 2):
        for name in "abc":
            (hot.ram / name).write_bytes(b"before %d %s" % (moment, name.encode()))
        assert killed_at(moment, lambda: restore(hot, 1))
        # Sessions go on, for hours perhaps.
        (hot.ram / "late").write_bytes(b"after %d" % moment)
        marker = read_marker(hot)
        assert marker is not None
        if marker.state != "complete":
            interrupted += 1
            assert not release(hot, lambda: False)[1] and hot.ram.exists()
            restored = ensure_restored(hot)
            assert restored is not None and restored.generation == 1 and restored.kept
            assert contents(hot.ram)["changes"] == b"1" and not (hot.ram / "a").exists()
            now = picture(hot.ram)
            wipe(hot)
            ensure_restored(hot)
            assert picture(hot.ram) == now
        for data in (b"after %d" % moment, *(b"before %d %c" % (moment, c) for c in b"abc")):
            assert kept(hot, data), moment
        (hot.ram / "late").unlink(missing_ok=True)
        for number in numbers(hot.disk)[:-3]:
            os.rename(hot.disk / f"{number:08d}", hot.disk.parent / f"{moment} {number}")
    assert interrupted >= 3


def test_half_of_a_first_restore_is_no_generation_and_may_go(hot: HotMemory) -> None:
    fill(hot)
    before = picture(hot.ram)
    moment, seen = 1, 0
    while True:
        wipe(hot)
        if not killed_at(moment, lambda: ensure_restored(hot)):
            break
        marker = read_marker(hot)
        if marker is not None and marker.state != "complete":
            seen += 1
            assert release(hot, lambda: False)[1] and not hot.ram.exists()
        ensure_restored(hot)
        assert picture(hot.ram) == before and numbers(hot.disk) == [3, 2, 1]
        moment += 1
    assert seen > 3


def test_directory_made_again_is_not_the_one_of_the_marker(tmp_path: Path) -> None:
    """On a file system that gives an inode's number to the next."""
    hot = HotMemory(tmp_path / "ram" / "p", tmp_path / "hot", tmp_path / "ram" / "m", ROOT)
    hot.ram.mkdir(parents=True)
    hot.disk.mkdir()
    ensure_restored(hot)
    (hot.ram / "f").write_bytes(b"1")
    take(hot, "x")
    (hot.ram / "f").unlink()
    hot.ram.rmdir()
    for moment in range(1, 12):
        assert killed_at(moment, lambda: ensure_restored(hot))
        if hot.ram.exists():
            assert not hot.marker.exists()
    ensure_restored(hot)
    assert contents(hot.ram) == {"f": b"1"}


@needs_root
@pytest.mark.parametrize("mode", [0o555, 0o400, 0])
def test_directory_that_the_session_closed(hot: HotMemory, mode: int) -> None:
    for path in (hot.ram.parent, hot.ram, hot.disk.parent, hot.disk, hot.marker):
        os.chown(path, 65534, 65534)

    def work() -> None:
        (hot.ram / "f").write_bytes(b"v1")
        take(hot, "x")
        (hot.ram / "f").write_bytes(b"v2")
        hot.ram.chmod(mode)
        assert restore(hot, 1)[1].created
        assert hot.ram.stat().st_mode & 0o777 == mode and is_complete(hot)
        hot.ram.chmod(0o700)
        assert contents(hot.ram) == {"f": b"v1"} and kept(hot, b"v2")

    as_nobody(work)


# -- two servers, two RAMs -----------------------------------------------------------------------


def test_another_server_s_newer_snapshot_wins_and_ours_is_kept(hot: HotMemory) -> None:
    with hot_memory() as other:
        theirs = HotMemory(other.ram, hot.disk, other.marker, ROOT, None, "boot")
        (hot.ram / "f").write_bytes(b"from A")
        take(hot, "x")
        wipe(theirs)
        ensure_restored(theirs)
        (theirs.ram / "g").write_bytes(b"from B, a day of work")
        take(theirs, "end of session")
        (hot.ram / "f").write_bytes(b"of A, unsaved")
        restored = ensure_restored(hot)
        assert restored is not None and restored.elsewhere and restored.generation == 2
        assert restored.kept is not None and restored.kept.generation == 3
        assert contents(hot.ram) == {"f": b"from A", "g": b"from B, a day of work"}
        assert copy_of(hot, 3, "f").read_bytes() == b"of A, unsaved"
        assert ensure_restored(hot) is None
        (hot.ram / "f").write_bytes(b"more")
        take(hot, "x")
        wipe(theirs)
        ensure_restored(theirs)
        assert contents(theirs.ram) == {"f": b"more", "g": b"from B, a day of work"}


def test_ours_wins_over_what_it_has_seen_or_what_is_damaged(hot: HotMemory) -> None:
    fill(hot)
    wipe(hot)
    ensure_restored(hot)
    (hot.ram / "unsaved").write_bytes(b"1")
    os.rename(hot.disk / "00000003", hot.disk.parent / "gone")
    assert ensure_restored(hot) is None
    os.rename(hot.disk.parent / "gone", hot.disk / "00000004")
    assert ensure_restored(hot) is None  # it is no generation 4
    with hot_memory() as other:
        theirs = HotMemory(other.ram, hot.disk, other.marker, ROOT, None, "boot")
        wipe(theirs)
        ensure_restored(theirs)
        (theirs.ram / "g").write_bytes(b"2")
        assert take(theirs, "x").generation == 5
    flip_byte(hot.disk / "00000005" / "manifest", 400)
    assert ensure_restored(hot) is None
    assert json.loads(hot.marker.read_text())["newest"] == 5
    assert (hot.ram / "unsaved").read_bytes() == b"1"
