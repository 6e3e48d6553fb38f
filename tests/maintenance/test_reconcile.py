"""After a `kill -9`, here or elsewhere: engine, records and directories agree again."""

from __future__ import annotations

import json
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from cognition_jupyter.kernels.policy import DEFAULT_IMAGE

from ..kernels import helpers
from ..kernels.helpers import LEAN, settle, wait_until
from ..support.server import TOKEN, Server

QUICK = LEAN | {"Reconcile": {"interval": 1.0}}


def plant(engine: docker.DockerClient, root: str, owner: str) -> str:
    """A container that claims to be of a root and an owner."""
    labels = {
        "cognition.root": root,
        "cognition.owner": owner,
        "cognition.project": "planted-00000000",
        "cognition.session": secrets.token_hex(4),
    }
    made = engine.containers.run(
        DEFAULT_IMAGE, ["sleep", "600"], labels=labels, detach=True, network_mode="none"
    )
    return str(made.id)


@pytest.fixture
def other_root(engine: docker.DockerClient) -> Iterator[str]:
    """A container of another root whose owner is not known here."""
    container_id = plant(engine, secrets.token_hex(16), secrets.token_hex(8))
    yield container_id
    engine.containers.get(container_id).remove(force=True)


def second_server(make_server: Callable[..., Server], first: Server, **config: Any) -> Server:
    """Another server on the same root and the same RAM directories."""
    server = make_server(start=False, config=QUICK | {"ProjectStore": {"root": str(first.root)}})
    server.config |= {"RamDirectories": {"hot_root": str(first.hot_root)}, **config}
    return server


def test_a_killed_server_beside_a_live_one(
    make_server: Callable[..., Server], engine: docker.DockerClient, other_root: str
) -> None:
    killed = make_server(config=QUICK)
    project_id = killed.create("orphan", network_mode="OFF")
    theirs = [killed.start_session(project_id) for _ in range(2)]
    live = second_server(make_server, killed).start()
    ours = live.start_session(project_id)
    planted = plant(engine, helpers.root_uuid(killed), secrets.token_hex(8))
    nobodys = plant(engine, helpers.root_uuid(killed), "")
    with live.kernel(ours["kernel_id"]) as kernel:
        kernel.check("x = 1")
        killed.kill()
        # The live server sees to it, with no restart of the other.
        wait_until(lambda: [*helpers.containers(engine, killed)] == [ours["container_id"]])
        assert planted and nobodys
        wait_until(lambda: len(helpers.session_directories(killed)) == 1)
        for session in theirs:
            record = helpers.record(killed, project_id, session["session_id"])
            assert record["reason"] == "server_stopped" and record["ended_at"]
        assert len(helpers.owner_locks(killed)) == 1
        assert kernel.run("x").value == "1"

        killed.start()
        time.sleep(1.5)
        assert kernel.run("x").value == "1"
        helpers.restart(live, ours["kernel_id"])
        settle(kernel)
    record = helpers.record(killed, project_id, ours["session_id"])
    assert record["ended_at"] is None
    assert engine.containers.get(other_root).status == "running"
    live.end_session(ours)
    live.stop()
    assert helpers.nothing_left(engine, killed)


def test_an_engine_that_does_not_answer_at_the_start(
    make_server: Callable[..., Server], engine: docker.DockerClient
) -> None:
    server = make_server(config=QUICK)
    project_id = server.create("later")
    session = server.start_session(project_id)
    server.kill()
    server.config["DockerRuntime"] = {"base_url": f"unix://{server.directory}/none.sock"}
    server.start()
    assert server.call("GET", "/health")["status"] == "degraded"
    # Its container may run and use all that is there: nothing is touched, and that is told once.
    wait_until(lambda: "directories stay as they are" in server.tail())
    time.sleep(2.5)
    assert server.tail().count("directories stay as they are") == 1
    assert [r["session_id"] for r in helpers.open_records(server)] == [session["session_id"]]
    assert len(helpers.session_directories(server)) == 1
    assert helpers.containers(engine, server) == {session["container_id"]: "running"}
    # Nor does it end because somebody says so.
    path = f"/api/projects/{project_id}"
    for place in (f"{path}/sessions/{session['session_id']}", f"{path}?force=true"):
        answer = server.request("DELETE", place)
        assert (answer.status_code, answer.json()["error"]) == (503, "runtime_unavailable")
    assert helpers.containers(engine, server) == {session["container_id"]: "running"}
    server.stop()
    del server.config["DockerRuntime"]
    server.start()
    wait_until(lambda: helpers.nothing_left(engine, server))
    record = helpers.record(server, project_id, session["session_id"])
    assert record["reason"] == "server_stopped" and "killed" in record["detail"]


def test_strays_of_a_live_server(
    make_server: Callable[..., Server], engine: docker.DockerClient
) -> None:
    """As after a start that timed out here and yet happened there."""
    server = make_server(config=QUICK)
    project_id = server.create("stray")
    session = server.start_session(project_id)
    (lock,) = helpers.owner_locks(server)
    owner = lock.stem
    stray = plant(engine, helpers.root_uuid(server), owner)
    file = server.root / project_id / ".project_metadata.json"
    metadata = json.loads(file.read_text())
    lost = metadata["sessions"][0] | {"session_id": "lost", "kernel_id": "lost"}
    metadata["sessions"].append(lost)
    file.write_text(json.dumps(metadata))
    wait_until(lambda: stray not in helpers.containers(engine, server))
    wait_until(lambda: helpers.record(server, project_id, "lost")["ended_at"])
    with server.kernel(session["kernel_id"]) as kernel:
        assert kernel.run("1 + 1").value == "2"
    assert [*helpers.containers(engine, server)] == [session["container_id"]]
    server.end_session(session)
    assert helpers.nothing_left(engine, server)


def test_a_sandbox_dies_with_its_server(make_server: Callable[..., Server]) -> None:
    server = make_server(config=QUICK | {"RuntimeChoice": {"runtime": "bubblewrap"}})
    project_id = server.create("sandbox")
    session = server.start_session(project_id)
    mark = secrets.token_hex(16)
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.check(f"import subprocess; subprocess.Popen(['sleep', '600', '{mark}'])")
        kernel.check(f"import subprocess; subprocess.Popen(['tail', '-f', '/dev/null', '{mark}'])")
    assert processes_with(mark)
    server.kill()
    wait_until(lambda: not processes_with(mark))
    server.start()
    wait_until(lambda: helpers.record(server, project_id, session["session_id"])["ended_at"])
    wait_until(lambda: not helpers.session_directories(server))
    assert helpers.record(server, project_id, session["session_id"])["reason"] == "server_stopped"


def processes_with(mark: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if mark in Path("/proc", pid, "cmdline").read_text():
                found.append(pid)
    return found


def start_and_end(url: str, stop: threading.Event) -> None:
    headers = {"Authorization": f"token {TOKEN}"}
    while not stop.is_set():
        with suppress(requests.RequestException, KeyError, ValueError):
            made = requests.post(url, headers=headers, timeout=30).json()
            requests.delete(f"{url}/{made['session_id']}", headers=headers, timeout=30)


def kill_at_moments(
    server: Server, engine: docker.DockerClient, seed: int, rounds: int, project_id: str
) -> None:
    """`kill -9` while sessions start and end; after each next start everything is whole."""
    chance = random.Random(seed)
    for _ in range(rounds):
        server.start()
        url = f"{server.url}/api/projects/{project_id}/sessions"
        stop = threading.Event()
        with ThreadPoolExecutor(3) as pool:
            for _ in range(3):
                pool.submit(start_and_end, url, stop)
            time.sleep(chance.uniform(0.05, 2.5))
            server.kill()
            stop.set()
    server.start()
    wait_until(lambda: helpers.nothing_left(engine, server), 30)
    assert not [*(server.root / ".cognition/incoming").iterdir()]
    wait_until(lambda: len([*(server.root / ".cognition/probes").glob("*")]) <= 1)
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        assert kernel.run("1 + 1").value == "2"
    server.end_session(session)
    for record in helpers.records(server, project_id):
        assert record["ended_at"] and record["reason"] in ("client", "server_stopped"), record


@pytest.mark.parametrize(
    ("seed", "rounds"),
    [(1, 2), *(pytest.param(n, 10, marks=pytest.mark.torture) for n in range(100, 120))],
)
def test_killed_at_any_moment(
    seed: int, rounds: int, make_server: Callable[..., Server], engine: docker.DockerClient
) -> None:
    server = make_server(config=QUICK)
    project_id = server.create("moments")
    server.kill()
    kill_at_moments(server, engine, seed, rounds, project_id)
    server.close()
