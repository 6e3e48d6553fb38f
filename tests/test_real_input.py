"""The main job on real input: a known package's own tests, offline, in a project's container."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import websocket

from .projects.git_server import GitServer, git
from .support.server import TOKEN, Server

PACKAGE, VERSION = "idna", "3.11"  # pure Python; its source distribution carries 6,000 tests
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cognition-jupyter"


@pytest.fixture(scope="module")
def source() -> Path:
    """The source distribution, from PyPI the first time."""
    archive = CACHE / "sdists" / f"{PACKAGE}-{VERSION}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary=:all:", f"--dest={archive.parent}", f"{PACKAGE}=={VERSION}"]
        subprocess.run(command, check=True)
    return archive


def test_a_packages_test_suite_passes_in_a_project_cloned_from_its_repository(
    source: Path, make_server: Callable[..., Server], tmp_path: Path
) -> None:
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    work = tmp_path / f"{PACKAGE}-{VERSION}"
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message=import")
    git(tmp_path, "clone", "--quiet", "--bare", str(work), str(tmp_path / "idna.git"))

    server = make_server(config={"GitClone": {"allowed_schemes": ["https", "http"]}})
    events = websocket.create_connection(
        f"{server.url.replace('http', 'ws')}/api/events/subscribe",
        header=[f"Authorization: token {TOKEN}"],
        timeout=20,
    )
    with GitServer(tmp_path) as remote:
        url = remote.url("idna.git", login="someone:p4ssw0rd-of-the-clone")
        project = server.call(
            "POST", "/api/projects", 201, json={"user_prefix": "idna", "repo_url": url}
        )
    assert project["config"]["repo_url"] == remote.url("idna.git")
    assert project["network_mode"] == "OFF"
    detail = ""
    while detail != "Receiving objects: 100%":
        event = json.loads(events.recv())
        if event["schema_id"].endswith("/progress/v1"):
            assert event["action"] == "clone" and event["user_prefix"] == "idna"
            detail = event["detail"]
    events.close()

    session = server.start_session(project["project_id"])
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.check("import socket; assert [n for _, n in socket.if_nameindex()] == ['lo']")
        kernel.check("import idna; assert idna.__file__ == '/workspace/idna/__init__.py'")
        run = kernel.check(
            "import subprocess, sys\n"
            "done = subprocess.run([sys.executable, '-m', 'pytest', '-q'], text=True,"
            " stdout=subprocess.PIPE, stderr=subprocess.STDOUT)\n"
            "print(done.stdout[-500:], done.returncode)",
            timeout=300,
        )
        changed = kernel.check(
            "print(subprocess.run(['git', '-c', 'safe.directory=*', 'status', '--porcelain',"
            " '--untracked-files=no'], capture_output=True, text=True).stdout, end='')"
        )
    assert run.rstrip().endswith(" 0"), run
    passed = re.search(r"(\d+) passed", run)
    assert passed and int(passed[1]) > 6000, run
    assert changed == "", "running the tests changed tracked files"
    server.end_session(session)
    assert "p4ssw0rd-of-the-clone" not in server.log.read_text()
