"""Whatever is in hot memory, a snapshot of it can be read; or there is none, and loudly."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import Conflict
from cognition_jupyter.memory.snapshots.generations import list_generations, numbers, verify
from cognition_jupyter.memory.snapshots.manifest import Damaged, Header, Totals, parse, quoted
from cognition_jupyter.memory.snapshots.manifest_file import Reader, Writer, read_back
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import ensure_restored, restore
from cognition_jupyter.memory.snapshots.scan import Limits
from cognition_jupyter.memory.snapshots.take import take
from cognition_jupyter.models import utcnow

from .snapshot_support import contents, hot_memory, mounted, needs_root, picture, wipe


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


@pytest.mark.parametrize("kind", ["file", "big", "directory", "link"])
@pytest.mark.parametrize("seconds", [1 << 40, -(1 << 40), (1 << 63) - 1, -(1 << 63)])
def test_any_time_comes_back(hot: HotMemory, kind: str, seconds: int) -> None:
    """On tmpfs any number of seconds is a time."""
    path = hot.ram / "odd"
    if kind == "link":
        path.symlink_to("x")
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"x" * (5000 if kind == "big" else 5))
    (hot.ram / "note").write_bytes(b"a week of work")
    os.utime(path, (seconds, seconds), follow_symlinks=False)
    before = picture(hot.ram)
    assert take(hot, "x").created
    assert not take(hot, "x").created
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 1 and not restored.lost
    assert picture(hot.ram) == before


def test_links_are_left_out_before_the_manifest_is_too_large(hot: HotMemory) -> None:
    (hot.ram / "note").write_bytes(b"precious")
    target = b"\xff" * 4095  # in JSON six times as long
    for i in range(1500):
        os.symlink(target, bytes(hot.ram) + b"/%d" % i)
    taken = take(hot, "x")
    assert 0 < len(taken.skipped) + taken.unnamed < 1000
    assert taken.skipped[0].why == "paths are longer than 33554432 together"
    assert not take(hot, "x").created
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 1
    assert contents(hot.ram) == {"note": b"precious"} and len(os.listdir(hot.ram)) > 1300


def test_paths_count_as_they_are_written(hot: HotMemory) -> None:
    for i in range(100):
        Path(os.fsdecode(bytes(hot.ram) + b"/" + b"\xff" * 100 + b"%02d" % i)).touch()
    taken = take(hot, "x", limits=Limits(names=40 * 604 + 10))
    assert taken.files == 40
    assert "paths are longer than 24170 together" in taken.skipped[-1].why


def header(number: int) -> Header:
    return Header(number, utcnow(), "root", "x", "x", 0)


def test_writer_writes_nothing_that_no_reader_takes() -> None:
    fd = os.open("/dev/null", os.O_WRONLY)
    try:
        writer = Writer(fd, header(1))
        with pytest.raises(Damaged):
            for _ in range(3000):
                writer.line("x" * 60_000)
    finally:
        os.close(fd)


def test_manifest_is_read_back(tmp_path: Path) -> None:
    good = json.dumps({"path": "a", "type": "directory", "mode": 0o700, "mtime_ns": 0})
    for lines, totals in (
        ([good.replace("448", "-1")], Totals(directories=1)),
        ([], Totals(directories=1)),
        ([good, good], Totals(directories=1)),
        ([good], Totals(files=1)),
    ):
        with (tmp_path / "manifest").open("w+b", buffering=0) as file:
            writer = Writer(file.fileno(), header(1))
            for line in lines:
                writer.line(line)
            writer.finish(totals)
            with pytest.raises(Damaged):
                read_back(file.fileno(), totals)


def test_number_of_lines_has_a_bound(hot: HotMemory) -> None:
    (hot.disk / "00000001" / "files").mkdir(parents=True)
    with (hot.disk / "00000001" / "manifest").open("wb", buffering=0) as file:
        writer = Writer(file.fileno(), header(1))
        for i in range(300_000):
            writer.line(f'{{"path":"{i:x}","type":"skipped","why":""}}')
        writer.finish(Totals())
    with (hot.disk / "00000001" / "manifest").open("rb") as file, pytest.raises(Damaged):
        Reader(file.fileno()).by_path()
    with pytest.raises(Conflict):
        restore(hot, 1)
    (hot.ram / "file").write_bytes(b"1")
    assert take(hot, "x").generation == 2
    assert verify(hot.disk, 2) == []


def test_numbers_may_have_more_than_eight_digits(hot: HotMemory) -> None:
    (hot.disk / "99999999").mkdir()
    for number in (100_000_000, 100_000_001):
        (hot.ram / "work").write_bytes(b"%d" % number)
        assert take(hot, "x").generation == number
    (hot.disk / "000000009").mkdir()  # no number as we write it
    assert numbers(hot.disk) == [100_000_001, 100_000_000, 99_999_999]
    wipe(hot)
    restored = ensure_restored(hot)
    assert restored is not None and restored.generation == 100_000_001
    assert contents(hot.ram) == {"work": b"100000001"}


def test_no_number_is_left(hot: HotMemory) -> None:
    (hot.disk / ("9" * 15)).mkdir()
    (hot.ram / "work").write_bytes(b"1")
    with pytest.raises(Conflict, match="999999999999999"):
        take(hot, "x")
    assert os.listdir(hot.disk) == ["9" * 15]


# -- what was left out --------------------------------------------------------------------------


def test_lines_of_what_was_left_out_are_read_like_the_others() -> None:
    for path in ("../out", "/out", "a/../b", "a//b", "a/", ".", "\ud800", "x\0", "n" * 5000):
        line = f'{{"path":{quoted(path)},"type":"skipped","why":""}}'
        with pytest.raises(Damaged):
            parse(line)
    for path in ("", "a/b", "\udcff", "/".join(["n" * 255] * 16) + "/" + "m" * 255):
        line = f'{{"path":{quoted(path)},"type":"skipped","why":""}}'
        assert parse(line).path == path


def test_everything_that_is_left_out_can_be_read_back(hot: HotMemory) -> None:
    place = os.open(hot.ram, os.O_RDONLY)
    for _ in range(15):
        os.mkdir(b"\xff" * 255, dir_fd=place)
        inner = os.open(b"\xff" * 255, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    for name in (b"a" * 254, b"b" * 255, b"c" * 255):
        os.mkdir(name, dir_fd=place)
        inner = os.open(name, os.O_RDONLY, dir_fd=place)
        os.close(os.open(b"\xfe" * 255, os.O_WRONLY | os.O_CREAT, dir_fd=inner))
        os.close(inner)
    os.close(place)
    assert len(take(hot, "x").skipped) == 3
    assert take(hot, "x", limits=Limits(files=5)).skipped  # the top itself may be named
    (hot.ram / "more").touch()
    assert take(hot, "x", limits=Limits(files=0)).skipped[0].path == ""
    assert not any(summary.damaged for summary in list_generations(hot.disk))


def test_header_with_a_time_before_all_time() -> None:
    line = header(1).line()
    old = json.loads(line)["taken_at"]
    with pytest.raises(Damaged):
        Header.parsed(line.replace(old, "0001-01-01T00:00:00+10:00").encode())
    early = Header.parsed(line.replace(old, "2026-11-20T12:00:00+10:00").encode())
    assert early.taken_at.isoformat() == "2026-11-20T02:00:00+00:00"
    with pytest.raises(Damaged):
        Header.parsed(line.replace('"reason":"x"', '"reason":"\\ud800"').encode())


# -- files --------------------------------------------------------------------------------------


def test_what_a_killed_write_left_goes(hot: HotMemory) -> None:
    names = [".cognition-0123.tmp", ".cognition-linked.tmp", ".cognition-new.tmp", "a.tmp"]
    for name in names:
        (hot.ram / name).write_bytes(b"half a wr")
        if name != ".cognition-new.tmp":
            os.utime(hot.ram / name, (1, time.time() - 100))
    os.link(hot.ram / names[1], hot.ram / "whole")
    (hot.ram / ".cognition-directory.tmp").mkdir()
    os.utime(hot.ram / ".cognition-directory.tmp", (1, 1))
    taken = take(hot, "x")
    assert taken.files == 4 and not taken.skipped
    assert not take(hot, "x").created
    wipe(hot)
    ensure_restored(hot)
    assert sorted(contents(hot.ram)) == [
        ".cognition-linked.tmp",
        ".cognition-new.tmp",
        "a.tmp",
        "whole",
    ]


def test_clock_that_was_set_back_costs_no_time(
    hot: HotMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(300):
        (hot.ram / f"{i}").write_bytes(b"1")
    real = time.clock_gettime_ns
    monkeypatch.setattr(time, "clock_gettime_ns", lambda clock: real(clock) - 3600 * 10**9)
    begin = time.monotonic()
    assert take(hot, "x").files == 300
    assert time.monotonic() - begin < 2
    assert b'"ctime_ns":0,' in (hot.disk / "00000001" / "manifest").read_bytes()


@needs_root
def test_files_of_an_overlay_have_devices_of_their_own(hot: HotMemory, tmp_path: Path) -> None:
    upper, work = hot.ram.parent / "upper", hot.ram.parent / "work"
    upper.mkdir()
    work.mkdir()
    layers = f"lowerdir={tmp_path},upperdir={upper},workdir={work},xino=off"
    with mounted(layers, "overlay") as point:
        (point / "p").mkdir()
        hot = HotMemory(point / "p", hot.disk, point / "marker", hot.root_uuid, None, hot.boot)
        ensure_restored(hot)
        (hot.ram / "directory").mkdir()
        (hot.ram / "directory" / "file").write_bytes(b"1")
        taken = take(hot, "x")
    assert (taken.files, taken.skipped) == (1, [])
