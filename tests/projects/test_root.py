"""The root: what can't be trusted is refused with a sentence, and nothing is changed in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import RootRefused
from cognition_jupyter.projects.root import MARKER, Root, find_marked_root

from .store_support import REPOSITORY, Worker, create, ids, leftovers, opened, snapshot

NOBODY = 65534
UUID = "0123456789abcdef" * 2


def mark(directory: Path, **changed: object) -> None:
    path = directory / MARKER
    path.parent.mkdir(parents=True, exist_ok=True)
    marker = {"uuid": UUID, "version": 1, "runtime": None} | changed
    path.write_text(json.dumps(marker))


def marker_of(directory: Path) -> dict[str, object]:
    return dict(json.loads((directory / MARKER).read_text()))


def refused(root: Path) -> str:
    with pytest.raises(RootRefused) as caught:
        Root(root)
    assert caught.value.status == 503 and caught.value.message.endswith(".")
    assert str(root) in caught.value.message and len(caught.value.message) < 300 + len(str(root))
    return caught.value.message


# -- opening -------------------------------------------------------------------------------


def test_a_new_root_is_private_and_keeps_its_uuid(tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    first = Root(root)
    assert marker_of(root) == {"uuid": first.uuid, "version": 1, "runtime": None}
    for directory in (root, *(path for path in root.rglob("*") if path.is_dir())):
        assert directory.stat().st_mode & 0o777 == 0o700
    assert (root / MARKER).stat().st_mode & 0o777 == 0o600
    assert Root(root).uuid == first.uuid and leftovers(root) == []
    assert Root(tmp_path / "other").uuid != first.uuid


def test_an_existing_directory_keeps_its_mode_and_what_is_in_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "notes.txt").write_text("mine")
    with opened(tmp_path) as store:
        assert ids(store) == []
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_root_behind_a_link_is_the_real_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with opened(tmp_path / "link") as store:
        assert store.directory.path == tmp_path / "real"


def nested(path: Path) -> None:
    path.write_text('{"uuid": ' + "[" * 100_000)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path) -> None:
    path.rename(path.with_name("kept"))
    path.symlink_to("kept")


def big(path: Path) -> None:
    path.write_text(" " * (1 << 17) + path.read_text())


BAD_MARKERS: dict[str, tuple[Callable[[Path], object] | dict[str, object], str]] = {
    "newer": ({"version": 2}, "format version 2; this release knows 1"),
    "far newer": ({"version": "9" * 10_000}, "format version 999"),
    "version is text": ({"version": "1"}, "format version 1"),
    "foreign uuid": ({"uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}, "uuid"),
    "uuid leads out": ({"uuid": "../" * 10 + "aa"}, "uuid"),
    "uuid in capitals": ({"uuid": UUID.upper()}, "uuid"),
    "uuid with a newline": ({"uuid": UUID[:-1] + "\n"}, "uuid"),
    "uuid is a number": ({"uuid": 7}, "uuid"),
    "empty": (lambda path: path.write_text(""), "restore it"),
    "garbage": (lambda path: path.write_bytes(b"\xff\x00" * 100), "restore it"),
    "a list": (lambda path: path.write_text("[1]"), "restore it"),
    "nothing in it": (lambda path: path.write_text("{}"), "restore it"),
    "deep": (nested, "restore it"),
    "big": (big, "restore it"),
    "a FIFO": (fifo, "restore it"),
    "a directory": (folder, "restore it"),
    "a link": (link, "restore it"),
}


@pytest.mark.parametrize("kind", BAD_MARKERS)
def test_a_marker_that_can_not_be_trusted(tmp_path: Path, kind: str) -> None:
    spoil, sentence = BAD_MARKERS[kind]
    with opened(tmp_path) as store:
        create(store)
    mark(tmp_path)
    if callable(spoil):
        spoil(tmp_path / MARKER)
    else:
        mark(tmp_path, **spoil)
    before = snapshot(tmp_path)
    assert sentence in refused(tmp_path)
    assert snapshot(tmp_path) == before


def test_a_path_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "File exists" in refused(tmp_path / "file")
    assert "Not a directory" in refused(tmp_path / "file" / "below")
    with pytest.raises(RootRefused, match="is no path"):
        Root(Path("nul\x00"))
    (tmp_path / "loop").symlink_to("loop")
    refused(tmp_path / "loop")
    refused(Path("/proc/1/nothing"))
    refused(tmp_path / ("x" * 300))
    (tmp_path / ".cognition").write_text("in the way")
    refused(tmp_path)


@pytest.fixture
def foreign_place() -> Iterator[Path]:
    """Where another user may go."""
    base = Path("/tmp") / f"cognition-test-{os.getpid()}"
    base.mkdir(mode=0o755)
    yield base
    shutil.rmtree(base)


def test_a_root_that_may_not_be_written(foreign_place: Path) -> None:
    root = foreign_place / "root"
    root.mkdir(mode=0o555)
    with Worker(root, NOBODY if os.geteuid() == 0 else None) as worker:
        answer = worker.call("ready")
    assert answer["error"] == "RootRefused" and answer["code"] == "root_refused"
    assert answer["message"] == f"The root {root} can't be used: Permission denied."
    assert list(root.iterdir()) == []


def test_a_read_only_file_system(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", str(root)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount here")
    try:
        assert "Read-only file system" in refused(root)
    finally:
        subprocess.run(["umount", str(root)], check=True)


def test_a_root_of_another_user_is_refused(foreign_place: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root, to have another user")
    Root(foreign_place)
    os.chown(foreign_place / MARKER, NOBODY, NOBODY)
    assert "belongs to another user" in refused(foreign_place)
    os.chown(foreign_place / MARKER, 0, 0)
    os.chown(foreign_place / ".cognition", NOBODY, NOBODY)
    assert "belongs to another user" in refused(foreign_place)


SHIM = """
#include <errno.h>
int flock(int fd, int operation) { %s }
"""


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ("return 0;", "File locks don't work"),
        ("errno = ENOLCK; return -1;", "No locks available"),
        ("errno = EOPNOTSUPP; return -1;", "Operation not supported"),
    ],
)
def test_where_locks_do_not_work(tmp_path: Path, behaviour: str, sentence: str) -> None:
    """A file system whose `flock` holds nobody off, played by a C library in a real process."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source, library = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(SHIM % behaviour)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    program = (
        "import sys; from pathlib import Path\n"
        "from cognition_jupyter.exceptions import RootRefused\n"
        "from cognition_jupyter.projects.root import Root\n"
        "try: Root(Path(sys.argv[1]))\n"
        "except RootRefused as error: print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "root")],
        env=os.environ | {"LD_PRELOAD": str(library)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sentence in done.stdout and str(tmp_path / "root") in done.stdout
    assert not (tmp_path / "root" / MARKER).exists()


# -- finding -------------------------------------------------------------------------------


def test_the_outermost_marked_root_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "demo-00000000" / "repo" / "b"
    inner.mkdir(parents=True)
    outer = find_marked_root(tmp_path)
    assert find_marked_root(inner) == outer  # none, unless the machine has one
    mark(inner)
    assert find_marked_root(inner) == (outer or inner)
    mark(tmp_path / "a")
    assert find_marked_root(inner) == find_marked_root(tmp_path / "a") == (outer or tmp_path / "a")
    assert find_marked_root(tmp_path) == outer


def test_a_marker_planted_in_a_project_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
        repo = store.paths(project_id).repo
        mark(repo, uuid="f" * 32, version=99)
        fake = repo / "fake-00000000" / "repo"
        fake.mkdir(parents=True)
        (fake.parent / ".project_metadata.json").write_text("{}")
        store.recover()
        assert ids(store) == [project_id]
        assert find_marked_root(fake) == tmp_path


def test_only_a_marker_of_ours_counts(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    mark(inner)
    mark(tmp_path)
    assert find_marked_root(inner) == tmp_path
    kept = (tmp_path / MARKER).rename(tmp_path / "kept")
    for make in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to(kept)):
        make(tmp_path / MARKER)  # type: ignore[operator]
        assert find_marked_root(inner) == inner
        if (tmp_path / MARKER).is_dir():
            (tmp_path / MARKER).rmdir()
        else:
            (tmp_path / MARKER).unlink()
    if os.geteuid() == 0:
        mark(tmp_path)
        os.chown(tmp_path / MARKER, NOBODY, NOBODY)
        assert find_marked_root(inner) == inner
        os.chown(inner / MARKER, NOBODY, NOBODY)
        assert find_marked_root(inner) is None


# -- owners and the runtime ----------------------------------------------------------------


def test_an_owner_lives_as_long_as_its_lock(tmp_path: Path) -> None:
    root, other = Root(tmp_path), Root(tmp_path)
    owner = root.register_owner()
    assert root.owner_is_alive(owner.owner_id) and other.owner_is_alive(owner.owner_id)
    assert other.recover() == [] and other.owner_is_alive(owner.owner_id)
    owner.release()
    assert not other.owner_is_alive(owner.owner_id)
    before = snapshot(tmp_path)
    for claim in ("", "..", "../owners/x", "x" * 10_000, "0" * 16, "0" * 15, "\x00", "é" * 16):
        assert not root.owner_is_alive(claim)
    assert snapshot(tmp_path) == before and leftovers(tmp_path) == []


def test_the_runtime_is_remembered(tmp_path: Path) -> None:
    root = Root(tmp_path)
    assert root.runtime is None
    root.remember_runtime("docker")
    assert root.runtime == Root(tmp_path).runtime == "docker"
    assert marker_of(tmp_path)["uuid"] == root.uuid
    mark(tmp_path, runtime=7)
    assert root.runtime is None
    marker = marker_of(tmp_path)
    del marker["runtime"]
    marker["future"] = [1]
    (tmp_path / MARKER).write_text(json.dumps(marker))
    assert root.runtime is None
    root.remember_runtime("process")
    assert marker_of(tmp_path) == marker | {"runtime": "process"}
    assert leftovers(tmp_path) == []


# -- what is left over ---------------------------------------------------------------------


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    private = tmp_path / ".cognition"
    with opened(tmp_path) as store:
        kept = create(store)
    stage = private / "incoming" / "demo-00000000"
    (stage / "repo" / "deep").mkdir(parents=True)
    (stage / "repo" / "deep").chmod(0)
    os.mkfifo(private / "incoming" / "demo-00000001")
    (private / "incoming" / "demo-00000002").symlink_to(tmp_path / kept)
    (private / "incoming" / "notes").mkdir()  # not ours
    (private / "deleting" / "old-00000000.0123").mkdir()
    (private / "deleting" / "a-link").symlink_to(tmp_path / kept)
    (private / "locks" / "root.lock").write_text("")
    (private / "locks" / "old-00000000.lock").write_text("")
    (private / "locks" / "index.lock").write_text("")
    (private / "owners" / "0123456789abcdef.lock").write_text("")
    (private / ".root.json.01234567.tmp").write_text("half")
    with opened(tmp_path) as store:
        assert ids(store) == [kept]
        assert store.paths(kept).repo.is_dir()
    (private / "incoming" / "notes").rmdir()
    assert leftovers(tmp_path) == []


def test_what_can_not_be_removed_is_said_and_stops_nothing(tmp_path: Path) -> None:
    stuck = tmp_path / ".cognition" / "deleting" / "old-00000000.0123"
    root = Root(tmp_path)
    stuck.mkdir()
    mount = ["mount", "-t", "tmpfs", "none", str(stuck)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount here")
    try:
        (problem,) = root.recover()
        assert str(stuck) in problem and "busy" in problem
        with opened(tmp_path) as store:
            assert ids(store) == []
    finally:
        subprocess.run(["umount", str(stuck)], check=True)
    assert root.recover() == [] and leftovers(tmp_path) == []
