"""Trees of any shape and with any permissions, behind the operations and by themselves."""

from __future__ import annotations

import os
import resource
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.memory.directory import Directory

from .memory_support import Place, as_user, descriptors_into_places, fails, place

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    assert not descriptors_into_places()


# -- shapes of trees -------------------------------------------------------------------------


def chain(top: Path, depth: int, beside: bool = False) -> None:
    """Directories in directories, each named d, and a file in the last; beside each another."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        if beside:
            os.mkdir("a", dir_fd=fd)
            inner = os.open("a", os.O_RDONLY, dir_fd=fd)
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
            os.close(inner)
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    leaf = os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    os.write(leaf, b"needle\n")
    os.close(leaf)
    os.close(fd)


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = max(map(int, os.listdir("/proc/self/fd"))) + 50
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_descriptors")
def test_a_deep_tree_takes_few_descriptors(here: Place) -> None:
    now = here.now()
    now.write("/memories/hot/" + "d/" * 1000 + "leaf", "needle\n")
    (match,) = now.grep("needle").matches
    assert match.path == "/memories/hot/" + "d/" * 1000 + "leaf"
    assert now.read_bytes(match.path) == b"needle\n"
    assert [e.path for e in now.glob("leaf").files] == [match.path]
    assert now.glob("**/leaf").files == now.glob("leaf").files
    now.delete("/memories/hot/d")
    assert not os.listdir(here.hot)


@pytest.mark.usefixtures("few_descriptors")
def test_a_tree_deeper_than_any_path_is_counted_and_removed(here: Place) -> None:
    now = here.now()
    chain(here.hot, 3000)
    found = now.glob("leaf")
    assert found.files == ()
    assert found.truncated and found.reason == "unreadable"
    assert now.usage("/memories/hot/").files == 1
    now.delete("/memories/hot/d")
    assert not os.listdir(here.hot)


@pytest.mark.usefixtures("few_descriptors")
def test_a_walk_finds_back_from_the_depth(here: Place) -> None:
    now = here.now()
    chain(here.hot, 150, beside=True)
    assert now.usage("/memories/hot/").files == 151
    assert len(now.glob("file").files) == 150
    assert len(now.glob("**/a/*").files) == 150


def test_a_directory_of_very_many_is_cut(here: Place) -> None:
    (here.hot / "many").mkdir()
    for number in range(10_001):
        (here.hot / f"many/{number}").touch()
    now = here.now()
    began = time.thread_time()
    listing = now.ls("/memories/hot/many")
    assert listing.truncated and len(listing.entries) == 10_000
    found = now.glob("*", "/memories/hot/many")
    assert found.truncated and found.reason == "limit" and len(found.files) == 10_000
    assert now.usage("/memories/hot/").files == 10_001
    few = here.now(visited=500)
    assert few.glob("nothing").reason == "limit"
    assert few.usage("/memories/hot/").truncated
    with fails("hot_memory_limit", 413):
        few.write("/memories/hot/x", b"x")
    assert time.thread_time() - began < 3
    (here.hot / "many/0").unlink()
    assert not now.ls("/memories/hot/many").truncated
    assert not now.glob("*", "/memories/hot/many").truncated


def test_names_that_are_not_utf8(here: Place) -> None:
    now = here.now()
    for name in (b"\xff", b"\xc3\x28", b"caf\xe9.md", b"new\nline", b"tab\t", b"%41", b"\x01"):
        path = "/memories/hot/" + os.fsdecode(name)
        now.write(path, name)
        assert (here.hot / os.fsdecode(name)).read_bytes() == name
        assert path in [entry.path for entry in now.ls("/memories/hot").entries]
        assert path in [entry.path for entry in now.glob("*").files]
        assert now.read(path).data == name
        now.delete(path)
        with fails("file_not_found", 404):
            now.read(path)


def test_a_file_with_several_names_counts_once_and_is_parted_by_a_write(here: Place) -> None:
    now = here.now()
    now.write("/memories/hot/a", b"x" * 1000)
    os.link(here.hot / "a", here.hot / "b")
    usage = now.usage("/memories/hot/")
    assert (usage.files, usage.bytes) == (1, 1000)
    now.write("/memories/hot/b", b"y")
    assert now.read_bytes("/memories/hot/a") == b"x" * 1000
    assert now.usage("/memories/hot/").bytes == 1001


# -- permissions -----------------------------------------------------------------------------


@needs_root
def test_what_root_writes_belongs_to_the_sessions_user(here: Place) -> None:
    here.now().write("/memories/hot/a/b/file", b"x")
    for path in (here.hot / "a", here.hot / "a/b", here.hot / "a/b/file"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1000, 1000)
    assert stat.S_IMODE((here.hot / "a").stat().st_mode) == 0o755
    assert stat.S_IMODE((here.hot / "a/b/file").stat().st_mode) == 0o644


def test_a_write_keeps_permissions_but_no_set_user_id(here: Place) -> None:
    now = here.now()
    for mode, kept in ((0o755, 0o755), (0o600, 0o600), (0o4755, 0o755)):
        now.write("/workspace/run.sh", "#!/bin/sh\n")
        (here.paths.repo / "run.sh").chmod(mode)
        now.edit("/workspace/run.sh", "sh", "bash")
        assert stat.S_IMODE((here.paths.repo / "run.sh").stat().st_mode) == kept


@needs_root
def test_what_the_servers_own_user_may_not_do_is_said(here: Place) -> None:
    for directory in (here.paths.project, here.hot):
        os.chown(directory, 1000, 1000)
    (here.hot / "closed").write_text("needle")
    (here.hot / "locked/inner").mkdir(parents=True)
    (here.hot / "locked/inner/file").write_text("needle")
    (here.hot / "fixed").mkdir()
    for path in (here.hot, *here.hot.rglob("*")):
        os.chown(path, 1000, 1000)
    (here.hot / "closed").chmod(0)
    (here.hot / "fixed").chmod(0o555)
    (here.hot / "locked").chmod(0)
    with as_user(1000):
        now = here.now()
        for name in ("closed", "locked/inner/file"):
            with fails("permission_denied", 403):
                now.read(f"/memories/hot/{name}")
        with fails("permission_denied"):
            now.ls("/memories/hot/locked")
        with fails("permission_denied"):
            now.write("/memories/hot/fixed/new", b"x")
        with fails("permission_denied"):
            now.write("/memories/hot/fixed/new/er", b"x")
        for found in (now.glob("file"), now.grep("needle")):
            assert found.truncated and found.reason == "unreadable"
        assert now.usage("/memories/hot/").truncated
        assert now.write("/memories/hot/closed2", b"x" * 0).size == 0
        now.delete("/memories/hot/locked")  # its owner may unlock it, and that is us
        now.delete("/memories/hot/fixed")
        assert now.write("/memories/hot/closed", b"new").created is False
    assert sorted(os.listdir(here.hot)) == ["closed", "closed2"]
    assert stat.S_IMODE((here.hot / "closed").stat().st_mode) == 0


def test_a_failed_write_leaves_nothing(here: Place) -> None:
    (here.hot / "folder").mkdir()
    tree = Directory(here.hot)
    with pytest.raises(IsADirectoryError):
        tree.write(("folder",), b"x")
    with pytest.raises(FileExistsError):
        tree.write(("folder",), b"x", create_only=True)
    assert os.listdir(here.hot) == ["folder"]
    tree.write(("file",), b"x", create_only=True)
    with pytest.raises(FileExistsError):
        tree.write(("file",), b"y", create_only=True)
    assert sorted(os.listdir(here.hot)) == ["file", "folder"]
    assert (here.hot / "file").read_bytes() == b"x"


def test_a_write_to_disk(here: Place, tmp_path: Path) -> None:
    # Not in RAM: with everything synced, also in directories that can't be listed.
    tree = Directory(tmp_path, ("a", "b"), durable=True)
    tree.write(("c", "file"), b"x")
    assert (tmp_path / "a/b/c/file").read_bytes() == b"x"
    tree.delete(("c", "file"))
    tree.delete(("c",))
    assert list((tmp_path / "a/b").iterdir()) == []
