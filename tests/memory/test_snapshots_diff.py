"""Looking into generations: one file, what changed between two of them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognition_jupyter.exceptions import Conflict, InvalidInput, NotFound, TooLarge
from cognition_jupyter.memory.snapshots.diff import Bounds, Change, Difference, diff, unified
from cognition_jupyter.memory.snapshots.generations import Problem, verify
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.recover import read_file
from cognition_jupyter.memory.snapshots.take import take

from .snapshot_support import flip_byte, hot_memory


@pytest.fixture
def hot() -> Iterator[HotMemory]:
    with hot_memory() as made:
        yield made


def by_path(changes: list[Change]) -> dict[str, Change]:
    assert [change.path for change in changes] == sorted(change.path for change in changes)
    return {change.path: change for change in changes}


def test_diff_names_what_changed(hot: HotMemory) -> None:
    for name, content in {
        "plan.md": b"one\ntwo\nthree\n",
        "binary": b"\xff\xfe",
        "nul": b"a\0b",
        "large": b"x" * 300_000,
        "gone.txt": b"bye\n",
        "same": b"same",
        "touched": b"same",
        "mode": b"#!/bin/sh\n",
    }.items():
        (hot.ram / name).write_bytes(content)
    (hot.ram / "link").symlink_to("a")
    (hot.ram / "becomes").mkdir()
    (hot.ram / "old directory").mkdir()
    take(hot, "x")
    (hot.ram / "plan.md").write_bytes(b"one\n2\nthree\nfour")
    (hot.ram / "binary").write_bytes(b"\xff")
    (hot.ram / "nul").write_bytes(b"a\0c")
    (hot.ram / "large").write_bytes(b"y" * 300_000)
    (hot.ram / "gone.txt").unlink()
    (hot.ram / "touched").touch()
    (hot.ram / "mode").chmod(0o755)
    (hot.ram / "link").unlink()
    (hot.ram / "link").symlink_to("b")
    (hot.ram / "becomes").rmdir()
    (hot.ram / "becomes").write_bytes(b"a file\n")
    (hot.ram / "old directory").rmdir()
    (hot.ram / "new\nname").write_bytes(b"hello\n")
    os.mkfifo(hot.ram / "fifo")
    take(hot, "x")
    found = diff(hot.disk, 1, 2)
    assert found.more == 0
    added, removed, changed = map(by_path, (found.added, found.removed, found.changed))
    assert set(added) == {"new\nname"}
    assert added["new\nname"].text == ('--- /dev/null\n+++ "b/new\\nname"\n@@ -0,0 +1 @@\n+hello\n')
    assert set(removed) == {"gone.txt", "old directory"}
    assert removed["gone.txt"].text == "--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-bye\n"
    assert removed["old directory"].text is None
    assert set(changed) == {"plan.md", "binary", "nul", "large", "mode", "link", "becomes"}
    assert changed["plan.md"].text == (
        "--- a/plan.md\n+++ b/plan.md\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n three\n+four\n"
        "\\ No newline at end of file\n"
    )
    for name, note in (("binary", "not text"), ("nul", "not text"), ("large", "larger than")):
        assert changed[name].text is None and note in changed[name].note
    large, mode = changed["large"], changed["mode"]
    assert large.before and large.after and large.before.size == large.after.size == 300_000
    assert mode.before and mode.after and (mode.before.mode, mode.after.mode) == (0o644, 0o755)
    assert mode.text == ""
    assert changed["link"].after and changed["link"].after.target == "b"
    back = diff(hot.disk, 2, 1)
    assert by_path(back.added).keys() == removed.keys()
    assert by_path(back.removed).keys() == added.keys()
    assert diff(hot.disk, 2, 2) == Difference()


def test_diff_is_bounded(hot: HotMemory) -> None:
    take(hot, "x")
    (hot.ram / "first").write_bytes(b"")
    take(hot, "x")
    for i in range(50):
        (hot.ram / f"{i}").write_bytes(b"line\n" * 100)
    (hot.ram / "first").unlink()
    take(hot, "x")
    found = diff(hot.disk, 1, 2, Bounds(entries=20, text=2000))
    assert len(found.added) == 20 and (found.more, found.removed) == (31, [])
    texts = [change.text for change in found.added if change.text is not None]
    assert 0 < sum(map(len, texts)) <= 2000
    assert "no room" in found.added[-1].note
    with pytest.raises(NotFound):
        diff(hot.disk, 1, 9)


def test_nothing_is_compared_when_there_is_no_room_or_time(hot: HotMemory) -> None:
    (hot.ram / "before").write_bytes(b"")
    take(hot, "x")
    (hot.ram / "a").write_bytes(b"fits\n")
    (hot.ram / "b").write_bytes(b"line\n" * 100)
    (hot.ram / "c").write_bytes(b"would fit\n")
    (hot.ram / "d").mkdir()
    take(hot, "x")
    added = by_path(diff(hot.disk, 1, 2, Bounds(text=200)).added)
    assert [added[name].text is None for name in "abcd"] == [False, True, True, True]
    assert "no room" in added["b"].note and "no room" in added["c"].note
    added = by_path(diff(hot.disk, 1, 2, Bounds(seconds=-1.0)).added)
    assert all(change.text is None for change in added.values())
    assert "too long" in added["a"].note and not added["d"].note


def test_many_hostile_files_take_little_time(hot: HotMemory) -> None:
    for number in range(5):
        (hot.ram / f"{number}").write_text("x\ny\n" * 2500)
    take(hot, "x")
    for number in range(5):
        (hot.ram / f"{number}").write_text("y\ny\nq\n" * 66)
    take(hot, "x")
    begin = time.thread_time()
    changed = diff(hot.disk, 1, 2).changed
    assert time.thread_time() - begin < 5
    assert len(changed) == 5 and all(change.text for change in changed)


def test_what_is_equal_in_long_texts_is_found() -> None:
    before = [f"{number}\n" for number in range(1200)]
    after = [f"{number}\n" if number % 10 else "new\n" for number in range(1200)]
    text = "".join(unified(before, after, "a", "b"))
    assert text.count("\n-") == text.count("\n+new") == 120


def test_hostile_text_takes_no_time() -> None:
    lines = [f"{i * i % 97}\n" for i in range(40_000)]
    begin = time.thread_time()
    text = "".join(unified(lines, lines[::-1], "a", "b"))
    assert time.thread_time() - begin < 5
    assert text.count("\n-") > 10_000
    one_more = "".join(unified(lines, [*lines[:20_000], "new\n", *lines[20_000:]], "a", "b"))
    assert one_more.splitlines()[2] == "@@ -19998,6 +19998,7 @@"


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n"]), max_size=30)
LAST = st.sampled_from([[], ["end"], ["a"]])
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n")


def applied(before: list[str], text: str) -> list[str]:
    """`before` patched, strictly."""
    after: list[str] = []
    at = 0
    lines = re.findall(r".*\n", text)
    for number, line in enumerate(lines[2:], 2):
        if hunk := HUNK.fullmatch(line):
            start, length = int(hunk[1]), int(hunk[2] or 1)
            start -= 1 if length else 0
            after += before[at:start]
            at = start
            new_start = int(hunk[3]) - (1 if int(hunk[4] or 1) else 0)
            assert new_start == len(after)
        elif not line.startswith("\\"):
            ends = number + 1 < len(lines) and lines[number + 1].startswith("\\")
            content = line[1:-1] if ends else line[1:]
            if line[0] in " -":
                assert before[at] == content
                at += 1
            if line[0] in " +":
                after.append(content)
    return after + before[at:]


@given(LINES, LAST, LINES, LAST)
def test_unified_diff_can_be_applied(
    a: list[str], a_last: list[str], b: list[str], b_last: list[str]
) -> None:
    before, after = a + a_last, b + b_last
    assert applied(before, "".join(unified(before, after, "a", "b"))) == after


# -- one file ------------------------------------------------------------------------------------


def test_one_file_of_a_generation(hot: HotMemory) -> None:
    (hot.ram / "a").mkdir()
    name = os.fsdecode(b"\xff")
    for i in range(3):
        (hot.ram / "a" / name).write_bytes(b"%d" % i)
        (hot.ram / "same").write_bytes(b"same")
        take(hot, "x", full_every=2)
    assert [read_file(hot.disk, n, f"a/{name}") for n in (1, 2, 3)] == [b"0", b"1", b"2"]
    for path in ("missing", "a/missing", "../00000002/manifest", "/etc/passwd", ""):
        with pytest.raises(NotFound) as missing:
            read_file(hot.disk, 1, path)
        assert missing.value.code == "file_not_found"
    with pytest.raises(InvalidInput):
        read_file(hot.disk, 1, "a")
    with pytest.raises(NotFound) as no_snapshot:
        read_file(hot.disk, 7, "same")
    assert no_snapshot.value.code == "snapshot_not_found"
    with pytest.raises(TooLarge):
        read_file(hot.disk, 1, "same", limit=3)


def test_damaged_file_is_read_from_another_copy_or_refused(hot: HotMemory) -> None:
    (hot.ram / "same").write_bytes(b"same")
    for i in range(3):
        (hot.ram / "changes").write_bytes(b"%d" % i)
        take(hot, "x", full_every=2)
    flip_byte(hot.disk / "00000003" / "files" / "same")
    flip_byte(hot.disk / "00000003" / "files" / "changes")
    assert verify(hot.disk, 3) == [
        Problem("same", "its checksum is wrong"),
        Problem("changes", "its checksum is wrong"),
    ] or verify(hot.disk, 3) == [
        Problem("changes", "its checksum is wrong"),
        Problem("same", "its checksum is wrong"),
    ]
    assert verify(hot.disk, 2) == []
    assert read_file(hot.disk, 3, "same") == b"same"
    with pytest.raises(Conflict) as damaged:
        read_file(hot.disk, 3, "changes")
    assert damaged.value.code == "snapshot_damaged"
    found = diff(hot.disk, 2, 3)
    assert "checksum is wrong" in by_path(found.changed)["changes"].note
