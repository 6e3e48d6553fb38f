"""When snapshots are taken, when hot memory leaves the RAM, and what is told of it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from ..kernels import helpers
from ..kernels.helpers import LEAN, Events, notebook, wait_until
from ..support.server import Server
from .lasting import disk, get, hot, put, remembered, snapshots

MIB = 1 << 20
SECRET = "the-host-s-secret-5512"


@pytest.fixture(scope="module")
def often(make_server: Callable[..., Server], engine: docker.DockerClient) -> Server:
    """Snapshots every second, little room; by the variables of the original system."""
    return make_server(
        config=LEAN | {"MemorySettings": {"hot_memory_limit": 2 * MIB, "snapshot_keep": 3}},
        environment={"MEMORY_SNAPSHOT_INTERVAL": "1", "AGENT_BACKEND_ROUTES": '{"/n/": "store"}'},
    )


def test_by_the_clock_while_something_changes(often: Server) -> None:
    project_id = often.create("clock")
    session = often.start_session(project_id)
    with Events(often, "memory") as events, often.kernel(session["kernel_id"]) as kernel:
        kernel.check("open('/memories/hot/a', 'w').write('1')")
        first = events.wait_for(project_id, "snapshot", reason="interval")
        assert (first["generation"], first["files"], first["bytes"]) == (1, 1, 1)
        time.sleep(2.5)  # nothing changes: no generation
        assert len(snapshots(often, project_id)) == 1
        kernel.check("open('/memories/hot/a', 'w').write('22')")
        second = events.wait_for(project_id, "snapshot", 2, reason="interval")
        assert (second["generation"], second["bytes"]) == (2, 2)
    often.end_session(session)


def test_a_thinned_history(often: Server) -> None:
    project_id = often.create("thinned")
    for number in range(6):
        put(often, project_id, "memories/hot/a", b"%d" % number, 200 if number else 201)
        often.call("POST", f"/api/projects/{project_id}/snapshots", 201)
    # The newest three; the older ones are of the same hour.
    kept = [row["generation"] for row in snapshots(often, project_id)]
    assert kept[:3] == [6, 5, 4] and len(kept) in (3, 4)  # a full hour may have passed


def test_when_the_last_connection_to_a_session_closes(server: Server) -> None:
    project_id = server.create("leaving")
    kernel_id = notebook(server, project_id)["kernel"]["id"]
    with Events(server, "memory") as events:
        with server.kernel(kernel_id) as kernel, server.kernel(kernel_id):
            kernel.check("open('/memories/hot/a', 'w').write('1')")
        taken = events.wait_for(project_id, "snapshot", reason="disconnect")
        assert taken["generation"] == 1
        assert len(events.of(project_id, "snapshot")) == 1
        assert helpers.kernels(server).count(kernel_id) == 1
    server.call("DELETE", f"/api/kernels/{kernel_id}", 204)
    assert len(snapshots(server, project_id)) == 1


def test_an_idle_project_leaves_the_ram_and_comes_back(often: Server) -> None:
    project_id = often.create("idle")
    written = remembered(often, project_id, "open('/memories/hot/a', 'w').write('1')")
    ram = hot(often, project_id)
    wait_until(lambda: not ram.exists())
    assert not ram.with_name(f".{ram.name}.json").exists()
    assert remembered(often, project_id) == written
    wait_until(lambda: not ram.exists())
    assert get(often, project_id, "memories/hot/a") == b"1"
    assert ram.exists()


def test_a_live_session_keeps_its_project_in_the_ram(often: Server) -> None:
    project_id = often.create("live")
    session = often.start_session(project_id)
    with often.kernel(session["kernel_id"]) as kernel:
        time.sleep(3)
        kernel.check("open('/memories/hot/a', 'w').write('1')")
        assert get(often, project_id, "memories/hot/a") == b"1"
    often.end_session(session)


def test_what_can_t_be_kept_on_disk_stays_in_the_ram(often: Server) -> None:
    project_id = often.create("fifo")
    remembered(often, project_id, "import os; os.mkfifo('/memories/hot/pipe')")
    time.sleep(3)
    assert (hot(often, project_id) / "pipe").is_fifo()
    assert f"Memory of {project_id}: pipe is left out: it is a FIFO" not in often.log.read_text()
    with Events(often, "memory") as events:
        put(often, project_id, "memories/hot/a", b"1")
        taken = events.wait_for(project_id, "snapshot")  # the log has it by then
    assert taken["reason"] in ("interval", "release") and taken["skipped"] == 1
    assert snapshots(often, project_id)[0]["skipped"] == 1
    assert f"Memory of {project_id}: pipe is left out: it is a FIFO" in often.log.read_text()


def test_a_session_that_overfills_it_is_warned_of_and_kept(often: Server) -> None:
    project_id = often.create("full")
    refused = often.call(
        "PUT", f"/api/projects/{project_id}/memory/memories/hot/x", 413, data=b"x" * (2 * MIB + 1)
    )
    assert refused["error"] == "hot_memory_limit" and "2 MiB" in refused["message"]
    session = often.start_session(project_id)
    with Events(often, "memory") as events, often.kernel(session["kernel_id"]) as kernel:
        kernel.check(f"open('/memories/hot/x', 'wb').write(bytes({3 * MIB}))")
        told = events.wait_for(project_id, "over_limit")
        assert told["bytes"] == 3 * MIB and "2 MiB (hot_memory_limit)" in told["message"]
        assert events.wait_for(project_id, "snapshot")["bytes"] == 3 * MIB
        time.sleep(2.5)
        assert len(events.of(project_id, "over_limit")) == 1
        put(often, project_id, "memories/hot/x", b"", 200)  # what makes it smaller is allowed
        put(often, project_id, "memories/hot/y", b"y")
        events.wait_for(project_id, "snapshot", bytes=1)
        kernel.check(f"open('/memories/hot/x', 'wb').write(bytes({4 * MIB}))")
        events.wait_for(project_id, "over_limit", 2)
    often.end_session(session)


def test_a_project_goes_to_the_trash_with_its_memory(server: Server) -> None:
    project_id = server.create("trashed")
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.check("open('/memories/hot/a', 'w').write('1')")
    server.call("DELETE", f"/api/projects/{project_id}?force=true")
    assert not hot(server, project_id).exists()
    kept = server.root / ".trash" / project_id / ".memories/hot/00000001/files/a"
    assert kept.read_text() == "1"

    gone = server.create("gone")
    put(server, gone, "memories/hot/a", b"1")
    server.call("DELETE", f"/api/projects/{gone}?permanent=true")
    assert not hot(server, gone).exists()


def test_what_a_killed_server_left_is_snapshotted(
    make_server: Callable[..., Server], engine: docker.DockerClient
) -> None:
    server = make_server(config=LEAN)
    project_id = server.create("killed")
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.check("open('/memories/hot/a', 'w').write('1')")
        assert snapshots(server, project_id) == []
        server.kill()
    server.start()
    wait_until(lambda: helpers.nothing_left(engine, server))
    (snapshot,) = snapshots(server, project_id)
    assert (snapshot["reason"], snapshot["files"]) == ("reconcile", 1)


def test_no_host_s_file_through_a_link(server: Server) -> None:
    secret = server.directory / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    project_id = server.create("links")
    session = server.start_session(project_id)
    make = f"""
import os
os.symlink({str(secret)!r}, '/memories/hot/file')
os.symlink({str(server.directory)!r}, '/memories/hot/folder')
os.symlink('/etc/passwd', '/memories/persistent/passwd')
open('/memories/hot/real', 'w').write('real')
"""
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.check(make)
    path = f"/api/projects/{project_id}"
    for name in ("hot/file", "hot/folder/secret", "hot/folder/", "persistent/passwd"):
        answer = server.request("GET", f"{path}/memory/memories/{name}")
        assert answer.status_code == 400 and answer.json()["error"] == "invalid_path", name
        answer = server.request("PUT", f"{path}/memory/memories/{name.rstrip('/')}", data=b"x")
        assert answer.status_code == 400, name
    server.request("POST", f"{path}/snapshots")  # the connection's end may have been quicker
    (taken,) = snapshots(server, project_id)
    assert (taken["files"], taken["skipped"]) == (1, 0)
    texts = [
        json.dumps(server.call("GET", f"{path}/snapshots/1")),
        json.dumps(server.call("GET", f"{path}/memory/memories/hot")),
        *(
            p.read_bytes().decode()
            for p in disk(server, project_id).rglob("*")
            if not p.is_symlink() and p.is_file()
        ),
    ]
    assert len(texts) == 4 and not any(SECRET in text for text in texts)
    assert not list(disk(server, project_id).glob("*/files/f*"))  # a link is a line, no link
    server.end_session(session)
    assert secret.read_text() == SECRET


def test_a_session_that_can_t_have_its_memory_is_refused(server: Server) -> None:
    project_id = server.create("refused")
    put(server, project_id, "memories/hot/a", b"1")
    server.call("POST", f"/api/projects/{project_id}/snapshots", 201)
    lock = server.root / project_id / ".memories/hot.lock"
    lock.mkdir()
    ram = hot(server, project_id)
    ram.with_name(f".{ram.name}.json").unlink()  # as after a reboot
    path = f"/api/projects/{project_id}/sessions"
    refused = server.call("POST", path, 503, json={})
    assert refused["error"] == "storage_unavailable"
    assert refused["message"].startswith(f"The hot memory of {project_id} can't be restored: ")
    assert helpers.records(server, project_id) == []
    lock.rmdir()
    assert remembered(server, project_id)["b'a'"]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"MEMORY_SNAPSHOT_INTERVAL": "0"}, "MEMORY_SNAPSHOT_INTERVAL must be from 1 to 86400"),
        ({"MEMORY_SNAPSHOT_ENABLED": "maybe"}, "MEMORY_SNAPSHOT_ENABLED must be true or false"),
        ({"AGENT_BACKEND_ROUTES": '{"/x/": "tape"}'}, 'AGENT_BACKEND_ROUTES["/x/"] must be one of'),
    ],
)
def test_a_wrong_variable_stops_the_start(
    make_server: Callable[..., Server], environment: dict[str, str], sentence: str
) -> None:
    server = make_server(start=False, config=LEAN, environment=environment)
    with pytest.raises(AssertionError, match="did not start"):
        server.start()
    assert sentence in server.log.read_text()


def test_switched_off(make_server: Callable[..., Server], engine: docker.DockerClient) -> None:
    server = make_server(
        config=LEAN | {"RuntimeChoice": {"runtime": "bubblewrap"}},
        environment={"MEMORY_SNAPSHOT_ENABLED": "false", "MEMORY_SNAPSHOT_INTERVAL": "1"},
    )
    project_id = server.create("off")
    put(server, project_id, "memories/hot/a", b"1")
    time.sleep(2.5)
    assert snapshots(server, project_id) == [] and os.listdir(hot(server, project_id)) == ["a"]
    found: dict[str, Any] = remembered(server, project_id)
    assert found["b'a'"] and snapshots(server, project_id)[0]["reason"] in ("disconnect", "session")


def test_without_a_tmpfs_it_is_kept_on_disk(make_server: Callable[..., Server]) -> None:
    place = Path(tempfile.mkdtemp(prefix="cgn", dir="/var/tmp"))
    config = LEAN | {"RamDirectories": {"hot_root": str(place)}}
    server = make_server(config=config | {"RuntimeChoice": {"runtime": "bubblewrap"}})
    assert server.call("GET", "/health")["memory"] == {"hot": "disk"}
    project_id = server.create("disk")
    written = remembered(server, project_id, "open('/memories/hot/a', 'w').write('1')")
    assert list(place.glob(f"*/{project_id}/a"))
    server.stop()
    shutil.rmtree(place)
    server.start()
    assert remembered(server, project_id) == written
    server.stop()
    shutil.rmtree(place)
