"""Kernels without a server: nbconvert, `jupyter execute`, the console, nbclient, KernelManager."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import nbformat
import pytest
from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.models import CreateProject

from ..support.server import Server, clean_environment
from . import helpers
from .helpers import LEAN, wait_until

PLACE = "import os; print('here', os.getcwd(), os.getuid())"


@pytest.fixture(scope="module")
def place(make_server: Callable[..., Server]) -> Server:
    """Directories and configuration as a server has them; the server itself does not run."""
    server = make_server(start=False)
    config = {
        "RamDirectories": {"hot_root": str(server.hot_root)},
        "SessionPolicy": {"allowed_network_modes": ["OFF"]},
    }
    for path in (server.home / "config", server.root_dir):
        path.mkdir(parents=True)
    file = server.home / "config/jupyter_cognition_config.json"
    file.write_text(json.dumps(config))
    return server


@pytest.fixture(scope="module")
def make_project(place: Server) -> Callable[..., str]:
    """What the store makes, as in any program."""

    def make(prefix: str, **fields: Any) -> str:
        config = Config({"RamDirectories": {"hot_root": str(place.hot_root)}})
        cognition = Cognition(place.root_dir, config=config)
        cognition.open()
        request = CreateProject(user_prefix=prefix, **fields)

        async def create() -> str:
            made = await cognition.store.create(request)
            await cognition.close()
            return made.project_id

        return asyncio.run(create())

    return make


def repo(place: Server, project_id: str) -> Path:
    return place.root / project_id / "repo"


def write_notebook(folder: Path, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata.kernelspec = {"name": "cognition", "display_name": "", "language": "python"}
    path = folder / "note.ipynb"
    nbformat.write(notebook, path)
    return path


def start(
    place: Server, folder: Path, *command: str, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=clean_environment(place.home),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(place: Server, folder: Path, *command: str, code: int = 0) -> str:
    process = start(place, folder, *command)
    try:
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, said
    return said


def printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output["text"] for cell in cells for output in cell.outputs)


def check_ended(place: Server, project_id: str, engine: docker.DockerClient, count: int) -> None:
    """All sessions are over as they should be, and the program has left nothing."""
    assert [r["reason"] for r in helpers.records(place, project_id)] == ["client"] * count
    assert helpers.nothing_left(engine, place, locks=0)
    assert not helpers.owner_directories(place)


CONVERT = ("-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--output", "done.ipynb")


def test_nbconvert_and_execute(
    place: Server, make_project: Callable[..., str], engine: docker.DockerClient
) -> None:
    project_id = make_project("convert")
    folder = repo(place, project_id)
    write_notebook(folder, PLACE, "import socket; print([n for _, n in socket.if_nameindex()])")
    run(place, folder, *CONVERT, "note.ipynb")
    said = printed(folder / "done.ipynb")
    assert said.startswith("here /workspace ") and "here /workspace 0\n" not in said
    assert said.endswith("['lo']\n")
    run(place, folder, "-m", "jupyter", "execute", "--inplace", "note.ipynb")
    assert printed(folder / "note.ipynb") == said
    check_ended(place, project_id, engine, 2)


def test_the_console(
    place: Server, make_project: Callable[..., str], engine: docker.DockerClient
) -> None:
    project_id = make_project("console")
    command = ("-m", "jupyter", "console", "--kernel=cognition", "--simple-prompt")
    console = start(place, repo(place, project_id), *command, stdin=subprocess.PIPE)
    try:
        assert console.stdin is not None and console.stdout is not None
        while not console.stdout.readline().startswith("Type "):
            assert console.poll() is None
        # As a person would: a console that is asked at once may wait for an answer for ever,
        # whatever its kernel is, since it does not wait for its subscription.
        time.sleep(5)
        console.stdin.write(f"{PLACE}\n")
        said, _ = console.communicate(timeout=60)
    finally:
        console.kill()
    assert console.returncode == 0 and "here /workspace " in said
    check_ended(place, project_id, engine, 1)


NBCLIENT = """
import asyncio, nbformat, zmq.asyncio
from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbclient import NotebookClient

note = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PLACE)])
for manager in (AsyncKernelManager, KernelManager):
    NotebookClient(note, kernel_name="cognition", kernel_manager_class=manager).execute()
    print(note.cells[0].outputs[0].text)

async def same_manager_again():
    # With a context of its own it could not be started twice, whatever its kernels are.
    manager = AsyncKernelManager(kernel_name="cognition", context=zmq.asyncio.Context())
    for _ in range(2):
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        await manager.restart_kernel()
        await client.wait_for_ready(timeout=60)
        reply = await client.execute("x = 1", reply=True, timeout=30)
        assert reply["content"]["status"] == "ok"
        client.stop_channels()
        await manager.shutdown_kernel()

asyncio.run(same_manager_again())
"""
# The least that starts a kernel.
BARE = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="cognition")
assert client.execute("x = 1", reply=True, timeout=30)["content"]["status"] == "ok"
"""


def test_nbclient_and_kernel_managers(
    place: Server, make_project: Callable[..., str], engine: docker.DockerClient
) -> None:
    project_id = make_project("nbclient")
    script = NBCLIENT.replace("PLACE", repr(PLACE))
    said = run(place, repo(place, project_id), "-c", script)
    assert said.count("here /workspace ") == 2
    # One kernel manager has one kernel id, and a project one record for an id.
    check_ended(place, project_id, engine, 3)


@pytest.mark.parametrize(
    ("last", "code"), [("", 0), ("raise SystemExit(3)", 3), ("raise ValueError", 1)]
)
def test_a_program_that_leaves_its_kernel(
    last: str,
    code: int,
    place: Server,
    make_project: Callable[..., str],
    engine: docker.DockerClient,
) -> None:
    """A kernel of Jupyter's own would end with its program, too."""
    project_id = make_project("leaves")
    run(place, repo(place, project_id), "-c", BARE + last, code=code)
    check_ended(place, project_id, engine, 1)


def test_outside_of_projects(
    place: Server, make_project: Callable[..., str], engine: docker.DockerClient
) -> None:
    project_id = make_project("outside")
    write_notebook(place.root_dir, PLACE)
    said = run(place, place.root_dir, *CONVERT, "note.ipynb", code=1)
    assert "is in no project: there is no root of projects at or above it." in said
    assert not (place.root_dir / "done.ipynb").exists()
    (place.root_dir / "note.ipynb").unlink()
    for folder in (place.root, place.root / project_id, place.root / ".trash"):
        said = run(place, folder, "-c", BARE, code=1)
        assert "which is in no project; open a notebook inside a project's folder" in said
    assert helpers.records(place, project_id) == []
    assert helpers.nothing_left(engine, place, locks=0)


def test_the_policy_is_the_servers(place: Server, make_project: Callable[..., str]) -> None:
    project_id = make_project("policy", network_mode="ON")
    folder = repo(place, project_id)
    write_notebook(folder, PLACE)
    said = run(place, folder, *CONVERT, "note.ipynb", code=1)
    assert "network_mode ON is not allowed here" in said
    file = place.home / "config/jupyter_cognition_config.json"
    kept = file.read_text()
    elsewhere = json.dumps({"ProjectStore": {"root": str(place.directory / "other-root")}})
    for changed, words in (
        ("{", "jupyter_cognition_config can't be read"),
        ('{"SessionPolicy": {"max_sessions": "x"}}', "max_sessions"),
        (elsewhere, "other-root"),
    ):
        file.write_text(changed)
        assert words in run(place, folder, "-c", BARE, code=1)
    file.write_text(kept)
    assert not (place.directory / "other-root").exists()
    assert helpers.records(place, project_id) == [] and not helpers.owner_locks(place)


def test_a_fork_of_the_program_ends_nothing(
    place: Server, make_project: Callable[..., str], engine: docker.DockerClient
) -> None:
    project_id = make_project("fork")
    script = """
        import os, sys
        from jupyter_client.manager import start_new_kernel
        manager, client = start_new_kernel(kernel_name="cognition")
        child = os.fork()
        if child == 0:
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert client.execute("x = 1", reply=True, timeout=30)["content"]["status"] == "ok"
        client.stop_channels()
        manager.shutdown_kernel()
    """
    run(place, repo(place, project_id), "-c", textwrap.dedent(script))
    check_ended(place, project_id, engine, 1)


def running(place: Server, project_id: str, program: subprocess.Popen[str]) -> dict[str, Any]:
    """The record of the program's session, as soon as it has a container."""

    def started() -> list[dict[str, Any]]:
        assert program.poll() is None
        return [r for r in helpers.records(place, project_id) if r["container_id"]]

    (record,) = wait_until(started, 60)
    return dict(record)


def test_a_program_that_is_terminated(
    place: Server, make_project: Callable[..., str], engine: docker.DockerClient
) -> None:
    project_id, other = make_project("terminated"), make_project("next")
    program = start(place, repo(place, project_id), "-c", f"{BARE}\nimport time; time.sleep(60)")
    running(place, project_id, program)
    program.terminate()
    program.communicate(timeout=60)
    # Python ends without a word then. The next program that comes by sees to what is left.
    run(place, repo(place, other), "-c", BARE)
    check_ended(place, other, engine, 1)
    (record,) = helpers.records(place, project_id)
    assert record["reason"] == "server_stopped" and record["ended_at"]


def test_beside_a_server(make_server: Callable[..., Server], engine: docker.DockerClient) -> None:
    server = make_server(config=LEAN | {"Reconcile": {"interval": 1.0}})
    project_id = server.create("beside")
    folder = repo(server, project_id)
    write_notebook(folder, "import time; time.sleep(60)")
    program = start(server, folder, *CONVERT, "note.ipynb")
    session_id = running(server, project_id, program)["session_id"]
    path = f"/api/projects/{project_id}/sessions/{session_id}"
    session = server.call("GET", path)
    assert session["ended_at"] is None and session["isolated"] is True
    assert server.call("GET", f"/api/projects/{project_id}")["status"] == "active"
    answer = server.request("DELETE", path)
    assert answer.status_code == 409 and answer.json()["error"] == "foreign_session"
    answer = server.request("DELETE", f"/api/projects/{project_id}?force=true")
    assert answer.status_code == 409 and answer.json()["error"] == "foreign_session"
    assert len(helpers.owner_locks(server)) == 2
    program.kill()
    program.communicate(timeout=30)
    wait_until(lambda: helpers.nothing_left(engine, server))
    assert server.call("GET", path)["reason"] == "server_stopped"
