"""Names that are none, and directories that are no projects: nothing is changed, nothing fatal."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import BrokenProject, InvalidInput, NotFound
from cognition_jupyter.models import CreateProject
from cognition_jupyter.projects.store import ProjectStore

from .store_support import (
    METADATA,
    Worker,
    create,
    get,
    ids,
    leftovers,
    opened,
    projects_of,
    run,
    select,
    session,
    snapshot,
)

NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With a file beside it that no name may reach."""
    (tmp_path / METADATA).write_text("outside")
    return tmp_path / "root"


@pytest.fixture
def store(root: Path) -> Iterator[ProjectStore]:
    with opened(root) as store:
        yield store


# -- names ---------------------------------------------------------------------------------

NAMES = [
    "",
    ".",
    "..",
    "../root",
    "%2e",
    "%2e%2e",
    ".trash",
    ".cognition",
    "x" * 10_000,
    "a" * 32 + "-00000000" + "\n",
    "demo-0000000\n",
    "demo-00000000\n",
    "demo-00000000\x00",
    "\x00",
    "Demo-00000000",
    "demo-0000000A",
    "demo-" + "\N{ARABIC-INDIC DIGIT ONE}" * 8,
    "démo-00000000",
    "demo-00000000/",
    "demo-00000000/..",
    "/demo-00000000",
    "demo-000000000/../demo-00000000",
    "demo 00000000",
    "demo-0000000",
    "-demo-00000000",
    "0demo-00000000",
    "demo00000000",
    "a" * 33 + "-00000000",
    "\ud800-00000000",
    "demo-0000000g",
    "CON-00000000",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_is_none_changes_nothing(
    store: ProjectStore, tmp_path: Path, name: str
) -> None:
    create(store)
    before = snapshot(tmp_path)
    for attempt in (
        store.get(name),
        store.change(name, lambda metadata: None),
        store.trash.put(name),
        store.trash.delete(name),
        store.open_session(name, session("s"), 0, 0),
    ):
        with pytest.raises((InvalidInput, NotFound)) as caught:
            run(attempt)
        assert len(caught.value.message) < 300
    with pytest.raises(InvalidInput):
        store.paths(name)
    assert snapshot(tmp_path) == before
    assert leftovers(tmp_path / "root") == []


PREFIXES = [
    "",
    ".",
    "..",
    "A",
    "1a",
    "-a",
    "a_b",
    "a b",
    "abc\n",
    "a\x00",
    "é",
    "a\N{ARABIC-INDIC DIGIT ONE}",
    "a/b",
]


@pytest.mark.parametrize("prefix", [*PREFIXES, "a" * 33, "x" * 10_000, "\ud800"], ids=ascii)
def test_a_prefix_that_is_none_makes_nothing(
    store: ProjectStore, tmp_path: Path, prefix: str
) -> None:
    before = snapshot(tmp_path)
    with pytest.raises(InvalidInput, match=r"^user_prefix .*\.$") as caught:
        run(store.create(CreateProject.model_construct(user_prefix=prefix)))
    assert caught.value.code == "invalid_prefix" and len(caught.value.message) < 200
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("prefix", ["a", "a" * 32, "a-", "a--b", "a-00000000", "probe", "z9"])
def test_odd_prefixes_that_are_allowed_work(store: ProjectStore, prefix: str) -> None:
    project_id = create(store, prefix)
    assert get(store, project_id).user_prefix == prefix
    assert ids(store, prefix=prefix) == [project_id]
    run(store.trash.put(project_id))


# -- what is no project --------------------------------------------------------------------


def test_foreign_directories_are_ignored(store: ProjectStore, root: Path) -> None:
    project_id = create(store)
    for name in ("notes", ".hidden", "Demo-00000000", "demo-1", "lost+found", "a" * 200):
        (root / name).mkdir()
        shutil.copy(root / project_id / METADATA, root / name)
    (root / "README.md").write_text("mine")
    os.symlink("/", root / "everything")
    before = snapshot(root)
    assert ids(store) == [project_id]
    store.recover()
    assert ids(store) == [project_id] and snapshot(root) == before


def write(text: bytes) -> Callable[[Path], None]:
    def spoil(project: Path) -> None:
        (project / METADATA).write_bytes(text)

    return spoil


def fields(**changed: object) -> Callable[[Path], None]:
    def spoil(project: Path) -> None:
        document = json.loads((project / METADATA).read_bytes()) | changed
        (project / METADATA).write_text(json.dumps(document))

    return spoil


def nested(depth: int) -> Callable[[Path], None]:
    def spoil(project: Path) -> None:
        value = "[" * depth + "]" * depth
        text = (project / METADATA).read_text().rstrip().removesuffix("}")
        (project / METADATA).write_text(f'{text}, "extra": {value}}}')

    return spoil


def instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def spoil(project: Path) -> None:
        (project / METADATA).rename(project / "kept.json")
        make(project / METADATA)

    return spoil


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address has 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def a_terabyte(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def overflow(project: Path) -> None:
    name = '"total_duration_seconds": '
    text = (project / METADATA).read_text()
    (project / METADATA).write_text(text.replace(f"{name}0.0", f"{name}1e999"))


def linked_project(project: Path) -> None:
    project.rename(project.parent.parent / "moved")
    project.symlink_to(project.parent.parent / "moved")


def file_project(project: Path) -> None:
    shutil.rmtree(project)
    project.write_text("a file")


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no metadata": (lambda p: (p / METADATA).unlink(), "No such file"),
    "empty": (write(b""), "EOF"),
    "half": (write(b'{"version": 1, "project_id"'), "EOF"),
    "no JSON": (write(b"\x00\xff" * 500), "expected"),
    "a list": (write(b"[]"), "version None"),
    "a number": (write(b"1"), "version None"),
    "deep": (write(b"[" * 200_000), "recursion"),
    "deep where anything may stand": (nested(100_000), "recursion"),
    "too deep to be written": (nested(250), "recursion"),
    "no number": (write(b'{"version": NaN}'), "expected"),
    "not UTF-8": (write('{"version": 1}'.encode("utf-16")), "expected"),
    "other id": (fields(project_id="demo-ffffffff"), "demo-ffffffff"),
    "other prefix": (fields(user_prefix="other"), "other"),
    "no id": (fields(project_id=7), "project_id"),
    "newer version": (fields(version=2), "version 2"),
    "old version": (fields(version="1"), "version 1"),
    "huge version": (fields(version="9" * 100_000), "version 999"),
    "bad time": (fields(last_accessed="yesterday"), "last_accessed"),
    "time without zone": (fields(created_at="2026-01-01T00:00:00"), "created_at"),
    "time before time": (fields(created_at="0001-01-01T00:00:00+14:00"), "created_at"),
    "endless days": (fields(cleanup_after_days=10**400), "cleanup_after_days"),
    "no days": (fields(cleanup_after_days=0), "cleanup_after_days"),
    "many days": (fields(cleanup_after_days=3651), "cleanup_after_days"),
    "infinite time": (fields(statistics={"total_duration_seconds": float("inf")}), "expected"),
    "overflowing time": (overflow, "total_duration_seconds"),
    "no boolean": (fields(pinned="false"), "pinned"),
    "lone surrogate": (fields(description="\ud800"), "hex escape"),
    "tags are text": (fields(tags="hello"), "tags"),
    "a FIFO": (instead(os.mkfifo), "not a regular file"),
    "a directory": (instead(Path.mkdir), "not a regular file"),
    "a socket": (instead(a_socket), "can't be read"),
    "a link": (instead(lambda path: path.symlink_to("kept.json")), "symbolic link"),
    "a dangling link": (instead(lambda path: path.symlink_to("nothing")), "symbolic link"),
    "a link to a device": (instead(lambda path: path.symlink_to("/dev/zero")), "symbolic link"),
    "9 MB": (instead(lambda path: path.write_bytes(b" " * (9 << 20))), "too large"),
    "a terabyte": (instead(a_terabyte), "too large"),
    "project is a link": (linked_project, "not a directory"),
    "project is a file": (file_project, "not a directory"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_is_listed_and_never_touched(
    store: ProjectStore, root: Path, tmp_path: Path, kind: str
) -> None:
    spoil, reason = BROKEN[kind]
    good, project_id = create(store, "good"), create(store, "demo")
    (root / project_id / f".{METADATA}.00000000.tmp").write_text("what a killed writer left")
    spoil(root / project_id)
    before = snapshot(tmp_path)
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(2):  # the second time from the index
        store.catalog.sweep()
        entries = {entry.project_id: entry for entry in select(store)}
        assert set(entries) == {good, project_id}
        found = entries[project_id].broken
        assert found is not None and found.startswith(project_id) and found.endswith(".")
        assert reason in found and len(found) < 400
    listing = run(projects_of(store).select(None, [], None, 100, 0))
    (row,) = [row for row in listing["projects"] if row["project_id"] == project_id]
    assert row["status"] == "broken" and row["reason"] == found
    json.dumps(listing, allow_nan=False)
    assert ids(store, status="broken") == [project_id]
    assert project_id not in ids(store, status="idle")
    for attempt in (
        lambda: store.get(project_id),
        lambda: store.trash.put(project_id),
        lambda: store.trash.delete(project_id),
        lambda: store.change(project_id, lambda metadata: None),
        lambda: store.open_session(project_id, session("s"), 0, 0),
    ):
        with pytest.raises(BrokenProject) as caught:
            run(attempt())
        assert caught.value.status == 409 and caught.value.message == found
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    with opened(root) as second:  # a start is not harder on it
        assert set(ids(second)) == {good, project_id}
    assert snapshot(tmp_path) == before
    assert leftovers(root) == [str(root / project_id / f".{METADATA}.00000000.tmp")] or (
        "project is" in kind
    )


def test_a_project_that_was_repaired_is_well(store: ProjectStore, root: Path) -> None:
    project_id = create(store)
    text = (root / project_id / METADATA).read_text()
    (root / project_id / METADATA).write_text("{")
    store.catalog.sweep()
    assert ids(store, status="broken") == [project_id]
    (root / project_id / METADATA).write_text(text)
    assert get(store, project_id).project_id == project_id
    store.catalog.sweep()
    assert ids(store, status="idle") == [project_id]


@pytest.fixture
def shared_root() -> Iterator[Path]:
    """A root of a user that permissions hold for."""
    base = Path("/tmp") / f"cognition-test-{os.getpid()}"
    base.mkdir()
    if os.geteuid() == 0:
        os.chown(base, NOBODY, NOBODY)
    yield base / "root"
    shutil.rmtree(base)


def test_without_permission_it_is_broken_and_with_it_well_again(shared_root: Path) -> None:
    user = NOBODY if os.geteuid() == 0 else None
    with Worker(shared_root, user) as worker:
        made = [worker.call("create", prefix=prefix) for prefix in ("demo", "open")]
        project = shared_root / made[0]
        for place in (project / METADATA, project):
            mode = place.stat().st_mode & 0o777
            place.chmod(0)
            worker.call("recover")
            listed = dict(worker.call("ids"))
            assert set(listed) == set(made) and listed[made[1]] is None
            assert "Permission denied" in listed[made[0]]
            for call in ("get", "delete"):
                refused = worker.call(call, project_id=made[0])
                assert refused["error"] == "BrokenProject", refused
            place.chmod(mode)
            assert worker.call("describe", project_id=made[0], description="again") is True
            worker.call("recover")
            assert dict(worker.call("ids")) == dict.fromkeys(made)
