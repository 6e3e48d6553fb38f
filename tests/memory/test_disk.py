"""What trees take on disk: counted as `du` counts, with a budget, whatever the tree is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.memory.disk import DiskUsage, disk_usage
from cognition_jupyter.projects.tree import remove_tree

MANY = 1_000_000


def du(path: Path) -> int:
    said = subprocess.run(["du", "-s", "-B1", "-x", path], capture_output=True, check=True)
    return int(said.stdout.split()[0])


def still_open(top: Path) -> list[str]:
    """What this process has open below `top`."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # another thread's, closed just now
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [path for path in found if path.startswith(str(top))]


def test_it_counts_as_du_does(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "a/b/c").mkdir(parents=True)
    (top / "a/file").write_bytes(b"x" * 100_000)
    (top / "a/b/c/small").write_bytes(b"x")
    os.link(top / "a/file", top / "a/b/again")
    (top / "empty").touch()
    with (top / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    os.mkfifo(top / "pipe")
    assert disk_usage(top, MANY) == DiskUsage(du(top), 10, True)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 1_000_000)
    top = tmp_path / "top"
    top.mkdir()
    (top / "file").symlink_to(tmp_path / "large")
    (top / "folder").symlink_to(tmp_path)
    (top / "loop").symlink_to(top)
    usage = disk_usage(top, MANY)
    assert usage.entries == 4 and usage.complete and usage.bytes < 100_000
    (tmp_path / "link").symlink_to(top)
    assert disk_usage(tmp_path / "link", MANY).entries == 1


def test_what_is_missing_takes_nothing_and_a_file_what_it_takes(tmp_path: Path) -> None:
    assert disk_usage(tmp_path / "nothing", MANY) == DiskUsage(0, 0, True)
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    assert disk_usage(tmp_path / "file", MANY) == DiskUsage(du(tmp_path / "file"), 1, True)


@pytest.mark.parametrize("most", [0, 1, 7, 50, 51, 52])
def test_no_more_is_looked_at_than_allowed(tmp_path: Path, most: int) -> None:
    for number in range(50):
        (tmp_path / f"f{number}").touch()
    usage = disk_usage(tmp_path, most)
    assert usage.entries == min(most, 51) and usage.complete is (most >= 51)


def test_without_time_nothing_is_looked_at(tmp_path: Path) -> None:
    assert disk_usage(tmp_path, MANY, seconds=-1) == DiskUsage(0, 0, False)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """1,500 directories in each other; pytest itself could not remove them."""
    top = tmp_path / "top"
    top.mkdir()
    folder = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=folder)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    yield top
    remove_tree(top)


def test_a_tree_of_any_depth_takes_one_descriptor(deep: Path) -> None:
    usage = disk_usage(deep, MANY)
    assert (usage.entries, usage.complete) == (3001, True)
    assert disk_usage(deep, 2000).entries == 2000
    assert not still_open(deep)


CHILD = """
import os, sys
from pathlib import Path
from cognition_jupyter.memory.disk import disk_usage
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(1000); os.setuid(1000)
usage = disk_usage(Path(sys.argv[1]), 1000)
print(usage.entries, usage.complete)
"""


@pytest.mark.parametrize(("mode", "entries"), [(0o000, 5), (0o400, 7), (0o300, 5), (0o700, 8)])
def test_what_may_not_be_read_hides_nothing_else(short_path: Path, mode: int, entries: int) -> None:
    """Of what is in a directory of mode `0o400`, only the names can be seen."""
    short_path.chmod(0o755)
    top = short_path / "top"
    for name in ("a", "m", "z"):
        (top / name).mkdir(parents=True)
        (top / name / "file").touch()
    (top / "m/more").touch()
    for path in (top, *top.rglob("*")):
        os.chown(path, 1000, 1000) if os.geteuid() == 0 else None
    (top / "m").chmod(mode)
    said = subprocess.run(
        [sys.executable, "-c", CHILD, str(top)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert said.stdout.split() == [str(entries + (0 if mode == 0o700 else 1)), str(mode == 0o700)]
    (top / "m").chmod(0o700)


def test_a_tree_that_is_moved_about_meanwhile(tmp_path: Path) -> None:
    """Whatever is seen: it ends, raises nothing and never gets out of the tree."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for number in range(2000):
        (outside / f"f{number}").touch()
    top = tmp_path / "top"
    (top / "a/b/c/d").mkdir(parents=True)
    (top / "other").mkdir()
    over = threading.Event()

    def move() -> None:
        while not over.is_set():
            os.rename(top / "a/b", top / "other/b")
            os.rename(top / "other/b", outside / "b")
            os.rename(outside / "b", top / "a/b")
            os.rename(top / "other", top / "o")
            os.symlink(outside, top / "other")
            os.unlink(top / "other")
            os.rename(top / "o", top / "other")

    thread = threading.Thread(target=move)
    thread.start()
    try:
        for _ in range(300):
            assert disk_usage(top, MANY).entries < 20
    finally:
        over.set()
        thread.join()
