"""The directories in RAM: whose they are, how long their paths get, what is left of them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from traitlets.config import Config

from cognition_jupyter.exceptions import RootRefused
from cognition_jupyter.memory.ram import SOCKET_PATH_BYTES, RamDirectories, file_system
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import ensure_restored
from cognition_jupyter.projects.root import Root

from ..kernels.helpers import wait_until
from ..support.server import Server

USER = (1000, 1000) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
OWNER = "0123456789abcdef"


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Path | str], RamDirectories]:
    def make(hot_root: Path | str) -> RamDirectories:
        config = Config({"RamDirectories": {"hot_root": str(hot_root)}})
        return RamDirectories(Root(tmp_path / "root"), USER, config=config)

    return make


@pytest.fixture
def foreign() -> Iterator[int]:
    """A uid that is not ours; only root can give files away."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    yield 12345


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_file_systems(short_path: Path, tmp_path: Path) -> None:
    assert file_system(short_path) == file_system(short_path / "not" / "there") == "tmpfs"
    assert file_system(Path("/proc/self")) == "proc"
    assert file_system(Path("/")) not in ("", "tmpfs", "proc")
    link = tmp_path / "link"
    link.symlink_to(short_path)
    assert file_system(link) == "tmpfs"


def test_a_name_that_only_begins_like_a_mount_point_is_not_on_it() -> None:
    assert file_system(Path("/process")) == file_system(Path("/"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_mount_points_with_any_name(tmp_path: Path) -> None:
    place = tmp_path / "a b\tc\\d\nlines"
    place.mkdir()
    if os.system(f"mount -t tmpfs none '{place}'") != 0:
        pytest.skip("mounting is not allowed here")
    try:
        assert file_system(place / "x") == "tmpfs"
    finally:
        os.system(f"umount '{place}'")
    assert file_system(place / "x") == file_system(tmp_path)


def test_private_and_for_the_sessions_user(
    make: Callable[..., RamDirectories], short_path: Path
) -> None:
    ram = make(short_path / "hot")
    assert ram.kind == "ram"
    session = ram.make_session(OWNER, "s")
    for path in (short_path / "hot", ram.base, ram.base / ".s", session.base):
        assert mode(path) == 0o700 and path.stat().st_uid == os.geteuid()
    hot = ram.hot("demo-00000000")
    ram.make(hot)
    for path in (hot, session.tmp, session.tmp / "home", session.deps, session.sockets):
        assert mode(path) == 0o700
        assert (path.stat().st_uid, path.stat().st_gid) == USER


def test_on_disk_where_there_is_no_tmpfs(
    make: Callable[..., RamDirectories], tmp_path: Path
) -> None:
    if file_system(tmp_path) == "tmpfs" or len(str(tmp_path)) > 30:
        tmp_path = Path("/var/tmp")
    assert make(tmp_path / "cgn-test-hot").kind == "disk"


def test_a_directory_that_others_can_enter_is_closed(
    make: Callable[..., RamDirectories], short_path: Path
) -> None:
    (short_path / "hot").mkdir()
    (short_path / "hot").chmod(0o777)
    make(short_path / "hot")
    assert mode(short_path / "hot") == 0o700


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_directory_of_somebody_else_is_refused(
    depth: int, make: Callable[..., RamDirectories], short_path: Path, foreign: int
) -> None:
    ram = make(short_path / "hot")
    place = (ram.base.parent, ram.base, ram.base / ".s")[depth]
    os.chown(place, foreign, foreign)
    with pytest.raises(RootRefused, match=r"belongs to somebody else.*hot_root"):
        make(short_path / "hot")


def test_a_link_is_refused(make: Callable[..., RamDirectories], short_path: Path) -> None:
    (short_path / "real").mkdir()
    (short_path / "hot").symlink_to(short_path / "real")
    with pytest.raises(RootRefused, match=r"is a symbolic link.*hot_root"):
        make(short_path / "hot")
    (short_path / "nowhere").symlink_to(short_path / "missing")
    with pytest.raises(RootRefused, match="hot_root"):
        make(short_path / "nowhere")
    assert not (short_path / "missing").exists()


def test_a_file_is_refused(make: Callable[..., RamDirectories], short_path: Path) -> None:
    (short_path / "hot").write_text("")
    with pytest.raises(RootRefused, match="hot_root"):
        make(short_path / "hot")


def test_socket_paths(make: Callable[..., RamDirectories], short_path: Path) -> None:
    ram = make(short_path)
    one, other = ram.make_session(OWNER, "a" * 64), ram.make_session(OWNER, "b")
    longest = len(str(one.sockets / "k-5"))
    assert len(str(other.sockets / "k-5")) == longest <= SOCKET_PATH_BYTES
    room = SOCKET_PATH_BYTES - longest + len(str(short_path))
    fits = short_path / ("x" * (room - len(str(short_path)) - 1))
    assert len(str(make(fits).make_session(OWNER, "a").sockets / "k-5")) == SOCKET_PATH_BYTES
    with pytest.raises(RootRefused, match=f"{SOCKET_PATH_BYTES + 1} bytes long.*hot_root"):
        make(f"{fits}y")
    assert not Path(f"{fits}y").exists()


def test_a_session_begins_empty_and_leaves_nothing(
    make: Callable[..., RamDirectories], short_path: Path
) -> None:
    ram = make(short_path)
    first = ram.make_session(OWNER, "s")
    (first.tmp / "old").write_text("x")
    again = ram.make_session(OWNER, "s")
    assert again == first and not (again.tmp / "old").exists()
    # What a hostile session may leave: closed directories, links out, a pipe.
    deep = again.tmp / "closed" / "deep"
    deep.mkdir(parents=True)
    deep.parent.chmod(0)
    (again.tmp / "out").symlink_to(short_path)
    os.mkfifo(again.tmp / "pipe")
    ram.remove_session(again)
    assert not again.base.exists() and short_path.exists()
    ram.remove_session(again)
    ram.make_session(OWNER, "t")
    assert ram.owners() == [OWNER]
    ram.remove_owner(OWNER)
    ram.remove_owner(OWNER)
    assert ram.owners() == []


def test_hot_memory_that_was_half_made_is_put_right(
    make: Callable[..., RamDirectories], short_path: Path, tmp_path: Path, foreign: int
) -> None:
    """Its maker may have been killed between the directory and its owner."""
    ram = make(short_path)
    place, marker = ram.hot("demo-00000000"), ram.marker("demo-00000000")
    place.mkdir(mode=0o700)
    ensure_restored(HotMemory(place, tmp_path / "hot", marker, "0" * 32, USER))
    assert place.stat().st_uid == USER[0]


def test_two_sessions_share_hot_memory_and_nothing_else_of_ram(server: Server) -> None:
    project_id = server.create("hot")
    one, two = server.start_session(project_id), server.start_session(project_id)
    look = "import os; print(sorted(os.listdir('/memories/hot')), os.listdir('/tmp'))"
    with server.kernel(one["kernel_id"]) as first, server.kernel(two["kernel_id"]) as second:
        first.check("open('/memories/hot/a', 'w').close(); open('/tmp/b', 'w').close()")
        assert second.check(look).startswith("['a'] ")
        assert "'b'" not in second.check(look)
        second.check("import os; os.rename('/memories/hot/a', '/memories/hot/c')")
        assert first.check(look).startswith("['c'] ")
    for session in (one, two):
        server.end_session(session)
    # It outlives the sessions of a server that goes on.
    three = server.start_session(project_id)
    with server.kernel(three["kernel_id"]) as kernel:
        assert kernel.check(look).startswith("['c'] ")
    server.end_session(three)
    wait_until(lambda: not [*server.hot_root.glob("*/.s/*/*")])


def test_a_full_ram_is_a_sentence(make_server: Callable[..., Server], short_path: Path) -> None:
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=64k none {short_path}") != 0:
        pytest.skip("mounting is not allowed here")
    try:
        server = make_server(config={"RamDirectories": {"hot_root": str(short_path)}})
        project_id = server.create("full")
        path = f"/api/projects/{project_id}/sessions"
        # First there is no room to restore hot memory, then none for the session's directories.
        for status, code in ((507, "storage_full"), (503, "no_space")):
            with suppress(OSError):
                (short_path / "filler").write_bytes(b"x" * (64 << 10))
            refused = server.call("POST", path, status, json={})
            assert refused["error"] == code
            assert re.search("file system is full|No space left", refused["message"])
            (short_path / "filler").unlink()
            server.end_session(server.start_session(project_id))
        assert len(server.call("GET", path)["sessions"]) == 2
        server.close()
    finally:
        os.system(f"umount {short_path}")
