"""Kernels without a server: nbconvert, `jupyter execute`, the console, nbclient, KernelManager."""

from __future__ import annotations

import asyncio
import json
import os
import signal
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
from .helpers import wait_until

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


def start(place: Server, folder: Path, *command: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=clean_environment(place.home),
        stdin=more.pop("stdin", subprocess.DEVNULL),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **more,
    )


def run(place: Server, folder: Path, *command: str, code: int = 0, text: str = "") -> str:
    process = start(place, folder, *command, stdin=subprocess.PIPE)
    said, _ = process.communicate(text, timeout=90)
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
    said = run(place, repo(place, project_id), *command, text=f"{PLACE}\n")
    assert "here /workspace " in said
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

manager = KernelManager(kernel_name="cognition")
manager.start_kernel()
client = manager.blocking_client()
client.start_channels()
client.wait_for_ready(timeout=60)
assert client.execute("x = 1", reply=True, timeout=30)["content"]["status"] == "ok"
# And out, without a word: a kernel of Jupyter's own would end with its program, too.
LAST
"""


@pytest.mark.parametrize(
    ("last", "code"), [("", 0), ("raise SystemExit(3)", 3), ("raise ValueError", 1)]
)
def test_nbclient_and_kernel_managers(
    last: str,
    code: int,
    place: Server,
    make_project: Callable[..., str],
    engine: docker.DockerClient,
) -> None:
    project_id = make_project("nbclient")
    script = NBCLIENT.replace("PLACE", repr(PLACE)).replace("LAST", last)
    if code:  # only what comes at the end matters then
        script = (
            script.partition("\nasyncio.run")[0].partition("\nnote = ")[0]
            + script[script.index("\nmanager = KernelManager") :]
        )
    said = run(place, repo(place, project_id), "-c", script, code=code)
    if not code:
        assert said.count("here /workspace ") == 2
        # One kernel manager has one kernel id, and a project one record for an id.
        check_ended(place, project_id, engine, 4)
    else:
        check_ended(place, project_id, engine, 1)


@pytest.mark.parametrize("folder", [".", "workspaces/{}"])
def test_outside_of_projects(
    folder: str, place: Server, make_project: Callable[..., str], engine: docker.DockerClient
) -> None:
    project_id = make_project("outside")
    here = place.root_dir / folder.format(project_id)
    write_notebook(here, PLACE)
    said = run(place, here, *CONVERT, "note.ipynb", code=1)
    assert "is in no project" in said or "is in no project; open a notebook" in said, said
    assert not (here / "done.ipynb").exists()
    (here / "note.ipynb").unlink()
    assert helpers.records(place, project_id) == []
    assert helpers.nothing_left(engine, place, locks=0)


def test_the_policy_is_the_servers(place: Server, make_project: Callable[..., str]) -> None:
    project_id = make_project("policy", network_mode="ON")
    folder = repo(place, project_id)
    write_notebook(folder, PLACE)
    assert "network_mode ON is not allowed here" in run(
        place, folder, *CONVERT, "note.ipynb", code=1
    )
    file = place.home / "config/jupyter_cognition_config.json"
    kept = file.read_text()
    for wrong, words in (
        ("{", "jupyter_cognition_config can't be read"),
        ('{"SessionPolicy": {"max_sessions": "x"}}', "max_sessions"),
    ):
        file.write_text(wrong)
        assert words in run(place, folder, *CONVERT, "note.ipynb", code=1)
    file.write_text(kept)
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


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_that_is_killed(
    signum: signal.Signals,
    place: Server,
    make_project: Callable[..., str],
    engine: docker.DockerClient,
) -> None:
    project_id = make_project("killed")
    folder = repo(place, project_id)
    write_notebook(folder, "import time; time.sleep(60)")
    program = start(place, folder, *CONVERT, "note.ipynb")
    running = [r["container_id"] for r in helpers.records(place, project_id)]
    while running in ([], [None]):
        assert program.poll() is None
        time.sleep(0.1)
        running = [r["container_id"] for r in helpers.records(place, project_id)]
    program.send_signal(signum)
    program.communicate(timeout=60)
    assert program.returncode != 0
    # The next program that comes by sees to what is left.
    other = make_project("next")
    write_notebook(repo(place, other), PLACE)
    run(place, repo(place, other), *CONVERT, "note.ipynb")
    check_ended(place, other, engine, 1)
    (record,) = helpers.records(place, project_id)
    expected = {"server_stopped"} if signum != signal.SIGTERM else {"server_stopped", "client"}
    assert record["reason"] in expected and record["ended_at"]
    assert helpers.nothing_left(engine, place, locks=0)


def test_beside_a_server(server: Server, engine: docker.DockerClient) -> None:
    project_id = server.create("beside")
    folder = repo(server, project_id)
    os.chmod(folder, 0o700)
    write_notebook(folder, "import time; time.sleep(60)")
    program = start(server, folder, *CONVERT, "note.ipynb")
    path = f"/api/projects/{project_id}/sessions"

    def listed() -> list[dict[str, Any]]:
        sessions: list[dict[str, Any]] = server.call("GET", path)["sessions"]
        return [session for session in sessions if session["container_id"]]

    (session,) = wait_until(listed, 30)
    assert session["ended_at"] is None and session["isolated"] is True
    assert server.call("GET", f"/api/projects/{project_id}")["status"] == "active"
    answer = server.request("DELETE", f"{path}/{session['session_id']}")
    assert answer.status_code == 409 and answer.json()["error"] == "foreign_session"
    answer = server.request("DELETE", f"/api/projects/{project_id}")
    assert answer.status_code == 409 and answer.json()["error"] == "active_sessions"
    program.kill()
    program.communicate(timeout=30)
    server.stop()
    server.start()
    wait_until(lambda: helpers.nothing_left(engine, server))
    (session,) = server.call("GET", path)["sessions"]
    assert session["reason"] == "server_stopped"
