"""The example for DockerSpawner as it is printed: servers in containers, sessions beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker

from ..kernels.helpers import wait_until
from .conftest import RAM, Hub, as_root

pytestmark = as_root

IN_SESSION = """
import os, pathlib, socket
print(pathlib.Path("from-outside.txt").read_text())
pathlib.Path("/workspace/from-session.txt").write_text("a cell was here")
pathlib.Path("/memories/hot/plan.md").write_text("remember")
print(os.getcwd(), os.getuid(), [name for _, name in socket.if_nameindex()])
print(os.path.exists("/var/run/docker.sock"), socket.gethostname())
"""


def sessions_of(engine: docker.DockerClient, project_id: str) -> list[Any]:
    label = f"cognition.project={project_id}"
    found: list[Any] = engine.containers.list(
        all=True, ignore_removed=True, filters={"label": label}
    )
    return found


def test_a_session_beside_the_server(hub: Hub, engine: docker.DockerClient) -> None:
    name = hub.add_user()
    server = hub.start(name)
    health = server.call("GET", "/health")
    assert health["runtime"]["name"] == "docker" and health["memory"]["hot"] == "ram"
    project_id = server.create("beside")
    details = server.call("GET", f"/api/projects/{project_id}")
    contents = f"/api/contents/{details['contents_path']}"
    file = {"type": "file", "format": "text", "content": "hello"}
    server.call("PUT", f"{contents}/from-outside.txt", 201, json=file)

    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        said = kernel.run(IN_SESSION)
    assert said.stdout.splitlines() == [
        "hello",
        "/workspace 1000 ['lo']",
        "False cognition",
    ], said

    # The workspace is the user's volume, by the server's path and by the engine's.
    found = server.call("GET", f"{contents}/from-session.txt")
    assert found["content"] == "a cell was here"
    (container,) = sessions_of(engine, project_id)
    mounts = {mount["Destination"]: Path(mount["Source"]) for mount in container.attrs["Mounts"]}
    volume = Path(engine.volumes.get(f"cognition-{name}").attrs["Mountpoint"])
    assert mounts["/workspace"] == volume / "workspaces" / project_id / "repo"
    assert (mounts["/workspace"] / "from-session.txt").read_text() == "a cell was here"
    for target in ("/memories/hot", "/tmp", "/run/cognition"):
        assert mounts[target].is_relative_to(RAM / name), target

    # The server stops in order: the session ends, its memory is on disk, and comes back.
    hub.stop(name)
    assert sessions_of(engine, project_id) == []
    again = hub.start(name)
    (record,) = again.call("GET", f"/api/projects/{project_id}")["sessions"]
    assert record["reason"] == "server_stopped"
    plan = again.request("GET", f"/api/projects/{project_id}/memory/memories/hot/plan.md")
    assert plan.text == "remember"
    session = again.start_session(project_id)
    with again.kernel(session["kernel_id"]) as kernel:
        assert kernel.run("print(open('/memories/hot/plan.md').read())").stdout == "remember\n"
    again.end_session(session)


def test_a_server_that_is_killed_leaves_nothing_for_ever(
    hub: Hub, engine: docker.DockerClient
) -> None:
    name = hub.add_user()
    server = hub.start(name)
    project_id = server.create("killed")
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.run("open('/memories/hot/plan.md', 'w').write('not saved yet')")
    hub.container(name).kill()
    assert len(sessions_of(engine, project_id)) == 1
    hub.stop(name)
    again = hub.start(name)
    wait_until(lambda: sessions_of(engine, project_id) == [])
    (record,) = again.call("GET", f"/api/projects/{project_id}")["sessions"]
    assert record["ended_at"] is not None
    plan = again.request("GET", f"/api/projects/{project_id}/memory/memories/hot/plan.md")
    assert plan.text == "not saved yet"


def test_nobodys_code_runs_beside_the_socket(hub: Hub) -> None:
    server = hub.start(hub.add_user())
    for path in ("/api/terminals", "/api/kernels"):
        answer = server.request("POST", path, json={"name": "python3"})
        assert answer.status_code >= 400, answer.text
    assert [*server.call("GET", "/api/kernelspecs")["kernelspecs"]] == ["cognition"]
