"""Hot memory outlives sessions, servers and machines; in real containers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import ensure_restored
from cognition_jupyter.memory.snapshots.take import take

from ..kernels import helpers
from ..kernels.helpers import LEAN, Events, wait_until
from ..support.server import Server, clean_environment
from .lasting import READ, WRITE, disk, get, hot, put, reboot, remembered, snapshots
from .snapshot_support import flip_byte, killed_at, moments_of, wipe

PROCESS = {"runtime": "process"}
RUNTIMES: dict[str, dict[str, dict[str, Any]]] = {
    "docker": LEAN,
    "bubblewrap": LEAN | {"RuntimeChoice": {"runtime": "bubblewrap"}},
    "process": LEAN | {"RuntimeChoice": PROCESS, "ProcessRuntime": {"allow_network_off": True}},
}
NAMES = [b"plan.md", b"notes", b"notes/deep", b"notes/deep/er", b"notes/deep/er/page.txt", b"empty"]
NAMES += [b"binary", b"caf\xe9 \xff", b"link", b"nothing in it"]


def hot_memory(server: Server, project_id: str) -> HotMemory:
    """The project's hot memory as the server sees it."""
    ram = hot(server, project_id)
    user = (1000, 1000) if os.geteuid() == 0 else None
    root = helpers.root_uuid(server)
    return HotMemory(ram, disk(server, project_id), ram.with_name(f".{ram.name}.json"), root, user)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_it_outlives_session_server_and_machine(
    make_server: Callable[..., Server], engine: docker.DockerClient, runtime: str
) -> None:
    server = make_server(config=RUNTIMES[runtime])
    project_id = server.create("lasting")
    written = remembered(server, project_id, WRITE)
    assert set(written) == {*map(ascii, NAMES)}
    assert written["b'plan.md'"][:2] == ["-rw-r-----", 1_000_000_000_123456789]
    assert written["b'link'"] == ["lrwxrwxrwx", "plan.md"]
    assert remembered(server, project_id) == written

    # A server that is killed while a session runs: nothing was snapshotted since, RAM has it all.
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.check("import os; os.chdir(os.environ['COGNITION_HOT_MEMORY'])")
        kernel.check("open('plan.md', 'a').write('more')")
        before = json.loads(kernel.check(READ))
    server.kill()
    server.start()
    assert remembered(server, project_id) == before != written
    if runtime == "docker":
        wait_until(lambda: not helpers.containers(engine, server))

    server.stop()
    reboot(server)
    server.start()
    assert remembered(server, project_id) == before


@pytest.fixture(scope="module")
def killable(make_server: Callable[..., Server], engine: docker.DockerClient) -> Server:
    """A server that tests stop, kill and start again."""
    return make_server(config=RUNTIMES["bubblewrap"])


def test_a_server_killed_in_the_middle_of_a_restore(killable: Server) -> None:
    server = killable
    project_id = server.create("half-restored")
    written = remembered(server, project_id, WRITE)
    server.stop()
    memory = hot_memory(server, project_id)
    wipe(memory)
    whole = moments_of(lambda: ensure_restored(memory))
    assert whole > 60
    for moment in range(1, whole, whole // 4):
        wipe(memory)
        assert killed_at(moment, lambda: ensure_restored(memory))
        server.start()
        assert remembered(server, project_id) == written, moment
        server.stop()


def test_a_server_killed_in_the_middle_of_a_snapshot(killable: Server) -> None:
    server = killable.start()
    project_id = server.create("half-taken")
    written = remembered(server, project_id, WRITE)
    server.stop()
    memory = hot_memory(server, project_id)
    moment, killed = 1, True
    while killed:
        (memory.ram / "plan.md").write_bytes(b"%d" % moment)
        killed = killed_at(moment, lambda: take(memory, "interval"))
        moment += 12
    assert moment > 60
    # The last was not killed. Of those before it nothing is left, and nothing older is harmed.
    (memory.ram / "plan.md").write_bytes(b"not snapshotted")
    assert killed_at(40, lambda: take(memory, "interval"))
    reboot(server)
    server.start()
    assert [row["generation"] for row in snapshots(server, project_id)] == [2, 1]
    found = remembered(server, project_id)
    assert found.pop("b'plan.md'") != written.pop("b'plan.md'")
    assert found == written
    assert get(server, project_id, "memories/hot/plan.md") == b"%d" % (moment - 12)
    server.call("POST", f"/api/projects/{project_id}/snapshots/1/restore")
    assert remembered(server, project_id)["b'plan.md'"][1] == 1_000_000_000_123456789


def test_one_flipped_byte_is_noticed_and_told(killable: Server) -> None:
    server = killable
    if server.process is None:
        server.start()
    project_id = server.create("flipped")
    put(server, project_id, "memories/hot/shared", b"in every generation")
    put(server, project_id, "memories/hot/sub/twice", b"has another copy")
    put(server, project_id, "memories/hot/fine", b"fine")
    path = f"/api/projects/{project_id}/snapshots"
    server.call("POST", path, 201)
    put(server, project_id, "memories/hot/also twice", b"has another copy")
    server.call("POST", path, 201)
    server.stop()
    one, two = (disk(server, project_id) / f"0000000{n}/files" for n in (1, 2))
    assert os.path.samefile(one / "shared", two / "shared")
    flip_byte(two / "shared")
    flip_byte(two / "sub/twice")
    reboot(server)
    server.start()
    with Events(server, "memory") as events:
        found = remembered(server, project_id)
        told = events.wait_for(project_id, "restored")
    assert set(found) == {"b'sub'", "b'sub/twice'", "b'also twice'", "b'fine'"}
    assert told["generation"] == 2 and told["lost_files"] == 1
    (lost,) = told["lost"]
    assert lost == {"path": "shared", "why": "its checksum is wrong"}
    (recovered,) = told["recovered"]
    assert recovered["path"] == "sub/twice" and recovered["generation"] == 2
    assert get(server, project_id, "memories/hot/sub/twice") == b"has another copy"
    log = server.log.read_text()
    assert f"Memory of {project_id}: shared is lost: its checksum is wrong" in log
    assert f"Memory of {project_id}: sub/twice came from snapshot 2" in log


def test_sessions_of_a_project_share_it_and_no_other_project(server: Server) -> None:
    one, other = server.create("sharing"), server.create("alone")
    sessions = [server.start_session(project_id) for project_id in (one, one, other)]
    first, second, foreign = (server.kernel(session["kernel_id"]) for session in sessions)
    first.check("open('/memories/hot/said', 'w').write('hello')")
    assert second.check("print(open('/memories/hot/said').read())") == "hello\n"
    put(server, one, "memories/hot/said", b"over REST", 200)
    assert first.check("print(open('/memories/hot/said').read())") == "over REST\n"
    second.check("import os; os.unlink('/memories/hot/said')")
    assert first.check("import os; print(os.listdir('/memories/hot'))") == "[]\n"
    first.check("open('/memories/hot/said', 'w').write('again')")
    assert foreign.check("import os; print(os.listdir('/memories/hot'))") == "[]\n"
    for kernel, session in zip((first, second, foreign), sessions, strict=True):
        kernel.__exit__()
        server.end_session(session)


def test_what_rest_wrote_without_a_session_is_kept_too(killable: Server) -> None:
    server = killable
    if server.process is None:
        server.start()
    project_id = server.create("no-session")
    put(server, project_id, "memories/hot/a/b", b"written by nobody")
    put(server, project_id, "memories/persistent/c", b"on disk")
    server.stop()
    reboot(server)
    server.start()
    assert get(server, project_id, "memories/hot/a/b") == b"written by nobody"
    assert get(server, project_id, "memories/persistent/c") == b"on disk"
    assert snapshots(server, project_id)[0]["files"] == 1


def test_without_a_server_it_lasts_as_well(server: Server) -> None:
    project_id = server.create("tools")
    put(server, project_id, "memories/hot/said", b"before")
    note = Path(server.call("GET", f"/api/projects/{project_id}")["workspace_path"], "n.ipynb")
    code = "open('/memories/hot/said', 'a').write(' and after')"
    cell = {"cell_type": "code", "id": "a", "source": code, "metadata": {}, "outputs": []}
    kernelspec = {"name": "cognition", "display_name": "x", "language": "python"}
    note.write_text(
        json.dumps(
            {
                "cells": [cell | {"execution_count": None}],
                "metadata": {"kernelspec": kernelspec},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
    )
    command = ["jupyter", "nbconvert", "--to", "markdown", "--stdout", "--execute", str(note)]
    environment = clean_environment(server.home)
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    assert get(server, project_id, "memories/hot/said") == b"before and after"
    newest = snapshots(server, project_id)[0]
    assert newest["reason"] == "session" and newest["files"] == 1
