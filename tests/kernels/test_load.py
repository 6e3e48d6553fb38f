"""Many sessions, many restarts, kernels that print without end: the server is as before."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest

from ..support.server import Server
from . import helpers
from .helpers import QUICK_RESTARTER, settle, wait_until

PRINTING = "import itertools\nfor n in itertools.count(): print('x' * 200, n)"


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server], engine: docker.DockerClient) -> Server:
    soon = {"KernelManager": {"shutdown_wait_time": 1.0}}
    return make_server(config=QUICK_RESTARTER | soon)


def test_restarts_while_the_kernel_prints(server: Server, engine: docker.DockerClient) -> None:
    session = server.start_session(server.create("prints"))
    kernel_id = session["kernel_id"]
    seen = {session["container_id"]}
    for _ in range(5):
        with server.kernel(kernel_id) as kernel:
            # What no kernel has read yet would be run by the next one.
            settle(kernel)
            asked = kernel.start(PRINTING)
            while kernel.receive(20)["parent_header"].get("msg_id") != asked:
                pass
            helpers.restart(server, kernel_id)
        (container,) = helpers.containers(engine, server)
        assert container not in seen
        seen.add(container)
    with server.kernel(kernel_id) as kernel:
        settle(kernel)
        assert kernel.run("1 + 1").value == "2"
    server.end_session(session)
    assert helpers.nothing_left(engine, server)


def ten_sessions(server: Server, project_ids: list[str]) -> None:
    def live(project_id: str) -> None:
        session = server.start_session(project_id)
        with server.kernel(session["kernel_id"]) as kernel:
            assert kernel.run("1 + 1").value == "2"
        assert server.end_session(session)["reason"] == "client"

    with ThreadPoolExecutor(10) as pool:
        [*pool.map(live, project_ids)]


def test_ten_sessions_at_once(server: Server, engine: docker.DockerClient) -> None:
    project_ids = [server.create(f"many-{n}") for n in range(3)]
    ten_sessions(server, (project_ids * 4)[:10])
    assert helpers.nothing_left(engine, server)


@pytest.mark.torture
def test_many_sessions_leave_the_server_as_it_was(
    server: Server, engine: docker.DockerClient
) -> None:
    project_ids = [server.create(f"more-{n}") for n in range(3)]
    for _ in range(3):  # until all connections are made that are kept
        ten_sessions(server, (project_ids * 4)[:10])
    before = helpers.usage(server)
    for _ in range(5):
        ten_sessions(server, (project_ids * 4)[:10])
    wait_until(lambda: helpers.nothing_left(engine, server))
    wait_until(
        lambda: all(n <= before[name] + 4 for name, n in helpers.usage(server).items()),
        what=f"{before} {helpers.usage(server)}",
    )


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_a_session_that_ends_while_it_restarts(
    delay: float, server: Server, engine: docker.DockerClient
) -> None:
    project_id = server.create("races")
    kernel_id = server.start_session(project_id)["kernel_id"]
    path = f"/api/projects/{project_id}/sessions/{kernel_id}"
    with ThreadPoolExecutor(3) as pool:
        restarting = pool.submit(server.request, "POST", f"/api/kernels/{kernel_id}/restart")
        time.sleep(delay)
        ending = [pool.submit(server.request, "DELETE", path) for _ in range(2)]
        answers = [answer.result(60) for answer in ending]
        restarting.result(60)
    assert {answer.status_code for answer in answers} == {200}, server.tail(5000)
    assert helpers.record(server, project_id, kernel_id)["reason"] == "client"
    wait_until(lambda: helpers.nothing_left(engine, server))
    assert helpers.kernels(server) == []


@pytest.mark.parametrize(
    ("clients", "delay"),
    # The second of two waits for the first, and the restart makes Jupyter forget who waits.
    [*((1, delay) for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)), (2, 0.05), (2, 0.3)],
)
def test_a_session_that_is_restarted_while_it_ends(
    clients: int, delay: float, server: Server, engine: docker.DockerClient
) -> None:
    project_id = server.create("races")
    kernel_id = server.start_session(project_id)["kernel_id"]
    path = f"/api/projects/{project_id}/sessions/{kernel_id}"
    with ThreadPoolExecutor(3) as pool:
        ending = [pool.submit(server.request, "DELETE", path) for _ in range(clients)]
        time.sleep(delay)
        restarting = pool.submit(server.request, "POST", f"/api/kernels/{kernel_id}/restart")
        assert {answer.result(60).status_code for answer in ending} == {200}, server.tail(5000)
        restarting.result(60)
    wait_until(lambda: helpers.nothing_left(engine, server) and not helpers.kernels(server))
    assert helpers.record(server, project_id, kernel_id)["reason"] == "client"


def test_a_project_is_deleted_while_sessions_start(
    server: Server, engine: docker.DockerClient
) -> None:
    project_id = server.create("doomed")
    path = f"/api/projects/{project_id}"
    with ThreadPoolExecutor(5) as pool:
        starts = [
            pool.submit(server.request, "POST", f"{path}/sessions", json={}) for _ in range(3)
        ]
        wait_until(lambda: helpers.open_records(server))
        deleted = pool.submit(server.request, "DELETE", f"{path}?force=true").result()
        assert {start.result().status_code for start in starts} <= {201, 404, 409}
    if deleted.status_code != 200:  # a session began after the others had been ended
        assert deleted.json()["error"] == "active_sessions"
        server.call("DELETE", f"{path}?force=true")
    wait_until(lambda: helpers.nothing_left(engine, server))
