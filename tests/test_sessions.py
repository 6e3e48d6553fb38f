"""The way of a cell, over REST and the kernel's WebSocket, in a real container."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import docker
import pytest

from .support.server import Server

NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
FACTS = """
import json, os, socket
def attempt(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
    return "written"
status = open("/proc/self/status").read()
print(json.dumps({
    "cwd": os.getcwd(), "uid": os.getuid(), "gid": os.getgid(),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "root": attempt("/written"), "usr": attempt("/usr/written"),
    "capabilities": status.split("CapBnd:")[1].split()[0],
    "no_new_privileges": status.split("NoNewPrivs:")[1].split()[0],
    "environment": dict(os.environ),
}))
"""


@pytest.fixture(scope="module")
def secret_server(make_server) -> Server:  # type: ignore[no-untyped-def]
    return make_server(environment={"AWS_SECRET_ACCESS_KEY": "do-not-leak"})


def test_a_cell_runs_in_a_hardened_container(
    secret_server: Server, engine: docker.DockerClient
) -> None:
    server = secret_server
    project_id = server.create("hardened")
    session = server.start_session(project_id)
    assert session["session_id"] == session["kernel_id"]
    assert session["runtime"] == "docker" and session["isolated"] is True
    with server.kernel(session["kernel_id"]) as kernel:
        facts = json.loads(kernel.check(FACTS))
        kernel.check("open('made.txt', 'w').write('from inside')")
        assert kernel.run("2 + 3").value == "5"
    assert facts["cwd"] == "/workspace"
    assert facts["uid"] != 0
    assert facts["interfaces"] == ["lo"]
    assert facts["root"] == facts["usr"] == "Read-only file system"
    assert int(facts["capabilities"], 16) == 0
    assert facts["no_new_privileges"] == "1"
    assert "do-not-leak" not in json.dumps(facts["environment"])
    assert facts["environment"]["PYTHONUSERBASE"] == "/deps"

    made = Path(session["workspace_path"], "made.txt")
    assert made.read_text() == "from inside"
    expected = 1000 if os.geteuid() == 0 else os.geteuid()
    assert made.stat().st_uid == expected

    details = engine.api.inspect_container(session["container_id"])
    host = details["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["ReadonlyRootfs"] is True and host["Init"] is True
    assert host["Memory"] == host["MemorySwap"] == 2 << 30
    assert host["NanoCpus"] == 2_000_000_000 and host["PidsLimit"] == 512
    assert host["LogConfig"]["Type"] == "none" and host["IpcMode"] == "private"
    assert not host["Privileged"] and not host["PortBindings"] and not host["Devices"]
    assert details["Config"]["User"] == f"{expected}:{expected}"
    mounts = {m["Destination"]: m["Source"] for m in details["Mounts"]}
    project = Path(session["workspace_path"]).parent
    assert mounts.pop("/workspace") == str(project / "repo")
    assert mounts.pop("/memories/persistent") == str(project / ".memories/persistent")
    assert mounts.pop("/deps") == str(project / ".deps")
    assert set(mounts) == {"/memories/hot", "/tmp", "/run/cognition"}
    assert all(source.startswith(str(server.hot_root)) for source in mounts.values())
    labels = details["Config"]["Labels"]
    assert labels["cognition.project"] == project_id
    assert labels["cognition.session"] == session["session_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", labels["cognition.root"])
    server.end_session(session)


def test_a_session_is_an_ordinary_kernel_and_the_other_way_round(server: Server) -> None:
    project_id = server.create("both-ways")
    session = server.start_session(project_id)
    kernels = {k["id"]: k for k in server.call("GET", "/api/kernels")}
    assert kernels[session["kernel_id"]]["name"] == "cognition"

    folder = f"workspaces/{project_id}/repo"
    server.call("PUT", f"/api/contents/{folder}/sub", 201, json={"type": "directory"})
    body = {
        "path": f"{folder}/sub/note.ipynb",
        "name": "note.ipynb",
        "type": "notebook",
        "kernel": {"name": "cognition"},
    }
    notebook = server.call("POST", "/api/sessions", 201, json=body)
    kernel_id = notebook["kernel"]["id"]
    with server.kernel(kernel_id) as kernel:
        assert kernel.check("import os; print(os.getcwd())") == "/workspace/sub\n"
        name = kernel.check("print(os.environ['JPY_SESSION_NAME'])")
        assert name == "/workspace/sub/note.ipynb\n"
    listed = server.call("GET", f"/api/projects/{project_id}/sessions")["sessions"]
    assert {s["session_id"] for s in listed} == {session["session_id"], kernel_id}
    assert server.call("GET", f"/api/projects/{project_id}")["status"] == "active"

    server.call("DELETE", f"/api/sessions/{notebook['id']}", 204)
    ended = server.call("GET", f"/api/projects/{project_id}/sessions/{kernel_id}")
    assert ended["ended_at"] and ended["reason"] == "client"
    assert server.end_session(session)["reason"] == "client"
    assert server.call("GET", f"/api/projects/{project_id}")["status"] == "idle"


def test_nothing_of_an_ended_session_is_left(server: Server, engine: docker.DockerClient) -> None:
    before = set(server.hot_root.glob("*/.s/*/*"))
    project_id = server.create("gone")
    session = server.start_session(project_id)
    assert len(set(server.hot_root.glob("*/.s/*/*")) - before) == 1
    server.end_session(session)
    with pytest.raises(docker.errors.NotFound):
        engine.containers.get(session["container_id"])
    assert session["kernel_id"] not in {k["id"] for k in server.call("GET", "/api/kernels")}
    assert not set(server.hot_root.glob("*/.s/*/*")) - before


def test_two_sessions_share_their_project_and_see_no_other(server: Server) -> None:
    mine, other = server.create("mine"), server.create("other")
    first = server.start_session(mine)
    second = server.start_session(mine)
    stranger = server.start_session(other, network_mode="ON")
    with server.kernel(first["kernel_id"]) as kernel:
        kernel.check(
            "open('/workspace/a', 'w').write('1'); open('/memories/hot/b', 'w').write('2')"
        )
        kernel.check("open('/tmp/private', 'w').write('3')")
    paths = ["/workspace/a", "/memories/hot/b", "/tmp/private"]
    look = f"import os; print([os.path.exists(path) for path in {paths}])"
    with server.kernel(second["kernel_id"]) as kernel:
        assert kernel.check(look) == "[True, True, False]\n"
    with server.kernel(stranger["kernel_id"]) as kernel:
        assert kernel.check(look) == "[False, False, False]\n"
        seen = kernel.check("import subprocess; print(subprocess.getoutput('cat /proc/*/cmdline'))")
        assert first["kernel_id"] not in seen
    for session in (first, second, stranger):
        server.end_session(session)


def test_network_modes(server: Server) -> None:
    project_id = server.create("net", network_mode="ON")
    interfaces = "import socket; print([name for _, name in socket.if_nameindex()])"
    session = server.start_session(project_id)
    assert session["network_mode"] == "ON"
    with server.kernel(session["kernel_id"]) as kernel:
        assert "eth0" in kernel.check(interfaces)
    server.end_session(session)

    session = server.start_session(project_id, network_mode="OFF")
    with server.kernel(session["kernel_id"]) as kernel:
        assert kernel.check(interfaces) == "['lo']\n"
    server.call("POST", f"/api/kernels/{session['kernel_id']}/restart")
    with server.kernel(session["kernel_id"]) as kernel:
        assert kernel.check(interfaces) == "['lo']\n"
    server.end_session(session)


def test_containers_with_network_cannot_reach_each_other(
    server: Server, engine: docker.DockerClient
) -> None:
    first = server.start_session(server.create("net-a"), network_mode="ON")
    second = server.start_session(server.create("net-b"), network_mode="ON")
    details = engine.api.inspect_container(first["container_id"])
    address = details["NetworkSettings"]["Networks"]["cognition"]["IPAddress"]
    with server.kernel(first["kernel_id"]) as kernel:
        kernel.check(
            "import socket; s = socket.socket(); s.bind(('0.0.0.0', 7777)); s.listen()\n"
            "socket.create_connection(('127.0.0.1', 7777), 3).close()"
        )
        with server.kernel(second["kernel_id"]) as stranger:
            result = stranger.run(
                f"import socket; socket.create_connection(('{address}', 7777), 3)"
            )
            assert result.status == "error", "one container reached another"
            assert "timed out" in result.error or "refused" in result.error
    server.end_session(first)
    server.end_session(second)


def test_planted_metadata_and_markers_change_nothing(server: Server) -> None:
    project_id, other = server.create("plant"), server.create("victim")
    repo = Path(server.call("GET", f"/api/projects/{project_id}")["workspace_path"])
    session = server.start_session(project_id)
    inner = f"/workspace/{other}/repo"
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.check(
            f"import os, json; os.makedirs('{inner}'); os.makedirs('/workspace/.cognition')\n"
            "marker = {'uuid': '0' * 32, 'version': 1, 'runtime': 'process'}\n"
            "json.dump(marker, open('/workspace/.cognition/root.json', 'w'))\n"
            f"json.dump({{'project_id': '{other}', 'config': {{'network_mode': 'ON'}}}},"
            f" open('/workspace/{other}/.project_metadata.json', 'w'))\n"
            "open('/workspace/.project_metadata.json', 'w').write('{}')"
        )
    server.end_session(session)
    body = {
        "path": f"workspaces/{project_id}/repo/{other}/repo/x.ipynb",
        "name": "x.ipynb",
        "type": "notebook",
        "kernel": {"name": "cognition"},
    }
    notebook = server.call("POST", "/api/sessions", 201, json=body)
    kernel_id = notebook["kernel"]["id"]
    record = server.call("GET", f"/api/projects/{project_id}/sessions/{kernel_id}")
    assert record["network_mode"] == "OFF" and record["runtime"] == "docker"
    with server.kernel(kernel_id) as kernel:
        assert kernel.check("import os; print(os.getcwd())") == f"/workspace/{other}/repo\n"
    server.call("DELETE", f"/api/sessions/{notebook['id']}", 204)
    assert server.call("GET", f"/api/projects/{project_id}")["network_mode"] == "OFF"
    assert repo.joinpath(".project_metadata.json").exists()


def test_saving_a_notebook_follows_no_link_that_code_has_planted(server: Server) -> None:
    project_id = server.create("links")
    folder = f"workspaces/{project_id}/repo"
    victim = server.root_dir / "victim"
    victim.mkdir()
    (victim / "kept.txt").write_text("kept")
    notebook = {"type": "notebook", "format": "json", "content": NOTEBOOK}
    server.call("PUT", f"/api/contents/{folder}/note.ipynb", 201, json=notebook)
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.check(
            f"import os; os.symlink('{victim}/kept.txt', '.~note.ipynb')\n"
            "os.rename('.ipynb_checkpoints', 'old')\n"
            f"os.symlink('{victim}', '.ipynb_checkpoints')\n"
            f"os.symlink('{victim}/kept.txt', 'other.txt')"
        )
    server.request("PUT", f"/api/contents/{folder}/note.ipynb", json=notebook)
    server.request("POST", f"/api/contents/{folder}/note.ipynb/checkpoints")
    file = {"type": "file", "format": "text", "content": "overwritten"}
    assert server.request("PUT", f"/api/contents/{folder}/other.txt", json=file).status_code == 403
    assert server.request("GET", f"/files/{folder}/other.txt").status_code in (403, 404)
    server.end_session(session)
    assert [path.name for path in victim.iterdir()] == ["kept.txt"]
    assert (victim / "kept.txt").read_text() == "kept"
