"""Snapshots and restores without the rights or the space they would like."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cognition_jupyter.exceptions import StorageFull
from cognition_jupyter.memory.snapshots.durable import sync_tree
from cognition_jupyter.memory.snapshots.generations import list_generations, verify
from cognition_jupyter.memory.snapshots.marker import HotMemory, is_complete
from cognition_jupyter.memory.snapshots.restore import ensure_restored, restore
from cognition_jupyter.memory.snapshots.take import take, thin
from cognition_jupyter.memory.snapshots.tree import Tree

from .snapshot_support import (
    as_nobody,
    contents,
    hot_memory,
    in_child,
    mounted,
    needs_root,
    picture,
    reasons,
)


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


@needs_root
def test_owner_without_rights_to_its_own_files(hot: HotMemory) -> None:
    """A server that is not root shares its user with the containers."""
    for path in (hot.ram.parent, hot.ram, hot.disk.parent, hot.disk, hot.marker):
        os.chown(path, 65534, 65534)

    def work() -> None:
        (hot.ram / "closed" / "inner").mkdir(parents=True)
        (hot.ram / "closed" / "inner" / "file").write_bytes(b"1")
        (hot.ram / "closed" / "inner" / "file").chmod(0)
        (hot.ram / "closed" / "inner").chmod(0o100)
        (hot.ram / "closed").chmod(0)
        (hot.ram / "listed").mkdir()
        (hot.ram / "listed" / "file").write_bytes(b"3")
        (hot.ram / "listed").chmod(0o400)
        (hot.ram / "read-only").mkdir()
        (hot.ram / "read-only" / "file").write_bytes(b"2")
        (hot.ram / "read-only").chmod(0o500)
        taken = take(hot, "x")
        assert (taken.files, taken.skipped) == (3, [])
        assert not take(hot, "x").created
        for _ in range(2):  # the second time such directories stand in the way
            restored = restore(hot, 1)[0]
            assert (restored.files, restored.lost) == (3, [])
        assert not take(hot, "x").created
        assert not hot.old.exists() and not hot.new.exists()

    as_nobody(work)
    found = {path: entry[1] for path, entry in picture(hot.ram).items()}
    assert found == {
        b"closed": 0,
        b"closed/inner": 0o100,
        b"closed/inner/file": 0,
        b"listed": 0o400,
        b"listed/file": found[b"listed/file"],
        b"read-only": 0o500,
        b"read-only/file": found[b"read-only/file"],
    }


@needs_root
def test_files_of_somebody_else_are_named(hot: HotMemory) -> None:
    (hot.ram / "theirs").write_bytes(b"1")
    (hot.ram / "theirs").chmod(0o600)
    (hot.ram / "closed").mkdir(mode=0o700)
    for path in (hot.ram.parent, hot.ram, hot.disk.parent, hot.disk, hot.marker):
        os.chown(path, 65534, 65534)

    def work() -> None:
        (hot.ram / "mine").write_bytes(b"1")
        taken = take(hot, "x")
        assert taken.files == 1
        assert set(reasons(taken)) == {"theirs", "closed"}
        assert not take(hot, "x").created

    as_nobody(work)


@pytest.mark.parametrize("options", ["size=1m", "nr_inodes=40"])
def test_disk_that_fills_up(hot: HotMemory, options: str) -> None:
    with mounted(options) as point:
        disk = point / "hot"
        disk.mkdir()
        hot = HotMemory(hot.ram, disk, hot.marker, hot.root_uuid, None, hot.boot)
        for i in range(8):
            (hot.ram / f"{i}").write_bytes(os.urandom(20_000))
        first = picture(hot.ram)
        assert take(hot, "x").created
        (hot.ram / "0").write_bytes(b"2")
        second = picture(hot.ram)
        assert take(hot, "x").created
        for i in range(60):
            (hot.ram / f"more {i}").write_bytes(os.urandom(20_000))
        for _ in range(3):
            with pytest.raises(StorageFull) as caught:
                take(hot, "x")
            assert "full" in caught.value.message and caught.value.status == 507
            assert sorted(os.listdir(disk)) == ["00000001", "00000002"]
            assert verify(disk, 1) == verify(disk, 2) == []
        assert is_complete(hot)
        with pytest.raises(StorageFull):  # what is there could not be kept
            restore(hot, 1)
        assert is_complete(hot) and len(contents(hot.ram)) == 68
        for i in range(60):
            (hot.ram / f"more {i}").unlink()
        restore(hot, 1)
        assert picture(hot.ram) == first
        restore(hot, 2)
        assert picture(hot.ram) == second
        (hot.ram / "1").write_bytes(b"3")
        thin(hot, 1)
        assert take(hot, "x").created


def test_ram_that_fills_up_during_a_restore(hot: HotMemory) -> None:
    with mounted("size=1m") as point:
        (point / "p").mkdir()
        hot = HotMemory(point / "p", hot.disk, point / "marker", hot.root_uuid, None, hot.boot)
        ensure_restored(hot)
        (hot.ram / "file").write_bytes(os.urandom(600_000))
        take(hot, "x")
        (hot.ram / "file").write_bytes(os.urandom(600_001))
        before = contents(hot.ram)
        with pytest.raises(StorageFull):
            restore(hot, 1)
        assert contents(hot.ram) == before and is_complete(hot)
        assert sorted(os.listdir(point)) == ["marker", "p"]


def test_running_out_of_descriptors_leaves_nothing_out(hot: HotMemory) -> None:
    (hot.ram / "a").mkdir()
    for name in ("file", "a/file"):
        (hot.ram / name).write_bytes(b"1")

    def work() -> None:
        used = max(map(int, os.listdir("/proc/self/fd")))
        while os.dup(0) < used:  # no free numbers below, whatever ran before
            pass
        for more in range(40):
            (hot.ram / "a" / "file").write_bytes(b"%d" % more)
            before = list_generations(hot.disk)
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + more, limit[1]))
            try:
                taken = take(hot, "x")
            except OSError as error:
                assert error.errno == errno.EMFILE
                resource.setrlimit(resource.RLIMIT_NOFILE, limit)
                assert list_generations(hot.disk) == before
            else:
                resource.setrlimit(resource.RLIMIT_NOFILE, limit)
                assert taken.created and not taken.skipped
            # Nor does a session that starts then take what is in RAM for something half restored.
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + more, limit[1]))
            with suppress(OSError):
                assert ensure_restored(hot) is None
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            assert (hot.ram / "a" / "file").read_bytes() == b"%d" % more
        assert more == 39 and taken.created

    assert in_child(work) == 0


def test_without_syncfs_each_file_is_synced(
    hot: HotMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hot.ram / "a" / "b").mkdir(parents=True)
    (hot.ram / "a" / "file").write_bytes(b"1")
    take(hot, "x")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    with Tree(hot.disk / "00000001") as tree:
        sync_tree(tree, libc=object())
    top = str(hot.disk / "00000001")
    below = ["", "/files", "/files/a", "/files/a/b", "/files/a/file", "/manifest"]
    assert sorted(synced) == [top + path for path in below]
