"""Taking snapshots: what becomes a generation, what is shared, what is kept."""

from __future__ import annotations

import json
import mmap
import os
import stat
import threading
import time
from collections.abc import Iterator

import pytest

from cognition_jupyter.exceptions import Conflict, RuntimeUnavailable
from cognition_jupyter.memory.snapshots.generations import list_generations, verify
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import ensure_restored
from cognition_jupyter.memory.snapshots.take import take
from cognition_jupyter.projects.files import locked

from .snapshot_support import (
    acting_at,
    contents,
    copy_of,
    hot_memory,
    mounted,
    picture,
    wipe,
)


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


def test_generation_is_a_plain_directory_of_copies(hot: HotMemory) -> None:
    (hot.ram / "notes" / "empty").mkdir(parents=True)
    (hot.ram / "notes" / "plan.md").write_bytes(b"# plan\n")
    (hot.ram / "tool").write_bytes(b"#!/bin/sh\n")
    (hot.ram / "tool").chmod(0o6755)
    (hot.ram / "link").symlink_to("/etc/passwd")
    taken = take(hot, "manual")
    assert (taken.generation, taken.created, taken.files, taken.bytes) == (1, True, 2, 17)
    assert not taken.skipped and not taken.unstable
    generation = hot.disk / "00000001"
    assert contents(generation / "files") == {"notes/plan.md": b"# plan\n", "tool": b"#!/bin/sh\n"}
    assert sorted(os.listdir(generation)) == ["files", "manifest"]
    modes = {stat.S_IMODE(p.lstat().st_mode) for p in generation.rglob("*") if p.is_file()}
    assert modes == {0o400}
    assert not (generation / "files" / "link").is_symlink()

    header, *entries, end = map(json.loads, (generation / "manifest").read_text().splitlines())
    assert header["generation"] == 1 and header["reason"] == "manual" and header["version"] == 1
    assert header["taken_at"].endswith("Z")
    by_path = {entry["path"]: entry for entry in entries}
    assert by_path["tool"]["mode"] == 0o6755
    assert by_path["link"]["target"] == "/etc/passwd"
    assert by_path["notes/empty"]["type"] == "directory"
    assert end["end"] == {
        "files": 2,
        "directories": 2,
        "links": 1,
        "bytes": 17,
        "skipped": 0,
        "unnamed": 0,
    }
    assert verify(hot.disk, 1) == []


def test_nothing_changed_means_no_new_generation(hot: HotMemory) -> None:
    assert take(hot, "first").generation is None  # nothing at all yet
    for i in range(30):
        (hot.ram / f"{i}").write_bytes(b"x" * i * 1000)
    os.mkfifo(hot.ram / "fifo")
    assert take(hot, "first").created
    again = take(hot, "again")
    assert (again.generation, again.created, again.files) == (1, False, 30)
    assert [skipped.path for skipped in again.skipped] == ["fifo"]
    assert not take(hot, "again", thorough=True).created
    # Another life of the directory: other inodes, other ctimes, same content.
    wipe(hot)
    assert ensure_restored(hot) is not None
    assert not take(hot, "again").created
    (hot.ram / "3").touch()
    assert take(hot, "touched").generation == 2


@pytest.mark.parametrize("size", [10, 100_000])
def test_every_change_is_seen(hot: HotMemory, size: int) -> None:
    file = hot.ram / "file"
    file.write_bytes(b"a" * size)
    (hot.ram / "directory").mkdir()
    (hot.ram / "link").symlink_to("a")
    number = 0

    def changed() -> None:
        nonlocal number
        number += 1
        before = picture(hot.ram)
        assert take(hot, "x").generation == number
        assert not take(hot, "x").created
        assert contents(hot.disk / f"{number:08d}" / "files") == contents(hot.ram)
        assert picture(hot.ram) == before

    changed()
    status = file.stat()
    file.write_bytes(b"b" * size)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # as rsync and tar do
    changed()
    file.chmod(0o600)
    changed()
    (hot.ram / "directory").chmod(0o700)
    changed()
    (hot.ram / "link").unlink()
    (hot.ram / "link").symlink_to("b")
    changed()
    (hot.ram / "link").unlink()
    changed()
    file.rename(hot.ram / "directory" / "moved")
    changed()
    (hot.ram / "directory" / "moved").unlink()
    (hot.ram / "directory" / "moved").mkdir()
    changed()
    (hot.ram / "directory" / "moved").rmdir()
    changed()
    (hot.ram / "directory").rmdir()
    changed()


def test_second_write_within_a_tick_of_the_clock_is_seen(hot: HotMemory) -> None:
    # On ramfs, as on every file system before Linux 6.13, two writes may leave the same times.
    with mounted("mode=0700", "ramfs") as point:
        (point / "p").mkdir()
        hot = HotMemory(point / "p", hot.disk, point / "marker", hot.root_uuid, None, hot.boot)
        ensure_restored(hot)
        file = hot.ram / "file"
        moment, going_on = 0, True
        while going_on:
            moment += 1
            for path in (hot.ram / "before", file, hot.ram / "after"):
                path.write_bytes(b"%6d" % moment)
            going_on = acting_at(
                moment,
                lambda: take(hot, "x"),
                lambda: file.write_bytes(b"second"),
                lambda: file.write_bytes(b"third "),
            )
            number = take(hot, "x").generation or 0
            assert copy_of(hot, number, "file").read_bytes() == file.read_bytes()
        assert moment > 20


def test_store_through_a_memory_mapping_is_seen(hot: HotMemory) -> None:
    with (hot.ram / "big").open("w+b") as big, (hot.ram / "small").open("w+b") as small:
        big.write(bytes(8192))
        small.write(bytes(100))
        big.flush()
        small.flush()
        with mmap.mmap(big.fileno(), 8192) as large, mmap.mmap(small.fileno(), 100) as little:
            large[0] = little[0] = 1  # the page is writable from now on, and no time changes more
            assert take(hot, "x").created
            large[0] = 2
            assert take(hot, "periodic").created
            little[0] = 2
            assert take(hot, "last", thorough=True).created
            assert copy_of(hot, 3, "small").read_bytes()[0] == 2


def test_unchanged_files_share_a_copy_until_the_next_full_one(hot: HotMemory) -> None:
    for i in range(7):
        (hot.ram / "same").write_bytes(b"same") if not i else None
        (hot.ram / "other").write_bytes(b"%d" % i)
        take(hot, "x", full_every=3)
    inodes = [copy_of(hot, n, "same").stat().st_ino for n in range(1, 8)]
    assert len(set(inodes[:3])) == len(set(inodes[3:6])) == 1
    assert len(set(inodes)) == 3
    others = {copy_of(hot, n, "other").stat().st_ino for n in range(1, 8)}
    assert len(others) == 7


def test_touched_file_shares_its_copy(hot: HotMemory) -> None:
    (hot.ram / "file").write_bytes(b"same")
    take(hot, "x")
    (hot.ram / "file").touch()
    assert take(hot, "x").generation == 2
    assert copy_of(hot, 1, "file").samefile(copy_of(hot, 2, "file"))


def test_missing_copy_is_made_again(hot: HotMemory) -> None:
    (hot.ram / "file").write_bytes(b"same")
    (hot.ram / "other").write_bytes(b"1")
    take(hot, "x")
    copy_of(hot, 1, "file").unlink()
    (hot.ram / "other").write_bytes(b"22")
    take(hot, "x")
    assert verify(hot.disk, 2) == []
    (hot.disk / "00000002" / "files").rename(hot.disk / "gone")
    (hot.ram / "other").write_bytes(b"333")
    take(hot, "x")
    assert verify(hot.disk, 3) == []


def test_no_snapshot_of_what_is_not_restored(hot: HotMemory) -> None:
    (hot.ram / "file").write_bytes(b"1")
    take(hot, "x")
    wipe(hot)
    with pytest.raises(Conflict) as caught:
        take(hot, "x")
    assert caught.value.code == "memory_not_restored"
    assert [summary.number for summary in list_generations(hot.disk)] == [1]


def test_two_at_once_wait_for_each_other(hot: HotMemory) -> None:
    (hot.ram / "file").write_bytes(b"1")
    with locked(hot.lock), pytest.raises(RuntimeUnavailable):
        take(hot, "x", lock_timeout=0.05)
    created = []
    threads = [
        threading.Thread(target=lambda: created.append(take(hot, "x").created)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [False] * 7 + [True]


def test_file_written_all_the_time_is_kept_and_named(hot: HotMemory) -> None:
    file = hot.ram / "log"
    file.write_bytes(b"x" * 30_000_000)
    stop = threading.Event()

    def write() -> None:
        with file.open("r+b", buffering=0) as out:
            while not stop.is_set():
                out.seek(0)
                out.write(b"y")
                time.sleep(0)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        taken = take(hot, "x")
    finally:
        stop.set()
        thread.join()
    assert taken.unstable == ["log"]
    assert verify(hot.disk, 1) == []
    assert b'"unstable":true' in (hot.disk / "00000001" / "manifest").read_bytes()
    file.write_bytes(b"z" * 30_000_000)
    assert take(hot, "x").unstable == []


def test_leftovers_of_killed_processes_go(hot: HotMemory) -> None:
    for path in (hot.disk / ".tmp-1234" / "files", hot.new / "x", hot.old / "y"):
        path.mkdir(parents=True)
    (hot.disk / "notes.txt").write_text("not ours")
    (hot.ram / "file").write_bytes(b"1")
    take(hot, "x")
    assert sorted(os.listdir(hot.disk)) == ["00000001", "notes.txt"]
    assert sorted(os.listdir(hot.ram.parent)) == ["marker", hot.ram.name]
    assert not hot.lock.exists()
