"""The administrator's policy, as a value and over REST."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import pytest
from traitlets.config import Config

from cognition_jupyter.exceptions import Forbidden
from cognition_jupyter.kernels.policy import DEFAULT_IMAGE, SessionPolicy
from cognition_jupyter.models import ProjectConfig
from cognition_jupyter.runtimes.bubblewrap import BubblewrapRuntime
from cognition_jupyter.runtimes.docker import DockerRuntime
from cognition_jupyter.runtimes.process import ProcessRuntime

from ..support.server import Server
from . import helpers
from .helpers import LEAN, wait_until


def policy(**settings: Any) -> SessionPolicy:
    return SessionPolicy(config=Config({"SessionPolicy": settings}))


@pytest.mark.parametrize(
    ("allowed", "project", "asked", "mode"),
    [
        (["OFF", "ON"], "OFF", None, "OFF"),
        (["OFF", "ON"], "OFF", "ON", "ON"),
        (["OFF", "ON"], "ON", "OFF", "OFF"),
        (["OFF"], "OFF", "ON", None),
        (["OFF"], "ON", None, None),
        (["OFF"], "ON", "OFF", "OFF"),
        (["ON"], "OFF", None, None),
        ([], "OFF", None, None),
    ],
)
def test_network_modes(allowed: list[str], project: Any, asked: Any, mode: str | None) -> None:
    rules = policy(allowed_network_modes=allowed)
    config = ProjectConfig(network_mode=project)
    if mode is None:
        with pytest.raises(Forbidden, match="network_mode") as refused:
            rules.network_mode(config, asked)
        assert refused.value.code == "network_not_allowed"
    else:
        assert rules.network_mode(config, asked) == mode


@pytest.mark.parametrize(
    ("patterns", "image", "allowed"),
    [
        ([], None, True),
        ([], DEFAULT_IMAGE, True),
        ([], "debian", False),
        (["lab/*"], "lab/a:1", True),
        (["lab/*"], "lab2/a:1", False),
        (["lab/*"], "other/lab/a", False),
        (["LAB/*"], "lab/a", False),
        (["lab/a:1"], "lab/a:1", True),
        (["lab/a:1"], "lab/a:10", False),
        (["*"], "anything", True),
    ],
)
def test_images(patterns: list[str], image: str | None, allowed: bool) -> None:
    rules = policy(allowed_images=patterns)
    config = ProjectConfig(container_image=image)
    if allowed:
        assert rules.image_of(config) == (image or DEFAULT_IMAGE)
        rules.check(config)
    else:
        with pytest.raises(Forbidden, match="is not allowed here") as refused:
            rules.check(config)
        assert refused.value.code == "image_not_allowed"


def test_an_image_where_there_are_none() -> None:
    wanted = ProjectConfig(container_image="lab/a")
    policy().check_runtime(DockerRuntime(), wanted)
    policy().check_runtime(BubblewrapRuntime(), ProjectConfig())
    for runtime in (BubblewrapRuntime(), ProcessRuntime()):
        with pytest.raises(Forbidden, match="no images"):
            policy().check_runtime(runtime, wanted)


def test_the_environment_is_a_list_and_the_administrator_adds_to_it() -> None:
    rules = policy(environment={"PROXY": "x", "LANG": "de_DE.UTF-8"})
    found = rules.environment_of(DockerRuntime(), ())
    assert found["PROXY"] == "x" and found["LANG"] == "de_DE.UTF-8"
    assert found["HOME"] == "/tmp/home" and found["PYTHONUSERBASE"] == "/deps"
    assert "PYTHONUSERBASE" not in rules.environment_of(ProcessRuntime(), ())


def test_limits_hold_however_a_kernel_is_asked_for(
    make_server: Callable[..., Server], engine: docker.DockerClient
) -> None:
    limits = {"max_sessions": 3, "max_sessions_per_project": 2}
    server = make_server(config=LEAN | {"SessionPolicy": limits})
    one, two = server.create("one"), server.create("two")
    path = f"/api/projects/{one}/sessions"
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(server.request, "POST", path, json={}) for _ in range(6)]
        answers = [answer.result() for answer in asked]
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["error"] == "session_limit" and "2 live sessions" in refused["message"]
    body = {"name": "cognition", "path": f"workspaces/{one}/repo"}
    assert server.request("POST", "/api/kernels", json=body).status_code == 500

    third = server.start_session(two)
    answer = server.request("POST", f"/api/projects/{two}/sessions", json={})
    assert answer.status_code == 409 and "at most 3 sessions" in answer.json()["message"]
    # A restart is no further session.
    helpers.restart(server, third["kernel_id"])
    server.end_session(third)
    server.end_session(server.start_session(two))
    for project_id in (one, two):
        server.call("DELETE", f"/api/projects/{project_id}?force=true")
    wait_until(lambda: helpers.nothing_left(engine, server))
