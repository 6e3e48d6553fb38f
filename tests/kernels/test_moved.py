"""Notebooks that move while their kernel runs, and folders that go."""

from __future__ import annotations

import os
import shutil
from typing import Any

import docker
import pytest

from ..support.server import Server
from . import helpers
from .helpers import Events, settle, wait_until

WHERE = "import os; print(os.getcwd(), os.environ['JPY_SESSION_NAME'])"


@pytest.fixture
def project_id(server: Server) -> str:
    project = server.create("move")
    repo = server.root / project / "repo"
    for folder in ("a", "b", "b/deep"):
        server.call(
            "PUT",
            f"/api/contents/workspaces/{project}/repo/{folder}",
            201,
            json={"type": "directory"},
        )
        os.chown(repo / folder, repo.stat().st_uid, repo.stat().st_gid)
    cells = {
        "type": "notebook",
        "content": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5},
    }
    server.call("PUT", f"/api/contents/workspaces/{project}/repo/a/note.ipynb", 201, json=cells)
    return project


def move(server: Server, session: dict[str, Any], path: str) -> None:
    """As JupyterLab does it: rename the file, then tell the session."""
    server.call("PATCH", f"/api/contents/{session['path']}", json={"path": path})
    body = {"path": path, "name": path.rpartition("/")[2]}
    server.call("PATCH", f"/api/sessions/{session['id']}", json=body)


def test_moved_within_the_project(server: Server, project_id: str) -> None:
    session = helpers.notebook(server, project_id, "a/note.ipynb")
    kernel_id = session["kernel"]["id"]
    with server.kernel(kernel_id) as kernel:
        assert kernel.check(WHERE) == "/workspace/a /workspace/a/note.ipynb\n"
        move(server, session, f"workspaces/{project_id}/repo/b/deep/other.ipynb")
        helpers.restart(server, kernel_id)
        settle(kernel)
        assert kernel.check(WHERE) == "/workspace/b/deep /workspace/b/deep/other.ipynb\n"
        # And when its new folder goes, the nearest one that is there; nobody makes it anew.
        shutil.rmtree(server.root / project_id / "repo/b/deep")
        helpers.restart(server, kernel_id)
        settle(kernel)
        assert kernel.check(WHERE).startswith("/workspace/b ")
        shutil.rmtree(server.root / project_id / "repo/b")
        helpers.restart(server, kernel_id)
        settle(kernel)
        assert kernel.check(WHERE).startswith("/workspace ")
    repo = server.root / project_id / "repo"
    assert sorted(path.name for path in repo.iterdir()) == ["a"]
    server.call("DELETE", f"/api/kernels/{kernel_id}", 204)


@pytest.mark.parametrize("where", ["another project", "no project"])
def test_moved_out_of_the_project(
    where: str, server: Server, project_id: str, engine: docker.DockerClient
) -> None:
    other = server.create("elsewhere")
    target = f"workspaces/{other}/repo/note.ipynb" if where == "another project" else "note.ipynb"
    session = helpers.notebook(server, project_id, "a/note.ipynb")
    kernel_id = session["kernel"]["id"]
    with Events(server) as events, server.kernel(kernel_id) as kernel:
        move(server, session, target)
        assert kernel.run("1 + 1").value == "2"  # as long as nobody restarts it
        helpers.restart(server, kernel_id, 500)
        helpers.wait_for_status(kernel, "dead")
        failed, ended = events.wait_for(kernel_id, "failed"), events.wait_for(kernel_id, "ended")
    if where == "another project":
        assert failed["code"] == "moved_to_other_project" and other in failed["message"]
    else:
        assert failed["code"] == "not_in_a_project"
    assert ended["reason"] == "client" and ended["detail"] == failed["message"]
    record = helpers.record(server, project_id, kernel_id)
    assert record["reason"] == "client" and record["detail"] == failed["message"]
    wait_until(lambda: kernel_id not in helpers.kernels(server))
    assert helpers.records(server, other) == []
    # A new kernel for the notebook is one of where it is now.
    if where == "another project":
        again = helpers.notebook(server, other)
        with server.kernel(again["kernel"]["id"]) as kernel:
            assert kernel.check(WHERE) == "/workspace /workspace/note.ipynb\n"
        assert helpers.record(server, other, again["kernel"]["id"])["ended_at"] is None
        server.call("DELETE", f"/api/sessions/{again['id']}", 204)
    else:
        (server.root_dir / "note.ipynb").unlink()
    assert helpers.nothing_left(engine, server)


def test_moved_away_and_back(server: Server, project_id: str) -> None:
    other = server.create("visit")
    session = helpers.notebook(server, project_id, "a/note.ipynb")
    kernel_id = session["kernel"]["id"]
    home = session["path"]
    move(server, session, f"workspaces/{other}/repo/note.ipynb")
    move(server, session | {"path": f"workspaces/{other}/repo/note.ipynb"}, home)
    with server.kernel(kernel_id) as kernel:
        helpers.restart(server, kernel_id)
        settle(kernel)
        assert kernel.check(WHERE) == "/workspace/a /workspace/a/note.ipynb\n"
    server.call("DELETE", f"/api/sessions/{session['id']}", 204)


def test_a_folder_that_became_a_link_out(server: Server, project_id: str) -> None:
    """Code in the kernel may swap the folder for a link: a restart does not follow it."""
    session = helpers.notebook(server, project_id, "a/note.ipynb")
    kernel_id = session["kernel"]["id"]
    with Events(server) as events, server.kernel(kernel_id) as kernel:
        kernel.check(
            "import os; os.rename('/workspace/a', '/workspace/c'); os.symlink('/', '/workspace/a')"
        )
        helpers.restart(server, kernel_id, 500)
        assert events.wait_for(kernel_id, "failed")["code"] == "not_in_a_project"
        events.wait_for(kernel_id, "ended")


def test_the_whole_folder_was_gone_before_the_start(server: Server, project_id: str) -> None:
    shutil.rmtree(server.root / project_id / "repo/a")
    session = helpers.notebook(server, project_id, "a/note.ipynb")
    with server.kernel(session["kernel"]["id"]) as kernel:
        assert kernel.check("import os; print(os.getcwd())") == "/workspace\n"
    server.call("DELETE", f"/api/sessions/{session['id']}", 204)
    assert not (server.root / project_id / "repo/a").exists()
