"""Kernels that are restarted, interrupted, or die: the session outlives its containers."""

from __future__ import annotations

import time
from collections.abc import Callable

import docker
import pytest

from ..support.server import Server
from . import helpers
from .helpers import QUICK_RESTARTER, Events, settle, wait_until


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server], engine: docker.DockerClient) -> Server:
    config = QUICK_RESTARTER | {"DockerRuntime": {"memory_limit": "200m"}}
    return make_server(config=config)


@pytest.fixture(scope="module")
def sandbox(make_server: Callable[..., Server]) -> Server:
    """A server whose sessions are bubblewrap's."""
    return make_server(config=QUICK_RESTARTER | {"RuntimeChoice": {"runtime": "bubblewrap"}})


def test_a_restart_replaces_the_container_and_nothing_else(
    server: Server, engine: docker.DockerClient
) -> None:
    project_id = server.create("restart")
    session = server.start_session(project_id)
    kernel_id = session["kernel_id"]
    with Events(server) as events, server.kernel(kernel_id) as kernel:
        kernel.check("x = 1; open('/tmp/kept', 'w').close()")
        helpers.restart(server, kernel_id)
        # The same WebSocket goes on, with a kernel that knows nothing of before.
        settle(kernel)
        assert kernel.run("x").error.startswith("NameError")
        assert kernel.check("import os; print(os.path.exists('/tmp/kept'))") == "True\n"
        restarted = events.wait_for(kernel_id, "restarted")
    assert restarted["reason"] == "client" and "detail" not in restarted
    with pytest.raises(docker.errors.NotFound):
        engine.containers.get(session["container_id"])
    now = server.call("GET", f"/api/projects/{project_id}/sessions/{kernel_id}")
    assert now["container_id"] != session["container_id"]
    assert now["ended_at"] is None and now["started_at"] == session["started_at"]
    assert [*helpers.containers(engine, server)] == [now["container_id"]]
    details = server.call("GET", f"/api/projects/{project_id}")
    assert details["statistics"]["total_sessions"] == 1
    assert server.end_session(session)["reason"] == "client"


BUSY = [
    "while True: pass",
    "import time; time.sleep(100)",
    "import subprocess; subprocess.run(['sleep', '100'])",
    "import os; os.system('sleep 100')",  # ignores the signal itself: all the group must get it
    "!sleep 100",
]


@pytest.mark.parametrize("runtime", ["docker", "bubblewrap"])
@pytest.mark.parametrize("busy", BUSY)
def test_an_interrupt_stops_the_cell_and_not_the_kernel(
    runtime: str, busy: str, server: Server, sandbox: Server
) -> None:
    here = server if runtime == "docker" else sandbox
    session = here.start_session(here.create("interrupt"))
    with here.kernel(session["kernel_id"]) as kernel:
        kernel.check("x = 1")
        message = kernel.start(f"print('busy', flush=True)\n{busy}\nprint('over')")
        while kernel.receive(60)["content"].get("text") != "busy\n":
            pass
        time.sleep(0.5)
        helpers.interrupt(here, session["kernel_id"])
        result = kernel.collect(message, timeout=60)  # by itself it would take longer
        assert result.status == "error" or "over" in result.stdout  # system() swallows it
        assert kernel.run("x").value == "1"
    here.end_session(session)


@pytest.mark.parametrize(
    ("death", "code", "detail"),
    [
        ("import os; os._exit(3)", 3, "The kernel exited with status 3."),
        ("import os; os.kill(os.getpid(), 9)", 137, "The kernel was ended by signal 9."),
    ],
)
def test_a_kernel_that_dies_is_restarted_in_a_new_container(
    death: str, code: int, detail: str, server: Server, engine: docker.DockerClient
) -> None:
    project_id = server.create("dies")
    session = server.start_session(project_id)
    kernel_id = session["kernel_id"]
    with Events(server) as events, server.kernel(kernel_id) as kernel:
        kernel.start(death)
        restarted = events.wait_for(kernel_id, "restarted")
        assert restarted["reason"] == "crashed" and restarted["detail"] == detail
        settle(kernel)
        assert kernel.run("1 + 1").value == "2"
        assert not events.of(kernel_id, "ended")
    now = server.call("GET", f"/api/projects/{project_id}/sessions/{kernel_id}")
    assert now["container_id"] != session["container_id"] and now["ended_at"] is None
    assert now["detail"] == detail
    assert [*helpers.containers(engine, server)] == [now["container_id"]]
    ended = server.end_session(session)
    assert ended["reason"] == "client" and ended["detail"] is None


def test_out_of_memory_is_told(server: Server) -> None:
    project_id = server.create("hungry")
    session = server.start_session(project_id)
    kernel_id = session["kernel_id"]
    with Events(server) as events, server.kernel(kernel_id) as kernel:
        kernel.start("x = bytearray(400 << 20)")
        restarted = events.wait_for(kernel_id, "restarted")
        assert restarted["reason"] == "out_of_memory" and "memory" in restarted["detail"]
        settle(kernel)
        assert kernel.run("1 + 1").value == "2"
        # Again and again: in the end the session is over, and its record says why.
        kernel.start("x = bytearray(400 << 20)")
        events.wait_for(kernel_id, "restarted", 2)
        settle(kernel)
        kernel.start("x = bytearray(400 << 20)")
        ended = events.wait_for(kernel_id, "ended")
    assert ended["reason"] == "out_of_memory" and "memory" in ended["detail"]
    closed = helpers.record(server, project_id, kernel_id)
    assert closed["reason"] == "out_of_memory" and closed["ended_at"]


@pytest.mark.parametrize("runtime", ["docker", "bubblewrap"])
def test_a_kernel_that_keeps_dying_is_given_up(
    runtime: str, server: Server, sandbox: Server, engine: docker.DockerClient
) -> None:
    here = server if runtime == "docker" else sandbox
    project_id = here.create("crashes")
    repo = here.call("GET", f"/api/projects/{project_id}")["workspace_path"]
    session = here.start_session(project_id)
    kernel_id = session["kernel_id"]
    with Events(here) as events, here.kernel(kernel_id) as kernel:
        # The cell leaves a module behind that every later kernel of the project dies of.
        kernel.check(f"open('ipykernel_launcher.py', 'w').write('raise SystemExit(7)'); {repo!r}")
        kernel.start("import os; os._exit(7)")
        helpers.wait_for_status(kernel, "dead")
        ended = events.wait_for(kernel_id, "ended")
    assert ended["reason"] == "crashed" and "status 7" in ended["detail"]
    assert kernel_id not in helpers.kernels(here)
    closed = helpers.record(here, project_id, kernel_id)
    assert closed["reason"] == "crashed" and closed["detail"] == ended["detail"]
    assert not helpers.session_directories(here)
    if here is server:
        assert not helpers.containers(engine, here)
    wait_until(lambda: here.call("GET", "/health")["sessions_active"] == 0)


def test_kernels_that_are_given_up_leave_no_sockets(sandbox: Server) -> None:
    """Jupyter itself only takes such a kernel off its list."""
    server = sandbox  # without an engine, whose client keeps some dozens of connections at hand
    project_id = server.create("sockets")
    repo = server.root / project_id / "repo"
    owner = repo.stat()
    usage: dict[str, int] = {}
    for attempt in range(5):
        kernel_id = server.start_session(project_id)["kernel_id"]
        with server.kernel(kernel_id) as kernel:
            kernel.check("x = 1")
            repo.rename(repo.with_name("elsewhere"))
            helpers.restart(server, kernel_id, 500)
            helpers.wait_for_status(kernel, "dead")
            repo.with_name("elsewhere").rename(repo)
        if attempt == 1:
            usage = helpers.usage(server)
    assert repo.stat().st_ino == owner.st_ino
    assert not [*(server.home / "runtime").glob("kernel-*.json")]
    wait_until(lambda: helpers.usage(server)["fd"] <= usage["fd"] + 1, 5, str(usage))
