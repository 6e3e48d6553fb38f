"""The end of a server, its start with a wrong configuration, and kernels that are culled."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from traitlets import TraitError
from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.exceptions import RootRefused

from ..support.server import TOKEN, Server
from . import helpers
from .helpers import LEAN, Events, wait_until


def test_a_server_that_stops_ends_its_sessions(
    make_server: Callable[..., Server], engine: docker.DockerClient
) -> None:
    server = make_server(config=LEAN)
    project_id, other = server.create("stop", network_mode="OFF"), server.create("other")
    sessions = [server.start_session(p) for p in (project_id, project_id, other)]
    server.call("POST", "/api/kernels", 201, json={"name": "python3"})
    # Jupyter looks for all kernels it ever began to start when it stops one that lives.
    assert server.request("POST", "/api/kernels", json={"name": "cognition"}).status_code == 500
    with server.kernel(sessions[0]["kernel_id"]) as kernel:
        kernel.check("open('kept.txt', 'w').write('x')")
        kernel.start("while True: pass")
        helpers.wait_for_status(kernel, "busy")
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    records = [*helpers.records(server, project_id), *helpers.records(server, other)]
    assert [record["reason"] for record in records] == ["server_stopped"] * 3
    assert helpers.nothing_left(engine, server, locks=0)
    assert not helpers.owner_directories(server)
    assert not [*(server.home / "runtime").glob("kernel-*.json")]
    log = server.log.read_text().partition("received signal")[2]
    assert "Traceback" not in log
    # Ours first, while everything still stands; then what is left to Jupyter.
    assert log.rindex(": ended") < log.rindex("Shutting down 1 kernel")

    # The next server finds the files and the records, and the network is as it was.
    server.start()
    with server.kernel(server.start_session(project_id)["kernel_id"]) as kernel:
        assert kernel.check("print(open('kept.txt').read())") == "x\n"
        names = kernel.check("import socket; print([n for _, n in socket.if_nameindex()])")
        assert names == "['lo']\n"
    listed = server.call("GET", f"/api/projects/{project_id}/sessions")["sessions"]
    assert [row["reason"] for row in listed] == [None, "server_stopped", "server_stopped"]

    # A server that stops while sessions start: they are refused or ended, and not half there.
    def ask() -> None:
        with suppress(requests.ConnectionError):
            requests.post(
                f"{server.url}/api/projects/{project_id}/sessions",
                headers={"Authorization": f"token {TOKEN}"},
                timeout=60,
            )

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    wait_until(lambda: len(helpers.open_records(server)) > 1)
    server.stop()
    for thread in asking:
        thread.join()
    wait_until(lambda: helpers.nothing_left(engine, server, locks=0))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"DockerRuntime": {"memory_limit": 5}}, "memory_limit"),
        ({"BubblewrapRuntime": {"allow_host_network": "perhaps"}}, "allow_host_network"),
        ({"SessionPolicy": {"allowed_network_modes": ["MAYBE"]}}, "allowed_network_modes"),
        ({"SessionPolicy": {"max_sessions": -1}}, "max_sessions"),
        ({"RuntimeChoice": {"runtime": "dokcer"}}, "runtime"),
        ({"Reconcile": {"interval": "soon"}}, "interval"),
        ({"RamDirectories": {"hot_root": "/dev/shm/" + "x" * 90}}, "hot_root"),
        ({"RamDirectories": {"hot_root": "/dev/null"}}, "hot_root"),
        ({"RamDirectories": {"hot_root": "ram"}}, "hot_root must be an absolute path"),
        ({"SessionPolicy": {"image": " "}}, "image must name"),
        ({"Reconcile": {"interval": -1}}, "interval"),
        ({"ProjectTemplates": {"template_paths": ["templates"]}}, "template_paths"),
        ({"ProjectTemplates": {"template_paths": ["~nobody-of-this-name"]}}, "template_paths"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_found_at_the_start(
    config: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises((TraitError, RootRefused), match=words):
        Cognition(tmp_path, config=Config(config)).open()
    assert not [*tmp_path.glob("workspaces/.cognition/owners/*")]


def test_a_root_of_a_later_release(tmp_path: Path) -> None:
    marker = tmp_path / "workspaces/.cognition/root.json"
    marker.parent.mkdir(parents=True)
    marker.write_text(json.dumps({"version": 99, "uuid": "0" * 32, "runtime": None}))
    with pytest.raises(RootRefused, match="has format version 99"):
        Cognition(tmp_path).open()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"DockerRuntime": {"memory_limit": 5}}, "memory_limit"),
        ({"AgentSettings": {"default_model": 7}}, "default_model"),
        ({"ResponderChoice": {"responder": "nobody"}}, "installed are: agent, code"),
    ],
    ids=str,
)
def test_a_wrong_setting_stops_the_start(
    make_server: Callable[..., Server], config: dict[str, Any], words: str
) -> None:
    server = make_server(start=False, config=config)
    server.start(wait=False)
    assert server.process is not None and server.process.wait(60) == 1
    server.process = None
    said = [line for line in server.log.read_text().splitlines() if "can't start" in line]
    assert len(said) == 1 and words in said[0], server.tail()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("text", ["c.SessionPolicy.max_sessions = ", "nobody_knows_this"])
def test_a_policy_that_can_not_be_read_stops_the_start(
    make_server: Callable[..., Server], text: str
) -> None:
    server = make_server(start=False)
    file = server.home / "config/jupyter_cognition_config.py"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    server.start(wait=False)
    assert server.process is not None and server.process.wait(60) == 1
    server.process = None
    assert "jupyter_cognition_config can't be read: " in server.log.read_text(), server.tail()


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGINT, signal.SIGTERM]])
def test_an_interrupt_stops_a_server_without_a_terminal_in_order(
    make_server: Callable[..., Server], engine: docker.DockerClient, signals: list[int]
) -> None:
    """As JupyterHub stops its servers, which grows impatient."""
    server = make_server(config=LEAN)
    project_id = server.create("interrupted")
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        kernel.check("open('/memories/hot/plan', 'w').write('x')")
    assert server.process is not None
    for number in signals:
        server.process.send_signal(number)
        time.sleep(0.3)
    # A second signal that comes when all is done ends what is left of the process.
    assert server.process.wait(60) in {0, *(-number for number in signals[1:])}
    record = helpers.record(server, project_id, session["session_id"])
    assert record["reason"] == "server_stopped"
    assert helpers.nothing_left(engine, server, locks=0)
    server.start()
    kept = server.request("GET", f"/api/projects/{project_id}/memory/memories/hot/plan")
    assert kept.content == b"x"


def test_a_server_ends_although_a_request_is_being_answered(
    make_server: Callable[..., Server],
) -> None:
    """A page that was just opened asks for what takes a while: here, all exporters are loaded."""
    server = make_server(config=LEAN)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(server.request, "GET", "/api/nbconvert")
        time.sleep(0.3)
        assert not answer.done()
        server.stop()
        assert answer.result(60).ok


@pytest.fixture(scope="module")
def culling(make_server: Callable[..., Server], engine: docker.DockerClient) -> Server:
    culler = {"cull_idle_timeout": 8, "cull_interval": 1, "cull_connected": True}
    return make_server(config=LEAN | {"MappingKernelManager": culler})


def test_idle_kernels_are_culled(culling: Server, engine: docker.DockerClient) -> None:
    project_id = culling.create("idle")
    go = culling.root / project_id / "repo/go"
    with Events(culling) as events:
        busy = culling.start_session(project_id)
        with culling.kernel(busy["kernel_id"]) as kernel:
            running = kernel.start(
                "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)"
            )
            helpers.wait_for_status(kernel, "busy")
            stopped = culling.start_session(project_id)
            assert culling.end_session(stopped)["reason"] == "client"
            session = culling.start_session(project_id)
            ended = events.wait_for(session["session_id"], "ended")
            assert ended["reason"] == "idle"
            assert helpers.record(culling, project_id, session["session_id"])["reason"] == "idle"
            assert not events.of(busy["session_id"], "ended")
            go.touch()
            assert kernel.collect(running).status == "ok"
        # One that a client ends in good time is not idle, however Jupyter was asked.
        culling.call("DELETE", f"/api/kernels/{busy['kernel_id']}", 204)
        assert events.wait_for(busy["session_id"], "ended")["reason"] == "client"
    assert helpers.nothing_left(engine, culling)
