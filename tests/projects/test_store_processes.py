"""Several processes on one root: no update is lost, limits hold, live ones are left alone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cognition_jupyter.models import CreateProject, Metadata

from .store_support import (
    Worker,
    create,
    get,
    ids,
    leftovers,
    on_disk,
    opened,
    run,
    select,
    session,
)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        started = [stack.enter_context(Worker(tmp_path, max_projects=12)) for _ in range(2)]
        for worker in started:
            worker.call("ready")
        yield started


def test_no_update_is_lost(tmp_path: Path, workers: list[Worker]) -> None:
    def count(metadata: Metadata) -> None:
        metadata.statistics.files_modified += 1

    async def threads() -> None:
        await asyncio.gather(*(store.change(project_id, count) for _ in range(60)))

    with opened(tmp_path) as store:
        project_id = create(store)
        for worker in workers:
            worker.start("count", project_id=project_id, times=150)
            worker.start("use", project_id=project_id, name=str(id(worker)), times=20)
        asyncio.run(threads())
        for worker in workers:
            assert worker.result() is True and worker.result() is True
        metadata = get(store, project_id)
        assert metadata.statistics.total_messages == 300
        assert metadata.statistics.files_modified == 60
        assert metadata.statistics.total_sessions == 40
        assert len(metadata.sessions) == 40 and metadata.live_sessions == []
        (entry,) = select(store)
        assert entry.metadata == metadata.without_old_sessions()
        assert leftovers(tmp_path) == []


def test_the_project_limit_holds(tmp_path: Path, workers: list[Worker]) -> None:
    async def threads() -> int:
        made = await asyncio.gather(
            *(store.create(CreateProject(user_prefix="mine")) for _ in range(10)),
            return_exceptions=True,
        )
        return sum(not isinstance(one, BaseException) for one in made)

    with opened(tmp_path, max_projects=12) as store:
        for worker in workers:
            worker.start("create_many", times=10)
        counts = [asyncio.run(threads()), *(worker.result() for worker in workers)]
        assert sum(counts) == 12 == len(on_disk(tmp_path)) == len(ids(store))
        assert leftovers(tmp_path) == []


def test_the_session_limits_hold(tmp_path: Path, workers: list[Worker]) -> None:
    async def threads() -> int:
        opening = await asyncio.gather(
            *(store.open_session(one, session(f"t-{n}"), 11, 3) for n, one in enumerate(wanted)),
            return_exceptions=True,
        )
        return sum(not isinstance(one, BaseException) for one in opening)

    with opened(tmp_path) as store:
        projects = [create(store, prefix) for prefix in "abcde"]
        wanted = [project for project in projects[:2] for _ in range(5)]
        for worker in workers:
            # The first two projects stop at 3 each; the others take the rest of the 11.
            many = [*wanted, *(project for project in projects[2:] for _ in range(4))]
            name, limits = str(id(worker)), {"max_total": 11, "max_per_project": 3}
            worker.start("open_many", project_ids=many, name=name, **limits)
        opened_now = [asyncio.run(threads()), *(worker.result() for worker in workers)]
        live = {project: len(get(store, project).live_sessions) for project in projects}
        assert sum(opened_now) == 11 == sum(live.values())
        assert max(live.values()) <= 3
        entries = select(store, status="active")
        assert {e.project_id for e in entries} == {one for one, n in live.items() if n}


def test_deletions_and_sessions_do_not_meet(tmp_path: Path, workers: list[Worker]) -> None:
    """A project with a live session is never in the trash."""
    with opened(tmp_path) as store:
        for number in range(15):
            project_id = create(store)
            workers[0].start("delete", project_id=project_id, permanent=bool(number % 2))
            workers[1].start(
                "open_many", project_ids=[project_id], name="s", max_total=0, max_per_project=0
            )
            deleted, started = workers[0].result(), workers[1].result()
            if deleted is True:
                assert started["error"] == "NotFound"
                assert project_id not in on_disk(tmp_path)
            else:
                assert deleted["code"] == "active_sessions" and started == 1
                assert len(get(store, project_id).live_sessions) == 1
                run(store.change(project_id, lambda metadata: metadata.sessions.clear()))
                run(store.trash.put(project_id))
        assert leftovers(tmp_path) == []


def test_recovering_leaves_live_processes_alone(tmp_path: Path, workers: list[Worker]) -> None:
    """A start, and the periodic one, beside others at work."""
    owner = workers[0].call("own")
    stage = workers[0].call("stage", prefix="slow")
    for _ in range(3):
        with opened(tmp_path) as store:
            assert store.directory.owner_is_alive(owner)
            assert (tmp_path / ".cognition/incoming" / stage / "repo/half").exists()
            assert ids(store) == []
    workers[1].start("create_many", times=10)
    with opened(tmp_path) as store:
        for _ in range(50):
            store.recover()
        assert workers[1].result() == 10 == len(ids(store))
        os.kill(workers[0].process.pid, signal.SIGKILL)
        workers[0].process.wait()
        assert not store.directory.owner_is_alive(owner)
        store.recover()
        assert leftovers(tmp_path) == []
        assert len(ids(store)) == 10


def test_a_lock_does_not_outlive_its_process(tmp_path: Path, workers: list[Worker]) -> None:
    """Also when a child of the dead process lives on."""
    program = (
        "import os, subprocess, sys\n"
        "from pathlib import Path\n"
        "from cognition_jupyter.projects.root import Root\n"
        "owner = Root(Path(sys.argv[1])).register_owner()\n"
        "quiet = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.DEVNULL}\n"
        "child = subprocess.Popen(['sleep', '60'], close_fds=False, **quiet)\n"
        "print(owner.owner_id, child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    owner, child = process.stdout.readline().split()
    try:
        with opened(tmp_path) as store:
            assert store.directory.owner_is_alive(owner)
            process.kill()
            process.communicate()
            assert not store.directory.owner_is_alive(owner)
    finally:
        os.kill(int(child), signal.SIGKILL)
