"""`jupyter cognition memory …` with nobody else there: five commands, roots, errors."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from cognition_jupyter.cli.text import columns, visible
from cognition_jupyter.memory.snapshots.take import take

from ..memory.snapshot_support import copy_of, flip_byte
from .conftest import HOT, Place

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
FIRST: dict[str, str | bytes] = {
    "plan.md": "first plan\nshared\n",
    "model": b"\0one",
    "gone": "x\n",
}
SECOND: dict[str, str | bytes] = {
    "plan.md": "second\nshared\n",
    "model": b"\0three",
    "dir/new": "n",
}


def test_look_compare_go_back_and_undo(place: Place) -> None:
    project_id = place.project(FIRST, SECOND)
    assert [line.split()[-1] for line in place.says("ls", project_id)] == [
        "memories/",
        "tmp/",
        "workspace/",
    ]
    lines = place.says("ls", project_id, HOT)
    assert [re.sub(TIME, "TIME", line) for line in lines] == [
        "directory   -  TIME  dir/",
        "file        6  TIME  model",
        "file       14  TIME  plan.md",
    ]
    (file,) = place.says("ls", project_id, f"{HOT}/model")
    assert file.split() == lines[1].split()
    assert place.run("cat", project_id, f"{HOT}/model")[0] == b"\0three"
    assert place.run("cat", project_id, f"{HOT}/gone", "--snapshot", "1")[0] == b"x\n"
    assert place.in_ram() == [], "what a command brought into RAM has left it"

    heading, newest, oldest = place.says("history", project_id)
    assert heading.split() == ["SNAPSHOT", "TIME", "REASON", "FILES", "BYTES", "SKIPPED"]
    assert re.fullmatch(rf" +2  {TIME}  request +3 +21 +0", newest)
    assert re.fullmatch(rf" +1  {TIME}  request +3 +24 +0", oldest)

    forward = [
        "Binary/other: dir  absent -> directory",
        "--- /dev/null",
        "+++ b/dir/new",
        "@@ -0,0 +1 @@",
        "+n",
        "\\ No newline at end of file",
        "--- a/gone",
        "+++ /dev/null",
        "@@ -1 +0,0 @@",
        "-x",
        "Binary/other: model  4 bytes -> 6 bytes (it is not text)",
        "--- a/plan.md",
        "+++ b/plan.md",
        "@@ -1,2 +1,2 @@",
        "-first plan",
        "+second",
        " shared",
    ]
    assert place.says("diff", project_id, "2") == forward
    assert "+first plan" in place.says("diff", project_id, "1", "2")
    assert place.says("diff", project_id, "2", "2") == ["Snapshots 2 and 2 hold the same."]

    assert place.says("restore", project_id, "1") == [
        f"Snapshot 1 of {project_id} is restored: 3 files, 24 bytes.",
        f"To undo it: jupyter cognition memory restore {project_id} 2",
    ]
    assert place.in_ram() == []
    # From the disk: it lasts without a server that takes snapshots.
    assert place.run("cat", project_id, f"{HOT}/plan.md")[0] == b"first plan\nshared\n"
    assert place.says("restore", project_id, "2")[1].endswith(f" {project_id} 3")
    assert place.run("cat", project_id, f"{HOT}/plan.md")[0] == b"second\nshared\n"


def test_the_snapshot_that_undoes_a_restore_stays(place: Place) -> None:
    """Even where only one is kept: what was there was in no snapshot before."""
    project_id = place.project({"a": "1"}, {"a": "2"}, release=False)
    (place.hot(project_id).ram / "a").write_text("3")
    lines = place.says("restore", project_id, "1", "--MemorySettings.snapshot_keep=1")
    assert lines[-1].endswith(f" {project_id} 3")
    assert place.run("cat", project_id, f"{HOT}/a", "--snapshot", "3")[0] == b"3"
    assert place.run("cat", project_id, f"{HOT}/a")[0] == b"1"
    assert project_id in place.in_ram(), "it was there before"


# -- hostile content --------------------------------------------------------------------------

ESCAPE = "\x1b[2J\r\n\x07\x9b\u202e\u2066"


def test_nothing_of_a_project_steers_the_terminal(place: Place) -> None:
    text = f"{ESCAPE}\tkept\r\nnext\n"
    project_id = place.project(
        {"a": "a\n"}, {f"evil{ESCAPE}\udcff/f": text, "a": "b\r\n"}, release=False
    )
    hot = place.hot(project_id)
    os.mkfifo(hot.ram / f"fifo{ESCAPE}")
    (hot.ram / f"link{ESCAPE}").symlink_to(f"/etc/{ESCAPE}")
    assert take(hot, f"evil{ESCAPE}").generation == 3
    shown = "\\x1b[2J\\r\\n\\x07\\x9b\\u202e\\u2066"

    lines = place.says("ls", project_id, HOT)
    assert [(line.split()[0], line.split("Z  ")[1]) for line in lines] == [
        ("file", "a"),
        ("directory", f"evil{shown}\\xff/"),
        ("other", f"fifo{shown}"),
        ("link", f"link{shown}"),
    ]
    differences = place.says("diff", project_id, "2")
    assert f"Binary/other: evil{shown}\\xff  absent -> directory" in differences
    assert "+\\x1b[2J\\r" in differences and "+\\x07\\x9b\\u202e\\u2066\tkept\\r" in differences
    assert "+b\\r" in differences
    assert all(visible(line, "\t") == line for line in differences)

    name = os.fsencode(f"{HOT}/evil{ESCAPE}\udcff/f")
    assert place.run("cat", project_id, name)[0] == text.encode()
    assert place.run("cat", project_id, name, "--snapshot", "2")[0] == text.encode()
    for arguments in ((name + b"x",), (name + b"x", b"--snapshot", b"2")):
        sentence = place.refuses("cat", project_id, *arguments)
        assert visible(sentence[:-1]) == sentence[:-1]
    assert "symbolic link" in place.refuses("cat", project_id, f"{HOT}/link{ESCAPE}")
    assert "no regular file" in place.refuses("cat", project_id, f"{HOT}/fifo{ESCAPE}")
    row = place.says("history", project_id)[1]
    assert row.split()[-1] == "1", "the FIFO is in no snapshot"
    assert "evil\\x1b[2J" in row and visible(row) == row


def test_visible_and_columns() -> None:
    assert visible("plain ü 漢 \\x1b") == "plain ü 漢 \\x1b"
    assert visible("\0\t\n\x7f\x85\xa0\u200b\ud800\udc80\U000e0001") == (
        "\\x00\\t\\n\\x7f\\x85\\xa0\\u200b\\ud800\\x80\\U000e0001"
    )
    assert columns([], {0}) == []
    rows = [("1", "a", "x "), ("22", "bb", "")]
    assert columns(rows, {0}) == [" 1  a   x ", "22  bb"]


# -- damage -----------------------------------------------------------------------------------


def test_damaged_snapshots_and_copies(place: Place) -> None:
    project_id = place.project({"kept": "k" * 10, "old": "o"}, {"kept": "k" * 10, "new": "n"}, {})
    hot = place.hot(project_id)
    copy_of(hot, 2, "kept").unlink()
    flip_byte(copy_of(hot, 2, "new"))
    flip_byte(hot.disk / "00000003" / "manifest", 5)

    history = place.says("history", project_id)
    assert history[1].split()[:6] == ["3", "-", "-", "-", "-", "-"]
    assert " damaged: its " in history[1]
    assert "is damaged" in place.refuses("diff", project_id, "3")
    assert "is damaged" in place.refuses("cat", project_id, f"{HOT}/new", "--snapshot", "2")
    differences = place.says("diff", project_id, "2")
    assert any(
        re.match(r"Binary/other: new  absent -> 1 bytes \(new is damaged", line)
        for line in differences
    )

    # What is there now is restored into RAM first; what that loses is told, too.
    out, err = place.run("restore", project_id, "3", status=1)
    assert out == b"" and err.splitlines()[-1].startswith("Snapshot 3 is damaged: ")
    assert "kept came from snapshot 1" in err and "new is lost" in err
    lines = place.says("restore", project_id, "2")
    assert lines[0] == f"Snapshot 2 of {project_id} is restored: 1 files, 10 bytes."
    assert lines[1].startswith("Recovered from snapshot 4: kept ("), "its newest good copy"
    assert lines[2] == "Lost: new (its checksum is wrong)"
    assert lines[3].startswith("To undo it: ") and len(lines) == 4
    assert place.run("cat", project_id, f"{HOT}/kept")[0] == b"k" * 10


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "takes"),
    [
        (["ls"], "takes PROJECT [PATH]"),
        (["ls", "a", "/", "b"], "takes PROJECT [PATH]"),
        (["cat", "a"], "takes PROJECT PATH"),
        (["cat", "a", "/x", "--snapshot", "-1"], "A snapshot has a number"),
        (["diff", "a"], "takes PROJECT N [AGAINST]"),
        (["diff", "a", "1", "٣"], "A snapshot has a number"),
        (["restore", "a", "1234567890123456"], "A snapshot has a number"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_says_what_is_allowed(place: Place, arguments: list[str], takes: str) -> None:
    assert takes in place.refuses(*arguments, status=2)


def test_an_option_that_is_none_is_no_reason_to_go_on(place: Place) -> None:
    project_id = place.project({"a": "1"}, {})
    out, err = place.run("restore", project_id, "1", "--preview", "yes", status=2)
    assert out == b""
    assert err.splitlines()[-1] == "There is no option --preview; --help lists those there are."
    assert len(place.says("history", project_id)) == 3


def test_what_is_not_there_is_one_sentence(place: Place) -> None:
    project_id = place.project({"a": "1"})
    for command, *more in (["ls"], ["history"], ["restore", "1"]):
        assert "no project demo-00000000" in place.refuses(command, "demo-00000000", *more)
    assert "project id is" in place.refuses("history", "../x")
    assert "--session SESSION_ID" in place.refuses("ls", project_id, "/tmp")
    assert "no live session" in place.refuses("ls", project_id, "/tmp", "--session", "none")
    assert "no snapshot 7" in place.refuses("restore", project_id, "7")
    assert "no snapshot before 1" in place.refuses("diff", project_id, "1")
    assert "There is no " in place.refuses("ls", project_id, f"{HOT}/none")
    assert "no directory" in place.refuses("ls", project_id, f"{HOT}/a/b")
    assert "is a directory" in place.refuses("cat", project_id, HOT, "--snapshot", "1")
    refused = place.refuses("cat", project_id, "/workspace/a", "--snapshot", "1")
    assert f"below {HOT}/" in refused


# -- the root ----------------------------------------------------------------------------------


def test_the_root_is_given_configured_or_found_and_never_made(place: Place, tmp_path: Path) -> None:
    project_id = place.project({"a": "1"})
    call = ("history", project_id)
    expected = place.says(*call)  # ./workspaces
    assert place.says(*call, cwd=place.root / project_id / "repo") == expected
    assert place.says(*call, "--root", "../files/workspaces", cwd=place.home) == expected
    assert "--root DIR" in place.refuses(*call, cwd=tmp_path)
    for given in ("--root=new", f"--root={tmp_path}/a/b", "--root=/dev/null"):
        assert "no root of projects" in place.refuses(*call, given, cwd=tmp_path)
    assert [*tmp_path.iterdir()] == []
    try:
        place.configure(place.configuration | {"ProjectStore": {"root": str(place.root)}})
        assert place.says(*call, cwd=tmp_path) == expected
        place.configure(place.configuration | {"ProjectStore": {"root": f"{tmp_path}/none"}})
        assert "no root of projects" in place.refuses(*call)
        (place.home / "config" / "jupyter_cognition_config.json").write_text("{")
        assert "jupyter_cognition_config can't be read" in place.refuses(*call)
        place.configure(place.configuration | {"MemorySettings": {"snapshot_keep": 0}})
        assert "snapshot_keep" in place.refuses(*call)
    finally:
        place.configure(place.configuration)
    assert [*tmp_path.iterdir()] == []


# -- output ------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["", "unbuffered"])
def test_a_reader_that_has_enough_ends_it_quietly(
    place: Place, environment: dict[str, str]
) -> None:
    big = os.urandom(4 << 20)
    project_id = place.project({"big": big})
    reading, writing = os.pipe()
    os.close(reading)
    for arguments in (("ls", project_id), ("restore", project_id, "1")):
        process = place.start(*arguments, stdout=writing, **environment)
        assert process.communicate(timeout=60) == (None, b"")
        assert process.returncode == 141
    os.close(writing)

    process = place.start("cat", project_id, f"{HOT}/big", **environment)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.read(10) == big[:10]
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141
    process.stderr.close()
    process = place.start("cat", project_id, f"{HOT}/big", **environment)
    assert process.communicate(timeout=60) == (big, b"")


def test_a_full_disk_is_one_sentence(place: Place) -> None:
    project_id = place.project({"a": "1"})
    with Path("/dev/full").open("wb") as full:
        process = place.start("cat", project_id, f"{HOT}/a", stdout=full.fileno())
        assert process.communicate(timeout=60) == (None, b"No space left on device.\n")
    assert process.returncode == 1
