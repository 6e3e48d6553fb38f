"""A directory whose content is hostile: nothing follows a link, blocks or reads without end."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from .memory_support import Place, descriptors_into_places, fails, place

MIB = 1 << 20
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    assert not descriptors_into_places()


# -- kinds of entries ------------------------------------------------------------------------


def test_links_are_never_followed(here: Place) -> None:
    now = here.now()
    (here.hot / "file").symlink_to(here.outside / "passwd")
    (here.hot / "folder").symlink_to(here.outside)
    (here.hot / "loop").symlink_to("loop")
    (here.hot / "inside").symlink_to("real")
    (here.hot / "real").write_text("real")
    for name in ("file", "loop", "inside"):
        for operation in (now.read, now.read_bytes, now.read_text):
            with fails("invalid_path", 400):
                operation(f"/memories/hot/{name}")
        with fails("invalid_path"):
            now.write(f"/memories/hot/{name}", b"x")
        with fails("invalid_path"):
            now.edit(f"/memories/hot/{name}", "SECRET", "x")
    for path in ("/memories/hot/folder/passwd", "/memories/hot/folder/new/x"):
        with fails("invalid_path"):
            now.read(path)
        with fails("invalid_path"):
            now.write(path, b"x")
        with fails("invalid_path"):
            now.delete(path)
    for path in ("/memories/hot/folder", "/memories/hot/folder/"):
        with fails("invalid_path"):
            now.ls(path)
        assert now.glob("*", path).files == ()
    kinds = {entry.path: entry.kind for entry in now.ls("/memories/hot").entries}
    assert kinds.pop("/memories/hot/real") == "file"
    assert set(kinds.values()) == {"link"}
    assert [entry.path for entry in now.glob("**/*").files] == ["/memories/hot/real"]
    assert now.grep("SECRET").matches == ()
    assert now.usage("/memories/hot/").files == 1
    now.delete("/memories/hot/file")
    now.delete("/memories/hot/folder")
    assert (here.outside / "passwd").read_text() == "SECRET outside\n"


def test_a_link_in_the_root_of_a_route_is_not_followed(here: Place) -> None:
    now = here.memory({"/x/": {"type": "filesystem", "root": "repo/a/b"}}).now
    (here.paths.repo / "a").symlink_to(here.outside)
    for path in ("/x/passwd", "/x/b/passwd"):
        with fails("invalid_path"):
            now.read(path)
        with fails("invalid_path"):
            now.write(path, b"x")
    (here.paths.repo / "a").unlink()
    (here.paths.repo / "a").mkdir()
    (here.paths.repo / "a/b").symlink_to(here.outside)
    with fails("invalid_path"):
        now.ls("/x")
    with fails("invalid_path"):
        now.read("/x/passwd")
    # A search through all routes has the others.
    now.write("/workspace/found", b"SECRET")
    for found in (now.glob("*"), now.grep("SECRET")):
        assert found.reason == "unreadable"
        assert "/workspace/found" in str(found) and "passwd" not in str(found)
    assert os.listdir(here.outside) == ["passwd"]


@needs_root
def test_what_is_no_regular_file_neither_blocks_nor_is_read(here: Place) -> None:
    now = here.now()
    os.mkfifo(here.hot / "fifo")
    os.mknod(here.hot / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    os.mknod(here.hot / "tty", stat.S_IFCHR | 0o666, os.makedev(5, 0))
    os.mknod(here.hot / "block", stat.S_IFBLK | 0o666, os.makedev(7, 200))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(here.hot / "socket"))
    (here.hot / "directory").mkdir()
    began = time.monotonic()
    for name in ("fifo", "zero", "tty", "block", "socket"):
        path = f"/memories/hot/{name}"
        with fails("invalid_path"):
            now.read(path)
        with fails("invalid_path"):
            now.read(path, 10, 10)
        with fails("invalid_path"):
            now.write(path, b"x")
        with fails("invalid_path"):
            now.ls(path)
        assert now.grep("x", path).matches == ()
    for operation in (now.read, now.read_text):
        with fails("is_directory"):
            operation("/memories/hot/directory")
    with fails("is_directory"):
        now.write("/memories/hot/directory", b"x")
    assert {e.kind for e in now.ls("/memories/hot").entries} == {"other", "directory"}
    assert now.glob("*").files == ()
    assert now.grep("x").matches == ()
    for entry in now.ls("/memories/hot").entries:
        now.delete(entry.path)
    assert time.monotonic() - began < 60
    assert not os.listdir(here.hot)


def test_a_lease_in_the_container_does_not_block(here: Place) -> None:
    (here.hot / "held").write_text("x")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, os, signal, sys, time\n"
            "signal.signal(signal.SIGIO, signal.SIG_IGN)\n"
            "fd = os.open(sys.argv[1], os.O_RDWR)\n"
            "fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n"
            "print('held', flush=True)\n"
            "time.sleep(60)",
            str(here.hot / "held"),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        began = time.monotonic()
        with fails("busy", 409):
            here.now().read("/memories/hot/held")
        assert here.now().grep("x").matches == ()
        assert here.now().write("/memories/hot/held", "y").created is False
        assert time.monotonic() - began < 30  # the kernel would break the lease after 45
    finally:
        holder.kill()
        holder.communicate()


# -- sizes -----------------------------------------------------------------------------------


def test_a_sparse_giant_is_not_read_as_a_whole(here: Place) -> None:
    now = here.now()
    with (here.hot / "giant").open("wb") as file:
        file.truncate(1 << 40)
    began = time.monotonic()
    with fails("too_large", 413):
        now.read("/memories/hot/giant")
    with fails("too_large"):
        now.read_text("/memories/hot/giant")
    with fails("too_large"):
        now.edit("/memories/hot/giant", "a", "b")
    with fails("precondition_failed", 412):
        now.write("/memories/hot/giant", b"x", if_match='"0"')
    assert now.read("/memories/hot/giant", 1 << 39, 100).data == bytes(100)
    assert now.read("/memories/hot/giant", 1 << 41, 100).data == b""
    assert len(now.read("/memories/hot/giant", 5).data) == 16 * MIB
    assert now.grep("x").matches == ()
    assert now.ls("/memories/hot").entries[0].size == 1 << 40
    assert time.monotonic() - began < 60
    with fails("hot_memory_limit", 413):
        now.write("/memories/hot/other", b"x")
    assert now.write("/memories/hot/giant", b"small").created is False


def test_a_file_that_grows_while_it_is_read_ends_at_the_limit(here: Place) -> None:
    now = here.now(file_bytes=MIB)
    path = here.hot / "log"
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.truncate(0)
                for _ in range(40):
                    file.write(b"x" * 50_000)

    path.touch()
    thread = threading.Thread(target=grow)
    thread.start()
    seen = set()
    try:
        for _ in range(300):
            try:
                data = now.read("/memories/hot/log").data
                assert len(data) <= MIB and not data.strip(b"x")
                seen.add("read")
            except Exception as error:
                seen.add(getattr(error, "code", repr(error)))
    finally:
        stop.set()
        thread.join()
    assert seen <= {"read", "too_large"}


def test_a_file_that_is_replaced_while_it_is_read_is_one_or_the_other(here: Place) -> None:
    now, writer = here.now(), here.now()
    stop = threading.Event()

    def replace() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            writer.write("/memories/hot/x", b"ab"[number % 2 :][:1] * MIB)

    writer.write("/memories/hot/x", b"a" * MIB)
    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _ in range(60):
            data = now.read("/memories/hot/x").data
            assert len(data) == MIB and len(set(data)) == 1
    finally:
        stop.set()
        thread.join()
    assert os.listdir(here.hot) == ["x"]
