"""What each route leads to, and how several of them look like one tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.memory.operations import Operations
from cognition_jupyter.memory.project_memory import ProjectMemory

from .memory_support import Place, fails, place

HOT = "/memories/hot"


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture
def now(here: Place) -> Operations:
    return here.now()


def test_each_route_has_its_directory(here: Place, now: Operations) -> None:
    places = {
        "/workspace/a": here.paths.repo,
        f"{HOT}/a": here.hot,
        "/memories/persistent/a": here.paths.persistent,
        "/tmp/a": here.tmp,
    }
    for path, directory in places.items():
        assert now.write(path, path).created
        assert (directory / "a").read_text() == path
        assert now.read_bytes(path) == path.encode()
    for path in ("/memories/hotel/a", "/a", "/etc/passwd"):
        with fails("file_not_found", 404):
            now.read(path)
        with fails("file_not_found", 404):
            now.write(path, b"x")
    assert [e.path for e in now.glob("a").files] == sorted(places)


def test_directories_above_routes_are_listed(now: Operations) -> None:
    def ls(path: str) -> dict[str, str]:
        return {entry.path: entry.kind for entry in now.ls(path).entries}

    assert ls("/") == {
        "/memories": "directory",
        "/tmp": "directory",
        "/workspace": "directory",
    }
    assert ls("/memories") == {f"{HOT}": "directory", "/memories/persistent": "directory"}
    assert now.ls("/memories/").path == "/memories"
    with fails("file_not_found"):
        now.ls("/nothing")
    for path in ("/", "/memories"):
        with fails("file_not_found"):
            now.delete(path)
    for path in (HOT, f"{HOT}/", "/tmp"):
        with fails("invalid_path", 400):
            now.delete(path)
        with fails("is_directory"):
            now.write(path, b"x")
        with fails("is_directory"):
            now.read(path)


def test_a_route_below_another_hides_what_is_there(here: Place) -> None:
    now = here.memory({"/memories/hot/inner/": "filesystem", "/memories/hot/a/b/": "store"}).now
    (here.hot / "inner").mkdir()
    (here.hot / "inner/hidden").write_text("needle")
    now.write(f"{HOT}/inner/shown", "needle")
    now.write(f"{HOT}/a/b/c", "needle")
    now.write(f"{HOT}/x", "needle")
    assert (here.paths.persistent / "memories/hot/inner/shown").exists()
    assert (here.hot / "a/b/c").exists()
    paths = [f"{HOT}/a/b/c", f"{HOT}/inner/shown", f"{HOT}/x"]
    assert [e.path for e in now.glob("**/*", HOT).files] == paths
    assert [m.path for m in now.grep("needle", HOT).matches] == paths
    assert [e.path for e in now.glob("c", f"{HOT}/a").files] == paths[:1]
    assert [e.path for e in now.glob("/a/*/c", HOT).files] == paths[:1]
    assert [e.path for e in now.ls(f"{HOT}/inner").entries] == [f"{HOT}/inner/shown"]
    kinds = {entry.path: entry.kind for entry in now.ls(HOT).entries}
    assert kinds == {f"{HOT}/a": "directory", f"{HOT}/inner": "directory", f"{HOT}/x": "file"}
    (here.hot / "inner/hidden").unlink()
    (here.hot / "inner").rmdir()
    (here.hot / "inner").write_text("needle")
    assert [e.path for e in now.glob("**/*", HOT).files] == paths
    assert now.ls(HOT).entries[1].kind == "directory"


def test_a_route_of_its_own_is_empty_before_the_first_write(here: Place) -> None:
    outside = here.base / "shared"
    outside.mkdir()
    memory = here.memory(
        {
            "/notes/": "filesystem",
            "/docs/": {"type": "filesystem", "root": "repo/docs"},
            "/shared/": {"type": "filesystem", "root": f"{outside}/team/a"},
        },
        allowed=(str(outside),),
    )
    now = memory.now
    for path in ("/notes", "/docs", "/shared"):
        assert now.ls(path).entries == ()
        assert now.glob("*", path).files == ()
        assert now.usage(f"{path}/").files == 0
        with fails("file_not_found"):
            now.ls(f"{path}/x")
        now.write(f"{path}/x/y", b"1")
        assert now.usage(f"{path}/").bytes == 1
    assert (here.paths.persistent / "notes/x/y").exists()
    assert (here.paths.repo / "docs/x/y").exists()
    assert (outside / "team/a/x/y").exists()
    with fails("route_not_found", 404):
        now.usage("/other/")


def test_state_is_private_to_a_live_session(here: Place) -> None:
    sessions: dict[str, Path] = {}
    for name in ("one", "two"):
        sessions[name] = here.base / name
        sessions[name].mkdir()
    memory = ProjectMemory(here.paths, here.hot, (1000, 1000), state_directory=sessions.get)
    one, two = (memory.for_session(name).now for name in ("one", "two"))
    one.write("/tmp/x", "of one")
    one.write(f"{HOT}/x", "shared")
    assert two.read_bytes(f"{HOT}/x") == b"shared"
    with fails("file_not_found"):
        two.read("/tmp/x")
    for operation in (memory.now.read, memory.now.ls, memory.now.delete):
        with fails("session_required", 400):
            operation("/tmp/x")
    for search in (memory.now.glob, memory.now.grep):
        with fails("session_required", 400):
            search("x", "/tmp")
    assert [e.path for e in memory.now.glob("x").files] == [f"{HOT}/x"]
    assert [e.path for e in one.glob("x").files] == [f"{HOT}/x", "/tmp/x"]
    assert "/tmp" in [entry.path for entry in memory.now.ls("/").entries]
    del sessions["one"]
    for step in (lambda: one.read("/tmp/x"), lambda: one.glob("x"), lambda: one.usage("/tmp/")):
        with fails("session_not_found", 404):
            step()
    assert one.read_bytes(f"{HOT}/x") == b"shared"
