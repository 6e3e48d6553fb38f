"""`docs/backup.md`: what it calls a backup is one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

from ..kernels.helpers import LEAN
from ..support.server import Server

PLAN = "/api/projects/{}/memory/memories/hot/plan.md"


def lose_everything(server: Server) -> None:
    """As when the machine is a new one: neither disk nor RAM is left."""
    shutil.rmtree(server.root)
    shutil.rmtree(server.hot_root)
    server.hot_root.mkdir(mode=0o700)


@pytest.mark.parametrize("running", [False, True], ids=["of a stopped server", "of a running one"])
def test_a_copy_of_the_root_brings_all_back(
    running: bool, make_server: Callable[..., Server]
) -> None:
    server = make_server(config=LEAN)
    project_id = server.create("kept", description="Not to be lost")
    path = f"/api/projects/{project_id}"
    (server.root / project_id / "repo/work.txt").write_text("work")
    server.call("PUT", f"{path}/memory/memories/hot/same.md", 201, data=b"same")
    for status, text in ((201, b"one"), (200, b"two")):
        server.call("PUT", PLAN.format(project_id), status, data=text)
        server.call("POST", f"{path}/snapshots", 201)
    if not running:
        server.call("PUT", PLAN.format(project_id), data=b"three")
        server.stop()
    backup = server.directory / "backup"
    subprocess.run(["cp", "-a", server.root, backup], check=True)
    if running:
        server.call("PUT", PLAN.format(project_id), data=b"after the backup")
        server.kill()
    lose_everything(server)
    subprocess.run(["cp", "-a", backup, server.root], check=True)
    server.start()
    assert server.call("GET", path)["description"] == "Not to be lost"
    assert (server.root / project_id / "repo/work.txt").read_text() == "work"
    plan = server.request("GET", PLAN.format(project_id)).content
    assert plan == (b"two" if running else b"three")
    files = list((server.root / project_id / ".memories/hot").glob("*/files/same.md"))
    assert len(files) >= 2 and {file.stat().st_nlink for file in files} == {len(files)}
    server.stop()
