"""Restoring what was damaged, or written by somebody else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import Conflict
from cognition_jupyter.memory.snapshots.generations import list_generations
from cognition_jupyter.memory.snapshots.manifest import Header, Totals
from cognition_jupyter.memory.snapshots.manifest_file import Writer
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import Recovered, ensure_restored, restore
from cognition_jupyter.memory.snapshots.take import take
from cognition_jupyter.memory.snapshots.tree import Tree
from cognition_jupyter.models import utcnow

from .snapshot_support import contents, copy_of, fill, flip_byte, hot_memory, picture, wipe


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


def test_flipped_byte_in_a_copy_that_all_share(hot: HotMemory) -> None:
    fill(hot)
    flip_byte(copy_of(hot, 2, "notes/stays"), 3000)
    restored = restore(hot, 3)[0]
    assert [(p.path, p.why) for p in restored.lost] == [("notes/stays", "its checksum is wrong")]
    assert not restored.recovered
    assert contents(hot.ram) == {"changes": b"333"}
    assert (hot.ram / "link").is_symlink() and (hot.ram / "notes" / "empty").is_dir()


def test_damaged_copy_comes_from_the_newest_other_that_verifies(hot: HotMemory) -> None:
    (hot.ram / "file").write_bytes(b"content")
    for i in range(6):
        (hot.ram / "other").write_bytes(b"%d" % i)
        take(hot, "x", full_every=2)  # 1 and 2 share a copy, 3 and 4, 5 and 6
    flip_byte(copy_of(hot, 5, "file"))
    restored = restore(hot, 6)[0]
    assert restored.recovered == [Recovered("file", "its checksum is wrong", 4)]
    assert contents(hot.ram)["file"] == b"content"
    copy_of(hot, 4, "file").unlink()
    assert restore(hot, 6)[0].recovered[0].generation == 3
    flip_byte(copy_of(hot, 3, "file"))
    restored = restore(hot, 6)[0]
    assert restored.recovered[0].generation == 2
    assert (restored.files, restored.lost) == (2, [])
    # Also from a generation whose own manifest is damaged: the copy has the right digest.
    flip_byte(hot.disk / "00000002" / "manifest", 200)
    assert restore(hot, 6)[0].recovered[0].generation == 2


def test_damaged_copy_comes_from_another_path(hot: HotMemory) -> None:
    (hot.ram / "was here").write_bytes(b"content " * 10)
    (hot.ram / "another").write_bytes(b"other content")
    take(hot, "x")
    (hot.ram / "was here").rename(hot.ram / "is here")
    (hot.ram / "twice").write_bytes(b"other content")
    take(hot, "x", full_every=1)
    flip_byte(copy_of(hot, 2, "is here"))
    copy_of(hot, 2, "twice").unlink()
    restored = restore(hot, 2)[0]
    assert not restored.lost
    assert {(r.path, r.generation) for r in restored.recovered} == {("is here", 1), ("twice", 2)}
    assert contents(hot.ram)["is here"] == b"content " * 10
    assert contents(hot.ram)["twice"] == b"other content"


def test_damage_of_every_kind_is_named(hot: HotMemory, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"link: content")
    names = ["gone", "cut", "grown", "link", "fifo", "directory"]
    for name in names:
        (hot.ram / name).write_bytes(f"{name}: content".encode())
    (hot.ram / "good").write_bytes(b"good")
    take(hot, "x")
    for name in names:
        if name not in ("cut", "grown"):
            copy_of(hot, 1, name).unlink()
    for name, content in (("cut", b"cut"), ("grown", b"grown: content and more")):
        copy_of(hot, 1, name).chmod(0o600)
        copy_of(hot, 1, name).write_bytes(content)
    copy_of(hot, 1, "link").symlink_to(tmp_path / "secret")
    os.mkfifo(copy_of(hot, 1, "fifo"))
    copy_of(hot, 1, "directory").mkdir()
    restored = restore(hot, 1)[0]
    assert sorted(problem.path for problem in restored.lost) == sorted(names)
    assert all(problem.why for problem in restored.lost)
    assert contents(hot.ram) == {"good": b"good"}
    shutil.rmtree(hot.disk / "00000001" / "files")
    restored = restore(hot, 1)[0]
    assert len(restored.lost) == 7 and restored.generation == 1


def test_recovered_files_leave_their_directories_times(hot: HotMemory) -> None:
    (hot.ram / "a" / "b").mkdir(parents=True)
    (hot.ram / "a" / "b" / "file").write_bytes(b"1")
    (hot.ram / "a" / "b").chmod(0o555)
    os.utime(hot.ram / "a" / "b", (1, 1))
    take(hot, "x")
    (hot.ram / "x").write_bytes(b"1")
    take(hot, "x", full_every=1)
    before = picture(hot.ram)
    copy_of(hot, 2, "a/b/file").unlink()
    assert restore(hot, 2)[0].recovered
    assert picture(hot.ram) == before


# -- generations that somebody else wrote --------------------------------------------------------


def plant(hot: HotMemory, number: int, *lines: dict[str, object]) -> None:
    """A generation with a valid checksum and any lines."""
    directory = hot.disk / f"{number:08d}"
    (directory / "files").mkdir(parents=True)
    fd = os.open(directory / "manifest", os.O_WRONLY | os.O_CREAT, 0o600)
    writer = Writer(fd, Header(number, utcnow(), "root", "import", "x", 0))
    for line in lines:
        writer.line(json.dumps(line, separators=(",", ":")))
    writer.finish(Totals())
    os.close(fd)


GOOD = {"path": "a", "type": "directory", "mode": 0o700, "mtime_ns": 0}


@pytest.mark.parametrize(
    "line",
    [
        {**GOOD, "path": path}
        for path in ("../out", "/out", "a/../../out", "", ".", "a//b", "a/", "x\0y", "n" * 256, 7)
    ]
    + [
        {**GOOD, "path": "/".join(["name"] * 2000)},
        {**GOOD, "mode": -1},
        {**GOOD, "mode": 1 << 40},
        {**GOOD, "mode": True},
        {**GOOD, "mtime_ns": 1 << 93},
        {**GOOD, "mtime_ns": "1"},
        {**GOOD, "type": "device"},
        {**GOOD, "type": "file", "size": -1, "sha256": "0" * 64},
        {**GOOD, "type": "file", "size": 1, "sha256": "../x"},
        {**GOOD, "type": "link", "target": ""},
        {**GOOD, "type": "link", "target": "x" * 5000},
        {**GOOD, "type": "link", "target": "x\0y"},
        {"type": "directory"},
        {"path": "\ud800", **GOOD, "type": "skipped"},
    ],
)
def test_manifest_that_leads_out_is_damaged(hot: HotMemory, line: dict[str, object]) -> None:
    fill(hot)
    plant(hot, 4, GOOD, line)
    with pytest.raises(Conflict):
        restore(hot, 4)
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 3
    assert sorted(os.listdir(hot.ram.parent)) == ["marker", hot.ram.name]
    (hot.ram / "new").write_bytes(b"1")
    assert take(hot, "x").generation == 5


def test_manifest_that_goes_through_a_link_leads_nowhere(hot: HotMemory, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of "foo"
    file = {"type": "file", "mode": 0o600, "mtime_ns": 0, "size": 3, "sha256": digest}
    plant(
        hot,
        1,
        {"path": "link", "type": "link", "target": str(tmp_path), "mtime_ns": 0},
        {**GOOD, "path": "link/directory"},
        {**file, "path": "link/file"},
        {**file, "path": "missing/file"},
        GOOD,
        GOOD,
        {**file, "path": "a"},
        {**file, "path": "whole"},
        {**file, "path": "whole"},
    )
    files = hot.disk / "00000001" / "files"
    (files / "whole").write_bytes(b"foo")
    (files / "link").symlink_to(tmp_path / "files")
    (tmp_path / "files" / "file").write_bytes(b"foo")
    restored = restore(hot, 1)[0]
    assert contents(hot.ram) == {"whole": b"foo"}
    assert sorted(p.path for p in restored.lost) == [
        "a",
        "a",
        "link/directory",
        "link/file",
        "missing/file",
        "whole",
    ]
    assert sorted(os.listdir(tmp_path)) == ["files"]


def file_line(path: str, data: bytes) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    file = {"path": path, "type": "file", "mode": 0o600, "mtime_ns": 0}
    return {**file, "size": len(data), "ino": 0, "ctime_ns": 0, "sha256": digest}


def test_line_of_what_was_left_out_leads_nowhere(hot: HotMemory) -> None:
    secret = b"of the host, only its digest is known"
    (hot.disk.parent / "secret").write_bytes(secret)
    line = file_line("../../../secret", secret)
    plant(hot, 1, file_line("loot", secret), {**line, "type": "skipped", "why": ""})
    wipe(hot)
    opened = []
    listening = [True]

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "open" and arguments[0] in ("secret", ".."):
            opened.append(arguments[0])

    sys.addaudithook(audit)
    restored = ensure_restored(hot)
    listening.clear()
    assert restored is not None and restored.generation in (1, None)
    assert contents(hot.ram) == {} and opened == []


def test_inode_that_is_bad_for_one_file_is_good_for_another(hot: HotMemory) -> None:
    (hot.ram / "log").write_bytes(b"first day\n")
    take(hot, "x")
    (hot.ram / "log").rename(hot.ram / "log.1")
    (hot.ram / "log").write_bytes(b"second day\n")
    take(hot, "x", full_every=1)
    flip_byte(copy_of(hot, 2, "log"))
    flip_byte(copy_of(hot, 2, "log.1"))
    restored = restore(hot, 2)[0]
    assert restored.recovered == [Recovered("log.1", "its checksum is wrong", 1)]
    assert [problem.path for problem in restored.lost] == ["log"]


def test_many_equal_files_are_recovered_in_time_by_their_number(hot: HotMemory) -> None:
    """One good copy among many bad ones, and copies of another size with the same digest."""
    count = 3000
    for i in range(count):
        (hot.ram / f"{i}").write_bytes(b"same")
    take(hot, "x")
    (hot.ram / "x").write_bytes(b"1")
    take(hot, "x", full_every=1)
    shutil.rmtree(hot.disk / "00000002" / "files")
    for i in range(1, count):
        copy_of(hot, 1, f"{i}").chmod(0o600)
        copy_of(hot, 1, f"{i}").write_bytes(b"bad!")
    before = picture(hot.ram)
    tracemalloc.start()
    try:
        restored = restore(hot, 2)[0]
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()
    assert len(restored.recovered) == count and [p.path for p in restored.lost] == ["x"]
    assert {k: v[1:] for k, v in picture(hot.ram).items()} == {
        k: v[1:] for k, v in before.items() if k != b"x"
    }


def test_manifest_that_claims_more_than_a_snapshot_holds(hot: HotMemory) -> None:
    size = 300 << 20
    digest = hashlib.sha256(bytes(size)).hexdigest()
    whole = {**file_line("", b""), "size": size, "sha256": digest}
    plant(hot, 1, *({**whole, "path": f"{i}"} for i in range(4)))
    with copy_of(hot, 1, "0").open("wb") as file:
        file.truncate(size)
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and (restored.files, restored.bytes) == (3, 3 * size)
    assert [problem.path for problem in restored.lost] == ["3"]
    assert "do not fit" in restored.lost[0].why
    plant(hot, 2, *({**GOOD, "path": "a"} for _ in range(260_000)))
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 2
    assert len(restored.lost) == 250_000
    assert restored.lost[-1].why.startswith("there are more than 250000 entries")


@pytest.mark.parametrize("second", [{**GOOD, "path": "a"}, file_line("a", b"other")])
def test_path_that_comes_twice(hot: HotMemory, second: dict[str, object]) -> None:
    fill(hot)
    plant(hot, 4, file_line("a", b"foo"), second, file_line("b", b"foo"))
    (hot.disk / "00000004" / "files" / "b").write_bytes(b"foo")
    if second["type"] == "file":
        (hot.disk / "00000004" / "files" / "a").write_bytes(b"other")
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 4
    assert [problem.path for problem in restored.lost] == ["a"]
    assert contents(hot.ram)["b"] == b"foo"
    assert ensure_restored(hot) is None


def test_generation_under_another_number_is_damaged(hot: HotMemory) -> None:
    fill(hot)
    shutil.copytree(hot.disk / "00000001", hot.disk / "00000009")
    assert "generation 1" in list_generations(hot.disk)[0].damaged
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 3


@pytest.mark.parametrize("path", ["..", ".", "a/..", "a//b", "../files", "/"])
def test_tree_goes_nowhere_but_down(tmp_path: Path, path: str) -> None:
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    with Tree(tmp_path / "top") as tree, pytest.raises(OSError):
        tree.go(path)


def test_what_was_left_out_leads_recovery_nowhere(hot: HotMemory) -> None:
    secret = hot.disk.parent / "secret"
    secret.write_bytes(b"foo")
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of "foo"
    file = {"type": "file", "mode": 0o600, "mtime_ns": 0, "size": 3, "sha256": digest}
    out = {"path": "../../../secret", "type": "skipped", "why": "", "sha256": digest}
    plant(hot, 1, {**file, "path": "loot"}, out)
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.damaged
    assert contents(hot.ram) == {}
