"""Snapshots of trees made to harm: links, FIFOs, depth, size, number, names, races."""

from __future__ import annotations

import json
import os
import resource
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cognition_jupyter.memory.snapshots.generations import list_generations, verify
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import ensure_restored, restore
from cognition_jupyter.memory.snapshots.scan import Limits
from cognition_jupyter.memory.snapshots.take import take
from cognition_jupyter.projects.tree import remove_tree

from .snapshot_support import (
    SECRET,
    everything_on_disk,
    hot_memory,
    in_child,
    make_deep,
    needs_root,
    picture,
    reasons,
    wipe,
)


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


def test_links_are_kept_and_never_followed(hot: HotMemory, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    (hot.ram / "file").symlink_to(tmp_path / "secret")
    (hot.ram / "directory").symlink_to(tmp_path)
    (hot.ram / "loop").symlink_to("loop")
    os.symlink(b"\xff\n" * 300, bytes(hot.ram) + b"/odd")
    (hot.ram / "real").write_bytes(b"1")
    before = picture(hot.ram)
    taken = take(hot, "x")
    assert (taken.files, taken.skipped) == (1, [])
    assert SECRET not in everything_on_disk(hot)
    restore(hot, 1)
    assert picture(hot.ram) == before
    assert not take(hot, "x").created


def test_what_is_no_file_is_named(hot: HotMemory) -> None:
    os.mkfifo(hot.ram / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(hot.ram / "socket"))
    (hot.ram / "file").write_bytes(b"1")
    expected = {"fifo": "it is a FIFO", "socket": "it is a socket"}
    if os.geteuid() == 0:
        os.mknod(hot.ram / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(hot.ram / "disk", stat.S_IFBLK | 0o666, os.makedev(7, 0))
        expected |= {"null": "it is a device", "disk": "it is a device"}
    taken = take(hot, "x")
    assert reasons(taken) == expected
    lines = (hot.disk / "00000001" / "manifest").read_text().splitlines()
    named = [json.loads(line) for line in lines if '"skipped",' in line]
    assert {entry["path"]: entry["why"] for entry in named} == expected
    assert list_generations(hot.disk)[0].skipped == len(expected)
    restored = restore(hot, 1)[0]
    assert (restored.files, restored.lost) == (1, [])
    assert os.listdir(hot.ram) == ["file"]


def test_any_name_comes_back(hot: HotMemory) -> None:
    names = [bytes([byte]) for byte in range(1, 256) if byte not in b"/."]
    names += [b"a" * 255, b"\xff" * 255, "ü\u2028\U0001f600".encode(), b'","type":"file"', b'\\","']
    names += [b"...", b" ", b"manifest", b".tmp-1", b"\xed\xa0\x80", b"new\nline", b"%00000008d"]
    (hot.ram / "empty").mkdir()
    names = sorted(set(names))
    for name in names:
        (hot.ram / os.fsdecode(name)).write_bytes(name)
        (hot.ram / "empty" / os.fsdecode(name)).mkdir()
    before = picture(hot.ram)
    assert take(hot, "x").files == len(names)
    assert not take(hot, "x").created
    (hot.ram / "one more").write_bytes(b"1")
    assert take(hot, "x").generation == 2
    wipe(hot)
    ensure_restored(hot)
    restored = restore(hot, 1)[0]
    assert not restored.lost and not restored.recovered
    assert picture(hot.ram) == before


@pytest.mark.parametrize("name", ["d", "a longer name of a directory"])
def test_ten_thousand_levels(hot: HotMemory, name: str) -> None:
    make_deep(hot.ram, 10_000, name)
    (hot.ram / "top").write_bytes(b"1")
    used = len(os.listdir("/proc/self/fd"))

    def with_few_descriptors(work: Callable[[], object]) -> None:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + 140, 1000))
            work()

        assert in_child(limited) == 0

    try:
        with_few_descriptors(lambda: take(hot, "x"))
        taken = take(hot, "x")
        assert len(os.listdir("/proc/self/fd")) <= used
        # A path longer than PATH_MAX can't be opened by its name: it is left out, and named.
        assert [skipped.why for skipped in taken.skipped] == ["its path is longer than 4095 bytes"]
        levels = 4096 // (len(name) + 1)
        assert (taken.created, taken.files) == (False, 2 + (levels - 1) // 500)
        with_few_descriptors(lambda: restore(hot, 1))
        assert not take(hot, "x", thorough=True).created
        assert verify(hot.disk, 1) == []
    finally:
        for path in (hot.ram, hot.disk / "00000001"):
            remove_tree(path)  # shutil can't


def test_many_directories_deep_down_take_no_memory(hot: HotMemory) -> None:
    make_deep(hot.ram, 400, "name")
    taken = take(hot, "x", limits=Limits(names=50_000))
    assert "paths are longer than 50000 together" in taken.skipped[-1].why
    assert taken.created and verify(hot.disk, 1) == []


def test_limits_leave_out_and_name(hot: HotMemory) -> None:
    (hot.ram / "a").mkdir()
    for i in range(20):
        (hot.ram / "a" / f"{i}").write_bytes(b"x" * 100)
    with (hot.ram / "sparse").open("wb") as file:
        file.truncate(1 << 44)
    begin = time.monotonic()
    taken = take(hot, "x")
    assert time.monotonic() - begin < 60
    assert reasons(taken) == {"sparse": f"{1 << 44} bytes do not fit: at most {1 << 30} are kept"}
    assert not take(hot, "x").created
    taken = take(hot, "x", limits=Limits(bytes=1050))
    assert (taken.files, taken.bytes, len(taken.skipped)) == (10, 1000, 11)
    taken = take(hot, "x", limits=Limits(files=12))
    assert taken.files in (10, 12)
    assert "more than 12 entries" in taken.skipped[-1].why
    (hot.ram / "b").mkdir()
    assert take(hot, "x").files == 20


def test_skipped_entries_beyond_a_thousand_are_counted(hot: HotMemory) -> None:
    for i in range(1100):
        os.mkfifo(hot.ram / f"{i}")
    (hot.ram / "file").write_bytes(b"1")
    taken = take(hot, "x")
    assert (taken.files, len(taken.skipped), taken.unnamed) == (1, 1000, 100)
    assert list_generations(hot.disk)[0].skipped == 1100


def test_holes_stay_holes(hot: HotMemory) -> None:
    with (hot.ram / "sparse").open("wb") as file:
        file.truncate(200 << 20)
        file.seek(100 << 20)
        file.write(b"in the middle")
    with (hot.ram / "tail").open("wb") as file:
        file.write(b"x" * 5000)
        file.truncate(1 << 20)
    before = picture(hot.ram)
    take(hot, "x")
    assert (hot.disk / "00000001" / "files" / "sparse").stat().st_blocks < 4096
    restore(hot, 1)
    assert picture(hot.ram) == before
    assert (hot.ram / "sparse").stat().st_blocks < 4096


@needs_root
def test_other_file_system_is_left_out(hot: HotMemory) -> None:
    (hot.ram / "mount").mkdir()
    call = ["mount", "-t", "tmpfs", "tmpfs", str(hot.ram / "mount")]
    if subprocess.run(call, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (hot.ram / "mount" / "file").write_bytes(SECRET)
        taken = take(hot, "x")
    finally:
        subprocess.run(["umount", str(hot.ram / "mount")], check=True)
    assert reasons(taken) == {"mount": "it is on another file system"}
