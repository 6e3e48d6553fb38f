"""`kill -9` at any step of any operation: at the next start the store is whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.exceptions import NotFound
from cognition_jupyter.models import Metadata

from .store_support import (
    METADATA,
    REPOSITORY,
    Worker,
    create,
    get,
    leftovers,
    on_disk,
    opened,
    run,
    select,
)

NEVER = 1 << 30
OPERATIONS = [
    "create",
    "change",
    "trash",
    "remove",
    "start_session",
    "remember",
    "own",
    "list_and_recover",
    "open",
]


class Killing:
    """Talks to kill_child.py."""

    def __init__(self, scratch: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.projects.kill_child", str(scratch)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, root: Path, operation: str, target: str, at: int) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        order = {"root": str(root), "operation": operation, "target": target, "at": at}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the killed process failed before it was killed"
        return dict(json.loads(answer))


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killing]:
    made = Killing(tmp_path_factory.mktemp("scratch") / "root")
    yield made
    made.process.kill()
    made.process.communicate()


def make_target(root: Path) -> str:
    """A project with something in it, some of it hard to remove."""
    with opened(root) as store:
        target = create(store, "target", description="before")
        repo = store.paths(target).repo
        (repo / "a" / "b" / "c").mkdir(parents=True)
        for place in (repo, repo / "a", repo / "a" / "b", repo / "a" / "b" / "c"):
            (place / "file").write_text("text")
        (repo / "a" / "b").chmod(0o500)
    return target


FROM_TRASH = ("remove from the trash", "restore")


def files_of(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def check(root: Path, operation: str, target: str, before: set[str], files: set[str]) -> None:
    """All that must hold after the next start."""
    with opened(root) as store:
        assert leftovers(root) == []
        there = on_disk(root)
        listed = {entry.project_id: entry for entry in select(store)}
        assert set(listed) == there
        for project_id in there:
            metadata = get(store, project_id)
            assert listed[project_id].metadata == metadata.without_old_sessions()
            assert store.paths(project_id).repo.is_dir()
        if operation == "create":
            for new in there - before:
                assert get(store, new).description == "whole"
                assert (root / new / "repo" / "sub" / "file").read_text() == "cloned"
            assert len(there - before) <= 1
            there &= before
        in_trash = root / ".trash" / target
        if (operation in ("trash", "restore") and target not in there) or (
            operation == "remove from the trash" and in_trash.exists()
        ):
            assert files_of(in_trash) == files
        else:
            assert not in_trash.exists()
        if operation not in ("trash", "remove", *FROM_TRASH):
            assert there == before
        if target in there:
            assert files_of(root / target) == files
            check_target(operation, get(store, target))
        else:
            assert there == before - {target}
        marker = json.loads((root / ".cognition" / "root.json").read_text())
        assert marker["runtime"] in (None, "docker")
        if target in there:  # and it works on
            run(store.change(target, lambda metadata: metadata.sessions.clear()))
            run(store.trash.delete(target))
        elif in_trash.exists():
            shutil.rmtree(in_trash)
    assert leftovers(root) == []


def check_target(operation: str, metadata: Metadata) -> None:
    if operation == "change":
        state = (metadata.description, metadata.statistics.total_messages)
        assert state in (("before", 0), ("after " * 300, 1))
    else:
        assert metadata.description == "before"
    started = metadata.statistics.total_sessions
    assert started == len(metadata.sessions) == len(metadata.live_sessions)
    assert started <= (operation == "start_session")


def kill_at(killing: Killing, root: Path, operation: str, at: int) -> bool:
    """One point; false when the operation ended before it."""
    target = make_target(root)
    files, before = files_of(root / target), on_disk(root)
    prepare(root, operation, target)
    answer = killing(root, operation, target, at)
    check(root, operation, target, before, files)
    return bool(answer["killed"])


def prepare(root: Path, operation: str, target: str) -> None:
    if operation == "open":
        spoil(root, target)
    if operation in FROM_TRASH:
        with opened(root) as store:
            run(store.trash.put(target))


def spoil(root: Path, target: str) -> None:
    """Give the start something to do: all that killed processes leave behind."""
    private = root / ".cognition"
    for path in private.glob("index.sqlite3*"):
        path.unlink()
    (root / target / f".{METADATA}.01234567.tmp").write_text("half")
    (private / ".root.json.01234567.tmp").write_text("half")
    (private / "locks" / f"{target}.lock").write_text("")
    (private / "owners" / "0123456789abcdef.lock").write_text("")
    for place in ("incoming/half-00000000", "deleting/old-00000000.0123"):
        (private / place / "repo" / "sub").mkdir(parents=True)
        (private / place / "repo" / "sub" / "file").write_text("half")


def steps_of(killing: Killing, root: Path, operation: str) -> int:
    target = make_target(root)
    prepare(root, operation, target)
    answer = killing(root, operation, target, NEVER)
    assert not answer["killed"]
    shutil.rmtree(root)
    steps = int(answer["steps"])
    assert steps > 10
    return steps


@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_some_points(killing: Killing, tmp_path: Path, operation: str) -> None:
    steps = steps_of(killing, tmp_path / "counted", operation)
    points = sorted({1 + steps * part // 12 for part in range(12)})
    killed = [kill_at(killing, tmp_path / "root", operation, at) for at in points]
    assert sum(killed) >= len(points) - 2


@pytest.mark.torture
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_every_point(killing: Killing, tmp_path: Path, operation: str) -> None:
    at = 1
    while kill_at(killing, tmp_path / "root", operation, at):
        at += 1
    assert at > 10


@pytest.mark.parametrize("operation", ["create", "open"])
def test_a_start_on_a_new_root_can_be_killed(
    killing: Killing, tmp_path: Path, operation: str
) -> None:
    """The very first start: half a root is no root that is refused."""
    steps = int(killing(tmp_path / "counted", "open", "", NEVER)["steps"])
    for at in range(1, steps + 1, 1 + steps // 12):
        root = tmp_path / f"root{at}"
        killing(root, "open", "", at)
        with opened(root) as store:
            assert leftovers(root) == [] and select(store) == []
            create(store)
        assert leftovers(root) == []


def test_a_permanent_deletion_that_began_does_not_come_back(
    killing: Killing, tmp_path: Path
) -> None:
    """Between the rename and the end, and beside a process that lives on."""
    steps = steps_of(killing, tmp_path / "counted", "remove")
    with opened(tmp_path / "root") as store:
        for at in range(steps - 1, 0, -3):
            target = make_target(tmp_path / "root")
            killing(tmp_path / "root", "remove", target, at)
            if begun := [path.name[:-9] for path in store.directory.deleting.iterdir()]:
                break
        assert begun == [target]
        assert select(store) == []
        with pytest.raises(NotFound):
            get(store, target)
        store.recover()  # the periodic one of a process that lives
        assert leftovers(tmp_path / "root") == []


def test_the_locks_of_the_living_are_respected(killing: Killing, tmp_path: Path) -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(tmp_path)) for _ in range(2)]
        owner = workers[0].call("own")
        stage = workers[1].call("stage", prefix="slow")
        for operation in ("create", "change", "remove"):
            target = make_target(tmp_path)
            killing(tmp_path, operation, target, 40)
            with opened(tmp_path) as store:
                assert store.directory.owner_is_alive(owner)
                expected = {
                    str(tmp_path / ".cognition" / "owners" / f"{owner}.lock"),
                    str(tmp_path / ".cognition" / "locks" / f"{stage}.lock"),
                    str(tmp_path / ".cognition" / "incoming" / stage),
                }
                assert set(leftovers(tmp_path)) == expected
                assert set(os.listdir(tmp_path / ".cognition" / "incoming" / stage)) >= {"repo"}
    with opened(tmp_path):
        assert leftovers(tmp_path) == []
