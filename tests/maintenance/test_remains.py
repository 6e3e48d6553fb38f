"""A deleted project goes whole, also files of other owners, as far as an engine can help."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.events import Event
from cognition_jupyter.kernels.policy import DEFAULT_IMAGE
from cognition_jupyter.runtimes.base import ContainerSpec

from ..projects.store_support import REPOSITORY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
USER = 1234
SOCKET = Path("/var/run/docker.sock")


class Remover:
    def __init__(self, base: Path, url: str) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.maintenance.remover", str(base), url),
                *(str(USER), str(SOCKET.stat().st_gid)),
            ],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, line: str) -> str:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        self.process.communicate("", timeout=60)


@pytest.fixture
def base() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="cgn-remains"))
    os.chown(made, USER, USER)
    yield made
    shutil.rmtree(made)


def plant(base: Path, project_id: str, outside: Path) -> None:
    """A directory of root that only root may enter, and a link out of the project in it."""
    theirs = base / "root" / project_id / "repo" / "theirs"
    (theirs / "deep" / "er").mkdir(parents=True)
    (theirs / "deep" / "file").write_text("root's")
    (theirs / "link").symlink_to(outside)
    theirs.chmod(0o700)


def left(base: Path) -> list[str]:
    return os.listdir(base / "root/.cognition/deleting")


def test_files_of_others_are_removed_by_the_engine(
    base: Path, tmp_path: Path, engine: docker.DockerClient
) -> None:
    (tmp_path / "outside").write_text("not ours to remove")
    before = {container.id for container in engine.containers.list(all=True)}
    remover = Remover(base, f"unix://{SOCKET}")
    try:
        project_id = remover.ask("create")
        plant(base, project_id, tmp_path)
        assert remover.ask(project_id) == "gone"
        assert left(base) == []
    finally:
        remover.close()
    assert (tmp_path / "outside").read_text() == "not ours to remove"
    names = [c.name for c in engine.containers.list(all=True) if c.id not in before]
    assert not [name for name in names if "removal" in str(name)]


def test_without_an_engine_it_is_said_and_tried_again(
    base: Path, tmp_path: Path, engine: docker.DockerClient
) -> None:
    remover = Remover(base, f"unix://{tmp_path}/none.sock")
    try:
        project_id = remover.ask("create")
        plant(base, project_id, tmp_path)
        assert remover.ask(project_id) == "files_remain"
        assert len(left(base)) == 1
    finally:
        remover.close()
    again = Remover(base, f"unix://{SOCKET}")
    try:
        assert again.ask("cleanup") == "done"
        assert left(base) == []
    finally:
        again.close()


def test_reconcile_leaves_a_removal_that_takes_long_at_work(
    base: Path, engine: docker.DockerClient
) -> None:
    """And removes its container when nobody waits for it any more."""
    config = Config()
    config.ProjectStore.root = str(base / "root")
    config.RamDirectories.hot_root = str(base / "ram")
    cognition = Cognition(base, config=config)
    cognition.open()
    told: list[Event] = []
    cognition.events.subscribe(told.append)

    async def run() -> None:
        (runtime,) = cognition.choice.for_reconcile()
        spec = ContainerSpec(
            root_uuid=runtime.root_uuid,
            owner=cognition.owner.owner_id,
            project_id="removal-00000000",
            session_id="removal-long",
            command=("sleep", "600"),
            environment={"PATH": "/usr/bin:/bin"},
            working_directory="/",
            mounts=(),
            network_mode="OFF",
            user=(USER, USER),
            image=DEFAULT_IMAGE,
        )
        cognition.remains.at_work.add(spec.session_id)
        container_id = await runtime.start(spec)
        try:
            for _ in range(3):
                await cognition.reconcile.run()
            assert [one.running for one in await runtime.found()] == [True] and told == []
            cognition.remains.at_work.discard(spec.session_id)
            for _ in range(2):
                await cognition.reconcile.run()
            assert await runtime.found() == []
        finally:
            await runtime.remove(container_id)

    try:
        asyncio.run(run())
    finally:
        asyncio.run(cognition.close())
    assert [(event.noun, event.action) for event in told] == [("reconcile", "container_removed")]


def test_a_removal_at_work_is_known_as_such(base: Path, engine: docker.DockerClient) -> None:
    remover = Remover(base, f"unix://{SOCKET}")
    try:
        project_id = remover.ask("create")
        plant(base, project_id, base)
        assert remover.ask(f"watch {project_id}") == "at work, then gone"
    finally:
        remover.close()
