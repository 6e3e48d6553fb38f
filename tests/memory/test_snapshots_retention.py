"""Lists of generations, damaged ones among them, and which are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from cognition_jupyter.memory.snapshots.generations import (
    Summary,
    list_generations,
    surplus,
    verify,
)
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import ensure_restored
from cognition_jupyter.memory.snapshots.take import take, thin

from .snapshot_support import as_nobody, contents, copy_of, flip_byte, hot_memory, needs_root, wipe


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


def test_list_tells_damaged_generations(hot: HotMemory) -> None:
    for i in range(6):
        (hot.ram / "file").write_bytes(b"%d" % i)
        (hot.ram / f"{i}").write_bytes(b"12345")
        take(hot, f"reason {i}")
    manifest = "manifest"
    (hot.disk / "00000002" / manifest).unlink()
    (hot.disk / "00000003" / manifest).chmod(0o600)
    (hot.disk / "00000003" / manifest).write_bytes(b"")
    flip_byte(hot.disk / "00000004" / manifest, 700)
    (hot.disk / "00000005" / manifest).unlink()
    (hot.disk / "00000005" / manifest).symlink_to("../00000006/manifest")
    (hot.disk / "00000007").symlink_to("00000006")
    (hot.disk / "00000008").write_text("a file")
    found = {summary.number: summary for summary in list_generations(hot.disk)}
    assert list(found) == [8, 7, 6, 5, 4, 3, 2, 1]
    assert [n for n in found if not found[n].damaged] == [6, 1]
    assert "checksum" in found[4].damaged
    assert (found[6].files, found[6].bytes, found[6].reason) == (7, 31, "reason 5")
    assert found[6].taken_at is not None and found[6].taken_at.tzinfo is not None
    assert list_generations(hot.disk / "missing") == []
    # The next one compares with the newest whole one and takes a number of its own.
    (hot.disk / "00000006" / manifest).unlink()
    assert take(hot, "x").generation == 9


def test_manifest_cut_or_changed_anywhere_is_noticed(hot: HotMemory) -> None:
    (hot.ram / "file").write_bytes(b"1")
    take(hot, "x")
    manifest = hot.disk / "00000001" / "manifest"
    whole = manifest.read_bytes()
    manifest.chmod(0o600)
    for length in range(len(whole)):
        manifest.write_bytes(whole[:length])
        assert list_generations(hot.disk)[0].damaged, length
        changed = bytearray(whole)
        changed[length] ^= 1
        manifest.write_bytes(changed)
        assert list_generations(hot.disk)[0].damaged, length
    manifest.write_bytes(whole)
    assert not list_generations(hot.disk)[0].damaged


NOW = datetime(2026, 11, 20, 12, 30, tzinfo=timezone.utc)


def test_retention_keeps_fewer_the_older_they_are() -> None:
    summaries = [
        Summary(n, NOW - timedelta(minutes=5 * (20_000 - n))) for n in range(20_000, 0, -1)
    ]
    doomed = set(surplus(summaries, 10, NOW))
    kept = [summary for summary in summaries if summary.number not in doomed]
    assert [summary.number for summary in kept[:10]] == list(range(20_000, 19_990, -1))
    ages = [NOW - summary.taken_at for summary in kept if summary.taken_at]
    assert 23 <= sum(timedelta(hours=1) <= age < timedelta(days=1) for age in ages) <= 24
    assert 28 <= sum(timedelta(days=1) <= age for age in ages) <= 30
    assert max(ages) < timedelta(days=30)
    assert surplus(kept, 10, NOW) == []  # what was kept once is kept


def test_retention_is_steady_while_time_goes_on() -> None:
    kept: list[Summary] = []
    for n in range(1, 2000):
        now = NOW + timedelta(minutes=20 * n)
        kept.insert(0, Summary(n, now))
        doomed = set(surplus(kept, 3, now))
        kept = [summary for summary in kept if summary.number not in doomed]
        assert kept[0].number == n
    days = {f"{summary.taken_at:%d.%m}" for summary in kept}
    assert len(days) >= 27
    assert len(kept) <= 3 + 24 + 30


def test_retention_of_damaged_ones_and_odd_clocks() -> None:
    old = NOW - timedelta(days=400)
    only = [Summary(3, damaged="x"), Summary(2, old), Summary(1, old)]
    assert surplus(only, 0, NOW) == [1]
    assert surplus([Summary(2, old), Summary(1, damaged="x")], 1, NOW) == [1]
    assert surplus([Summary(2, old), Summary(1, damaged="x")], 2, NOW) == []
    future = [Summary(n, NOW + timedelta(days=n)) for n in (5, 4, 3)]
    assert surplus(future, 1, NOW) == []


def test_thinning_removes_directories(hot: HotMemory) -> None:
    for i in range(5):
        (hot.ram / "file").write_bytes(b"%d" % i)
        take(hot, "x")
    (hot.disk / ".tmp-left").mkdir()
    later = datetime.now(timezone.utc) + timedelta(days=31)
    assert thin(hot, keep=2, now=later) == [3, 2, 1]
    assert sorted(os.listdir(hot.disk)) == ["00000004", "00000005"]
    assert verify(hot.disk, 4) == verify(hot.disk, 5) == []


def test_nothing_goes_for_ones_that_are_damaged_in_the_middle(hot: HotMemory) -> None:
    for i in range(5):
        (hot.ram / "file").write_bytes(b"%d" % i)
        take(hot, "x")
    for number in (3, 4, 5):
        flip_byte(hot.disk / f"{number:08d}" / "manifest", 300)
    assert thin(hot, keep=3) == []
    assert thin(hot, keep=1) == [1]
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 2
    assert contents(hot.ram) == {"file": b"1"}


def test_what_undoes_the_last_restore_stays() -> None:
    old = NOW - timedelta(days=400)
    summaries = [
        Summary(n, old, reason) for n, reason in ((4, "x"), (3, "restore"), (2, "restore"), (1, ""))
    ]
    assert surplus(summaries, 1, NOW) == [2, 1]


@needs_root
def test_what_can_not_be_read_just_now_is_not_damaged(hot: HotMemory) -> None:
    """A server without rights here; one of files that does not answer behaves the same."""
    for i in range(3):
        (hot.ram / "file").write_bytes(b"%d" % i)
        take(hot, "x")
    for path in (hot.disk.parent, hot.ram.parent, *hot.disk.parent.rglob("*")):
        os.chown(path, 65534, 65534)
    newest = hot.disk / "00000003"
    os.chown(newest / "manifest", 0, 0)
    os.chown(copy_of(hot, 2, "file"), 0, 0)
    wipe(hot)
    os.chown(hot.ram, 65534, 65534)

    def work() -> None:
        with pytest.raises(PermissionError):
            ensure_restored(hot)
        with pytest.raises(PermissionError):
            verify(hot.disk, 2)
        damaged = {s.number: s.damaged for s in list_generations(hot.disk)}
        assert damaged == {3: "its manifest: Operation not permitted", 2: "", 1: ""}
        assert thin(hot, keep=1) == [1]

    as_nobody(work)
    os.chown(newest / "manifest", 65534, 65534)
    assert not any(summary.damaged for summary in list_generations(hot.disk))
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 3
    assert contents(hot.ram) == {"file": b"2"}
