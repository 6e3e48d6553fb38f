"""Restoring: what comes back, what is recovered or named as lost, what the marker is good for."""

from __future__ import annotations

import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import Conflict, NotFound
from cognition_jupyter.memory.snapshots.marker import HotMemory, complete_marker, is_complete
from cognition_jupyter.memory.snapshots.restore import ensure_restored, restore
from cognition_jupyter.memory.snapshots.take import take

from .snapshot_support import (
    contents,
    fill,
    flip_byte,
    hot_memory,
    needs_root,
    picture,
    wipe,
)


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


# -- resume ------------------------------------------------------------------------------------


def test_after_a_reboot_the_newest_generation_comes_back(hot: HotMemory) -> None:
    fill(hot)
    before = picture(hot.ram)
    assert ensure_restored(hot) is None
    wipe(hot)
    (hot.ram / "planted").write_bytes(b"not whole: must not win")
    inode = hot.ram.stat().st_ino
    restored = ensure_restored(hot)
    assert restored is not None
    assert (restored.generation, restored.files, restored.bytes) == (3, 2, 6003)
    assert not restored.lost and not restored.recovered and not restored.damaged
    assert picture(hot.ram) == before
    assert hot.ram.stat().st_ino == inode
    assert ensure_restored(hot) is None


def test_only_the_marker_of_this_life_counts(hot: HotMemory) -> None:
    fill(hot)
    (hot.ram / "newer").write_bytes(b"than the disk")
    assert is_complete(hot)
    again = HotMemory(hot.ram, hot.disk, hot.marker, hot.root_uuid, None, "another boot")
    assert not is_complete(again)
    assert not is_complete(HotMemory(hot.ram, hot.disk, hot.marker, "another root", None, hot.boot))
    whole = hot.marker.read_text()
    for text in ("", "[]", "{}", "null", whole[:-3], whole.replace("complete", "restoring")):
        hot.marker.write_text(text)
        assert not is_complete(hot)
    hot.marker.unlink()
    hot.marker.symlink_to("elsewhere")
    assert not is_complete(hot)
    hot.marker.unlink()
    hot.marker.write_text(whole)
    assert is_complete(hot)
    # The directory removed and made again, by whatever cleans /dev/shm, is not this directory.
    shutil.rmtree(hot.ram)
    assert not is_complete(hot)
    hot.ram.mkdir()
    assert not is_complete(hot)
    assert ensure_restored(hot) is not None
    assert "changes" in contents(hot.ram)


def test_without_generations_what_is_there_stays(hot: HotMemory) -> None:
    wipe(hot)
    (hot.ram / "first").write_bytes(b"1")
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation is None
    assert contents(hot.ram) == {"first": b"1"}
    assert take(hot, "x").created


def test_damaged_generations_are_passed_over(hot: HotMemory) -> None:
    fill(hot)
    flip_byte(hot.disk / "00000003" / "manifest", 300)
    (hot.disk / "00000002" / "manifest").unlink()
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 1
    assert [number for number, _ in restored.damaged] == [3, 2]
    assert contents(hot.ram)["changes"] == b"1"


def test_nothing_that_can_be_restored(hot: HotMemory) -> None:
    fill(hot)
    for number in (1, 2, 3):
        flip_byte(hot.disk / f"{number:08d}" / "manifest", 300)
    wipe(hot)
    (hot.ram / "planted").write_bytes(b"1")
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation is None
    assert [number for number, _ in restored.damaged] == [3, 2, 1]
    assert contents(hot.ram) == {}
    assert is_complete(hot)
    (hot.ram / "new").write_bytes(b"1")
    assert take(hot, "x").generation == 4


def test_each_restore_is_another_incarnation(hot: HotMemory) -> None:
    fill(hot)
    seen = {hot.marker.read_text()}
    for number in (1, 2, 3, 3):
        restore(hot, number)
        marker = complete_marker(hot)
        assert marker is not None and marker.generation == number
        seen.add(marker.incarnation)
    assert len(seen) == 5


# -- on request --------------------------------------------------------------------------------


def test_restore_on_request_can_be_undone(hot: HotMemory) -> None:
    fill(hot)
    (hot.ram / "unsaved").write_bytes(b"work")
    before = picture(hot.ram)
    undo = take(hot, "before restore").generation
    assert undo == 4
    restore(hot, 1)
    assert contents(hot.ram)["changes"] == b"1" and "unsaved" not in contents(hot.ram)
    assert take(hot, "restored").generation == 5
    restore(hot, undo)
    assert picture(hot.ram) == before


def test_what_is_not_there_is_refused(hot: HotMemory) -> None:
    fill(hot)
    before = picture(hot.ram)
    flip_byte(hot.disk / "00000002" / "manifest", 300)
    with pytest.raises(NotFound) as missing:
        restore(hot, 99)
    assert missing.value.code == "snapshot_not_found"
    with pytest.raises(Conflict) as damaged:
        restore(hot, 2)
    assert damaged.value.code == "snapshot_damaged" and "checksum" in damaged.value.message
    assert picture(hot.ram) == before and is_complete(hot)


def test_running_session_sees_the_restore_in_its_mount(hot: HotMemory, tmp_path: Path) -> None:
    fill(hot)
    mount = tmp_path / "mount"
    mount.mkdir()
    call = ["mount", "--bind", str(hot.ram), str(mount)]
    if shutil.which("mount") is None or subprocess.run(call, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here (that needs root)")
    try:
        restore(hot, 1)
        assert (mount / "changes").read_bytes() == b"1"
        (mount / "new").write_bytes(b"from the session")
    finally:
        subprocess.run(["umount", str(mount)], check=True)
    assert contents(hot.ram)["new"] == b"from the session"


def test_session_that_writes_during_a_restore(hot: HotMemory, tmp_path: Path) -> None:
    fill(hot)
    (tmp_path / "secret").write_bytes(b"secret")
    stop = threading.Event()

    def write() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            for name in ("changes", "notes", "link", f"{turn % 50}"):
                path = hot.ram / name
                try:
                    if turn % 3 == 0:
                        path.symlink_to(tmp_path)
                    elif turn % 3 == 1:
                        path.mkdir()
                        (path / "inner").mkdir()
                    else:
                        path.write_bytes(b"x")
                except OSError:
                    pass
            time.sleep(0)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(100):
            restored = restore(hot, 1)[0]
            assert restored.files == 3
            assert all("running session" in problem.why for problem in restored.lost)
            assert is_complete(hot)
    finally:
        stop.set()
        thread.join()
    restored = restore(hot, 1)[0]
    assert not restored.lost
    assert contents(hot.ram) == {"notes/stays": b"stays " * 1000, "goes": b"goes", "changes": b"1"}
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert not hot.old.exists() and not hot.new.exists()


def test_special_bits_do_not_come_back(hot: HotMemory) -> None:
    (hot.ram / "tool").write_bytes(b"")
    (hot.ram / "tool").chmod(0o6755)
    (hot.ram / "shared").mkdir()
    (hot.ram / "shared").chmod(0o3777)
    take(hot, "x")
    restore(hot, 1)
    assert stat.S_IMODE((hot.ram / "tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((hot.ram / "shared").stat().st_mode) == 0o777


@needs_root
def test_what_is_restored_belongs_to_the_sessions_user() -> None:
    with hot_memory(user=(1234, 5678)) as hot:
        fill(hot)
        wipe(hot)
        ensure_restored(hot)
        paths = list(hot.ram.rglob("*"))
        assert len(paths) == 5
        assert {(p.lstat().st_uid, p.lstat().st_gid) for p in paths} == {(1234, 5678)}
        assert {p.lstat().st_uid for p in hot.disk.rglob("*")} == {0}
