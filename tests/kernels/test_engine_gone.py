"""An engine that does not answer: kernels go on, nothing takes for ever, nothing is left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import docker
import pytest

from ..support.server import Server
from . import helpers
from .helpers import QUICK_RESTARTER, Events, settle, wait_until
from .private_engine import PrivateEngine, private_engine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an engine")

LIMIT = 3  # seconds that the engine may take to answer


@pytest.fixture(scope="module")
def own_engine(engine: docker.DockerClient) -> Iterator[PrivateEngine]:
    with private_engine(engine) as made:
        yield made


@pytest.fixture
def client(own_engine: PrivateEngine, server: Server) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(own_engine.socket)
    yield client
    own_engine.thaw()
    wait_until(lambda: helpers.nothing_left(client, server))
    client.close()


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server], own_engine: PrivateEngine) -> Iterator[Server]:
    config = QUICK_RESTARTER | {
        "DockerRuntime": {
            "base_url": own_engine.socket,
            "engine_timeout": LIMIT,
            "start_timeout": 2 * LIMIT,
        },
        "Reconcile": {"interval": 0.5},
    }
    made = make_server(config=config)
    yield made
    own_engine.thaw()
    made.close()


def test_a_silent_engine(
    server: Server, own_engine: PrivateEngine, client: docker.DockerClient
) -> None:
    project_id = server.create("silent")
    session, spare = server.start_session(project_id), server.start_session(project_id)
    kernel_id = session["kernel_id"]
    with Events(server) as events, server.kernel(kernel_id) as kernel:
        kernel.check("x = 1")
        own_engine.freeze()
        # The kernel is reached directly, and its silence is not its death.
        for _ in range(5):
            assert kernel.run("x").value == "1"
            time.sleep(0.2)
        helpers.interrupt(server, kernel_id)
        assert not events.seen and set(helpers.kernels(server)) == {kernel_id, spare["kernel_id"]}

        begun = time.monotonic()
        health = server.call("GET", "/health")
        assert health["status"] == "degraded" and health["runtime"]["available"] is False
        assert time.monotonic() - begun < 30

        begun = time.monotonic()
        answer = server.request("POST", f"/api/projects/{project_id}/sessions", json={})
        assert answer.status_code == 503 and answer.json()["error"] == "runtime_unavailable"
        assert time.monotonic() - begun < 30

        begun = time.monotonic()
        ended = server.end_session(session)
        assert ended["reason"] == "client" and ended["ended_at"]
        assert time.monotonic() - begun < 40

    left = {s["session_id"] for s in helpers.open_records(server)}
    assert left == {spare["session_id"]}
    own_engine.thaw()
    # What is left of the ended session is found and removed; the other goes on.
    wait_until(lambda: [*helpers.containers(client, server)] == [spare["container_id"]])
    with server.kernel(spare["kernel_id"]) as kernel:
        assert kernel.run("1 + 1").value == "2"
        helpers.restart(server, spare["kernel_id"])
        settle(kernel)
    assert server.call("GET", "/health")["status"] == "ok"
    server.end_session(spare)
    wait_until(lambda: helpers.nothing_left(client, server))


def test_a_restart_while_the_engine_is_silent(
    server: Server, own_engine: PrivateEngine, client: docker.DockerClient
) -> None:
    project_id = server.create("restart")
    kernel_id = server.start_session(project_id)["kernel_id"]
    with Events(server) as events, server.kernel(kernel_id) as kernel:
        own_engine.freeze()
        begun = time.monotonic()
        helpers.restart(server, kernel_id, 500)
        assert time.monotonic() - begun < 60
        helpers.wait_for_status(kernel, "dead")
        assert "did not answer" in events.wait_for(kernel_id, "failed")["message"]
        assert events.wait_for(kernel_id, "ended")["reason"] == "engine"
    assert helpers.record(server, project_id, kernel_id)["reason"] == "engine"
    assert not helpers.session_directories(server)
    own_engine.thaw()
    wait_until(lambda: helpers.nothing_left(client, server))


def test_the_server_stops_while_the_engine_is_silent(
    server: Server, own_engine: PrivateEngine, client: docker.DockerClient
) -> None:
    project_id = server.create("stop")
    for _ in range(3):
        server.start_session(project_id)
    own_engine.freeze()
    begun = time.monotonic()
    server.stop(timeout=60)
    assert time.monotonic() - begun < 50
    reasons = {record["reason"] for record in helpers.records(server, project_id)}
    assert reasons == {"server_stopped"} and not helpers.owner_locks(server)
    assert not helpers.session_directories(server)
    # Nor does it keep the next server from starting; that one sees to what is left.
    server.start()
    assert len(helpers.owner_locks(server)) == 1
    own_engine.thaw()
    wait_until(lambda: helpers.nothing_left(client, server))


def test_an_engine_that_is_gone_and_comes_back(
    server: Server, own_engine: PrivateEngine, client: docker.DockerClient
) -> None:
    """Containers end with this engine; the kernels come back as soon as it does, or are over."""
    project_id = server.create("gone")
    kernel_id = server.start_session(project_id)["kernel_id"]
    own_engine.stop()
    answer = server.request("POST", f"/api/projects/{project_id}/sessions", json={})
    assert answer.status_code == 503
    assert server.call("GET", "/health")["status"] == "degraded"
    own_engine.start()
    wait_until(lambda: server.call("GET", "/health")["status"] == "ok")

    def settled() -> bool:
        record = helpers.record(server, project_id, kernel_id)
        live = kernel_id in helpers.kernels(server)
        return live == (record["ended_at"] is None) and (
            not live or record["container_id"] in helpers.containers(client, server)
        )

    wait_until(settled)
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        assert kernel.run("1 + 1").value == "2"
    server.call("DELETE", f"/api/projects/{project_id}?force=true")
    wait_until(lambda: not helpers.containers(client, server))
