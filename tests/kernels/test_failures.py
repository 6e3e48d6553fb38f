"""Launches that fail, the first or a later one: a sentence for everybody, and nothing left."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from cognition_jupyter.kernels.policy import DEFAULT_IMAGE

from ..support.server import Server
from . import helpers
from .helpers import QUICK_RESTARTER, Events, settle, wait_until

PRIVATE = f"cgn-private-{secrets.token_hex(4)}:1"
NETWORK = f"cgn-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server], engine: docker.DockerClient) -> Server:
    config = QUICK_RESTARTER | {
        "SessionPolicy": {"allowed_images": ["cgn-private-*", "127.0.0.1:1/*"]},
        "DockerRuntime": {"network_name": NETWORK},
    }
    return make_server(config=config)


@pytest.fixture
def private_image(engine: docker.DockerClient) -> Iterator[str]:
    engine.images.get(DEFAULT_IMAGE).tag(PRIVATE)
    yield PRIVATE
    try:
        engine.images.remove(PRIVATE)
    except docker.errors.ImageNotFound:
        pass


@pytest.fixture
def network(engine: docker.DockerClient) -> Iterator[str]:
    yield NETWORK
    for found in engine.networks.list(names=[NETWORK]):
        found.remove()


def check_over(
    server: Server, engine: docker.DockerClient, events: Events, kernel_id: str, word: str
) -> dict[str, str]:
    """The kernel could not be launched again: everybody is told, and nothing is left of it."""
    failed = events.wait_for(kernel_id, "failed")
    ended = events.wait_for(kernel_id, "ended")
    assert word in failed["message"] and failed["message"].endswith("."), failed
    assert ended["detail"] == failed["message"]
    wait_until(lambda: kernel_id not in helpers.kernels(server))
    assert not helpers.containers(engine, server)
    assert not helpers.session_directories(server)
    assert server.call("GET", "/health")["sessions_active"] == 0
    return {"code": failed["code"], "reason": ended["reason"]}


@pytest.mark.parametrize("automatic", [False, True], ids=["asked", "automatic"])
def test_a_restart_without_its_image(
    automatic: bool, server: Server, engine: docker.DockerClient, private_image: str
) -> None:
    project_id = server.create("image", container_image=private_image)
    kernel_id = server.start_session(project_id)["kernel_id"]
    engine.images.remove(private_image)
    with Events(server) as events, server.kernel(kernel_id) as kernel:
        if automatic:
            kernel.start("import os; os._exit(1)")
        else:
            helpers.restart(server, kernel_id, 500)
        helpers.wait_for_status(kernel, "dead")
        over = check_over(server, engine, events, kernel_id, "image build")
        assert over == {"code": "image_missing", "reason": "engine"}
    record = helpers.record(server, project_id, kernel_id)
    assert record["reason"] == "engine" and "image build" in record["detail"]
    # The project is as usable as it would be without all that.
    server.call("PATCH", f"/api/projects/{project_id}", json={"container_image": None})
    server.end_session(server.start_session(project_id))


@pytest.mark.parametrize("automatic", [False, True], ids=["asked", "automatic"])
def test_a_restart_of_a_project_that_was_moved_away(
    automatic: bool, server: Server, engine: docker.DockerClient, tmp_path: Path
) -> None:
    project_id = server.create("moved")
    kernel_id = server.start_session(project_id)["kernel_id"]
    shutil.move(server.root / project_id, tmp_path / "moved")
    with Events(server) as events, server.kernel(kernel_id) as kernel:
        if automatic:
            kernel.start("import os; os._exit(1)")
        else:
            helpers.restart(server, kernel_id, 500)
        helpers.wait_for_status(kernel, "dead")
        over = check_over(server, engine, events, kernel_id, project_id)
        assert over == {"code": "project_not_found", "reason": "deleted"}
    assert not (server.root / project_id).exists()


def test_a_restart_without_its_folder(server: Server, engine: docker.DockerClient) -> None:
    project_id = server.create("emptied")
    kernel_id = server.start_session(project_id)["kernel_id"]
    shutil.rmtree(server.root / project_id / "repo")
    with Events(server) as events:
        helpers.restart(server, kernel_id, 500)
        over = check_over(server, engine, events, kernel_id, "is gone")
        assert over == {"code": "no_workspace", "reason": "deleted"}
    record = helpers.record(server, project_id, kernel_id)
    assert record["reason"] == "deleted" and record["ended_at"]
    assert not (server.root / project_id / "repo").exists(), "an empty one looks like lost work"


def test_a_restart_without_its_network(
    server: Server, engine: docker.DockerClient, network: str
) -> None:
    project_id = server.create("network", network_mode="ON")
    session = server.start_session(project_id)
    kernel_id = session["kernel_id"]
    bridge = engine.networks.list(names=[network])[0]
    bridge.disconnect(session["container_id"], force=True)
    bridge.remove()
    engine.networks.create(network, driver="bridge")  # where containers can reach each other
    with Events(server) as events:
        helpers.restart(server, kernel_id, 500)
        over = check_over(server, engine, events, kernel_id, network)
        assert over["reason"] == "engine"


@pytest.mark.torture
def test_kernels_that_are_pending(
    make_server: Callable[..., Server], engine: docker.DockerClient
) -> None:
    """With this setting Jupyter answers before a kernel has started, or not started."""
    pending = {"AsyncMultiKernelManager": {"use_pending_kernels": True}}
    allowed = {"SessionPolicy": {"allowed_images": ["127.0.0.1:1/*"]}}
    own = make_server(config=QUICK_RESTARTER | pending | allowed)
    project_id = own.create("pending")
    session = own.start_session(project_id)
    with own.kernel(session["kernel_id"]) as kernel:
        assert kernel.run("1 + 1").value == "2"
    assert own.end_session(session)["reason"] == "client"
    bad = own.create("bad", container_image="127.0.0.1:1/no/such:image")
    answer = own.request("POST", f"/api/projects/{bad}/sessions", json={})
    assert answer.status_code == 503 and answer.json()["error"] == "image_missing"
    wait_until(lambda: helpers.kernels(own) == [] and helpers.nothing_left(engine, own))
    own.start_session(project_id)
    own.stop()
    assert helpers.nothing_left(engine, own, locks=0)


def test_what_only_a_mount_needs_is_made_again(server: Server) -> None:
    project_id = server.create("deps")
    project = server.root / project_id
    shutil.rmtree(project / ".deps")
    shutil.rmtree(project / ".memories")
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        write = "open('/deps/x', 'w').close(); open('/memories/persistent/x', 'w').close()"
        kernel.check(write)
        shutil.rmtree(project / ".deps")
        helpers.restart(server, session["kernel_id"])
        settle(kernel)
        kernel.check(write)
    server.end_session(session)
    assert (project / ".deps/x").stat().st_uid == (project / "repo").stat().st_uid


@pytest.mark.parametrize("when", ["before its directories", "at its container"])
def test_a_first_launch_that_fails_leaves_nothing(
    when: str, server: Server, engine: docker.DockerClient, network: str
) -> None:
    if when == "at its container":
        engine.networks.create(network, driver="bridge")  # where containers can reach each other
        project_id = server.create("first", network_mode="ON")
        code, words = "network_unusable", network
    else:
        project_id = server.create("first", container_image="127.0.0.1:1/no/such:image")
        code, words = "image_missing", "jupyter cognition image build"
    before = json.loads((server.root / project_id / ".project_metadata.json").read_text())
    usage: dict[str, int] = {}
    with Events(server) as events:
        for attempt in range(25):
            answer = server.request("POST", f"/api/projects/{project_id}/sessions", json={})
            body = answer.json()
            assert answer.status_code == 503 and body["error"] == code, body
            assert words in body["message"]
            note = {
                "path": f"workspaces/{project_id}/repo/a.ipynb",
                "name": "a.ipynb",
                "type": "notebook",
                "kernel": {"name": "cognition"},
            }
            answer = server.request("POST", "/api/sessions", json=note)
            assert answer.status_code == 500 and answer.json()["message"] == body["message"]
            if attempt == 7:  # pools of threads and connections have filled by then
                usage = helpers.usage(server)
        wait_until(lambda: len(events.of(None, "failed")) == 50)
        assert {e["code"] for e in events.seen} == {code}
        assert {e["action"] for e in events.seen} == {"failed"}
    after = json.loads((server.root / project_id / ".project_metadata.json").read_text())
    assert before | {"last_accessed": ""} == after | {"last_accessed": ""}
    wait_until(lambda: helpers.nothing_left(engine, server))
    assert helpers.kernels(server) == [] and server.call("GET", "/api/sessions") == []
    now = helpers.usage(server)
    assert now["fd"] <= usage["fd"] + 30 and now["task"] <= usage["task"] + 16, (usage, now)


def test_a_kernel_outside_of_projects_is_refused(server: Server) -> None:
    project_id = server.create("inside")
    with Events(server) as events:
        body = {"path": "workspaces/a.ipynb", "name": "a.ipynb", "type": "notebook"}
        answer = server.request(
            "POST", "/api/sessions", json=body | {"kernel": {"name": "cognition"}}
        )
        assert answer.status_code == 500 and "in no project" in answer.json()["message"]
        for path in ("", "workspaces", f"workspaces/{project_id}", "workspaces/.trash"):
            body = {"name": "cognition", "path": path}
            assert server.request("POST", "/api/kernels", json=body).status_code == 500
        events.wait_for(None, "failed", 5)
    assert {event["code"] for event in events.seen} == {"not_in_a_project"}


def test_a_link_out_of_a_project_is_followed_before_it_is_judged(server: Server) -> None:
    mine, other = server.create("linking"), server.create("linked")
    (server.root / mine / "repo/out").symlink_to(server.root)
    (server.root / mine / "repo/other").symlink_to(server.root / other / "repo")
    with Events(server) as events:
        body = {"name": "cognition", "path": f"workspaces/{mine}/repo/out"}
        assert server.request("POST", "/api/kernels", json=body).status_code == 500
        assert events.wait_for(None, "failed")["code"] == "not_in_a_project"
    # A real path in another project is that project, with all its limits.
    body = {"name": "cognition", "path": f"workspaces/{mine}/repo/other"}
    kernel = server.call("POST", "/api/kernels", 201, json=body)
    assert helpers.record(server, other, kernel["id"])["ended_at"] is None
    assert helpers.records(server, mine) == []
    server.call("DELETE", f"/api/kernels/{kernel['id']}", 204)


def test_an_id_that_the_client_chose(server: Server, engine: docker.DockerClient) -> None:
    project_id = server.create("chosen")
    folder = f"workspaces/{project_id}/repo"
    kernel_id = "11111111-2222-3333-4444-555555555555"
    for _ in range(2):  # the same again: one record, not two of which one never ends
        body = {"name": "cognition", "path": folder, "kernel_id": kernel_id}
        server.call("POST", "/api/kernels", 201, json=body)
        assert helpers.record(server, project_id, kernel_id)["ended_at"] is None
        server.call("DELETE", f"/api/kernels/{kernel_id}", 204)
        assert helpers.record(server, project_id, kernel_id)["ended_at"]
    with Events(server) as events:
        for bad in ("../../../x", "a" * 65, "a/b", ".", "a\x00b"):
            body = {"name": "cognition", "path": folder, "kernel_id": bad}
            assert server.request("POST", "/api/kernels", json=body).status_code == 500
        wait_until(lambda: len(events.of(None, "failed")) == 5)
        assert {event["code"] for event in events.seen} == {"invalid_session_id"}
    assert helpers.nothing_left(engine, server)
