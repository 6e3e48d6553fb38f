"""A deleted project goes whole, also files of other owners, as far as an engine can help."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

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
