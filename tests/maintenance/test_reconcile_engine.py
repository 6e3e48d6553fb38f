"""An engine that hangs or is gone changes nothing; once it is back, one pass mends everything."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest

from ..handlers.api import tree
from ..kernels import helpers
from ..kernels.helpers import QUICK_RESTARTER, Events, wait_until
from ..kernels.private_engine import PrivateEngine, private_engine
from ..support.server import Server
from .life import let_age
from .test_reconcile import plant

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an engine")

LIMIT = 3  # seconds that the engine may take to answer


@pytest.fixture(scope="module")
def own_engine(engine: docker.DockerClient) -> Iterator[PrivateEngine]:
    with private_engine(engine) as made:
        yield made


@pytest.fixture
def make(
    make_server: Callable[..., Server], own_engine: PrivateEngine
) -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(interval: float, beside: Server | None = None) -> Server:
        server = make_server(start=False)
        server.config = QUICK_RESTARTER | {
            "DockerRuntime": {
                "base_url": own_engine.socket,
                "engine_timeout": LIMIT,
                "start_timeout": 4 * LIMIT,
            },
            "Reconcile": {"interval": interval},
            "ProjectStore": {"root": str((beside or server).root)},
            "RamDirectories": {"hot_root": str((beside or server).hot_root)},
        }
        made.append(server)
        return server.start()

    yield make
    own_engine.thaw()
    for server in made:
        server.close()


def everything(server: Server) -> dict[str, Any]:
    """All that reconcile could take away, but for the engine's containers."""
    return {
        "records": sorted(r["session_id"] for r in helpers.open_records(server)),
        "directories": sorted(map(str, helpers.session_directories(server))),
        "hot": sorted(map(str, server.hot_root.glob("*/*-*"))),
    }


def test_an_engine_that_hangs_during_reconcile(
    make: Callable[..., Server], own_engine: PrivateEngine
) -> None:
    live = make(interval=0.5)
    killed = make(interval=3600, beside=live)
    project_id = live.create("hangs")
    session = live.start_session(project_id)
    theirs = killed.start_session(project_id)
    client = docker.DockerClient(own_engine.socket)
    with Events(live, "reconcile") as events, live.kernel(session["kernel_id"]) as kernel:
        own_engine.freeze()
        events.wait_for(None, "engine_lost")
        killed.kill()
        before = everything(live)
        assert len(before["records"]) == len(before["directories"]) == 2
        time.sleep(3 * LIMIT)  # some passes
        assert everything(live) == before and len(events.seen) == 1
        answer = live.request("POST", f"/api/projects/{project_id}/sessions", json={})
        assert answer.status_code == 503
        assert kernel.run("1 + 1").value == "2"

        own_engine.thaw()
        events.wait_for(None, "engine_back")
        closed = events.wait_for(None, "record_closed")
        assert closed["session_id"] == theirs["session_id"]
        events.wait_for(None, "directories_removed")
        assert [*helpers.containers(client, live)] == [session["container_id"]]
        removed = events.wait_for(None, "container_removed")
        assert removed["session_id"] == theirs["session_id"]
        left = everything(live)
        assert left["records"] == [session["session_id"]] and left["hot"] == before["hot"]
        assert len(left["directories"]) == 1
        assert kernel.run("1 + 1").value == "2"
    live.end_session(session)
    wait_until(lambda: helpers.nothing_left(client, live))
    client.close()


def test_an_engine_that_is_gone_and_comes_back(
    make: Callable[..., Server], own_engine: PrivateEngine
) -> None:
    """No pass by the clock: both the loss and the return are noticed by themselves."""
    live = make(interval=3600)
    killed = make(interval=3600, beside=live)
    project_id = live.create("returns")
    session = live.start_session(project_id)
    theirs = killed.start_session(project_id)
    with Events(live, "reconcile") as events, Events(live) as sessions:
        live.call("PUT", f"/api/projects/{project_id}/memory/memories/hot/a", 201, data=b"a")
        killed.kill()
        before = everything(live)
        own_engine.stop()
        events.wait_for(None, "engine_lost")
        answer = live.request("POST", f"/api/projects/{project_id}/sessions", json={})
        assert answer.status_code == 503
        assert theirs["session_id"] in everything(live)["records"]
        assert {*before["hot"]} <= {*everything(live)["hot"]}

        own_engine.start()
        events.wait_for(None, "engine_back")
        for action in ("directories_removed", "container_removed", "record_closed"):
            events.wait_for(None, action)
        client = docker.DockerClient(own_engine.socket)
        assert theirs["session_id"] not in everything(live)["records"]
        assert theirs["container_id"] not in helpers.containers(client, live)
        # Its container ended with the engine: the kernel came back with it, or is over.
        wait_until(
            lambda: any(
                sessions.of(session["session_id"], action) for action in ("restarted", "ended")
            )
        )
    wait_until(lambda: live.call("GET", "/health")["status"] == "ok")
    again = live.start_session(project_id)
    with live.kernel(again["kernel_id"]) as kernel:
        assert kernel.run("open('/memories/hot/a').read()").value == "'a'"
    live.call("DELETE", f"/api/projects/{project_id}?force=true")
    wait_until(lambda: helpers.nothing_left(client, live))
    client.close()


def test_an_engine_that_answers_slowly(
    make: Callable[..., Server], own_engine: PrivateEngine
) -> None:
    """Stopped for moments, again and again, while sessions start and end: nothing is taken away."""
    server = make(interval=0.2)
    project_id = server.create("slow")
    session = server.start_session(project_id)
    client = docker.DockerClient(own_engine.socket)
    with Events(server, "reconcile") as events, server.kernel(session["kernel_id"]) as kernel:
        for _ in range(4):
            own_engine.freeze()
            time.sleep(0.7 * LIMIT)
            own_engine.thaw()
            server.end_session(server.start_session(project_id))
        assert kernel.run("1 + 1").value == "2"
        stray = plant(client, helpers.root_uuid(server), helpers.owner_locks(server)[0].stem)
        event = events.wait_for(None, "container_removed")
        assert stray[:12] in event["message"]
        assert not events.of(None, "kernel_lost") and not events.of(None, "session_ended")
    assert [r["session_id"] for r in helpers.open_records(server)] == [session["session_id"]]
    server.end_session(session)
    wait_until(lambda: helpers.nothing_left(client, server))
    client.close()


def projects_in(server: Server) -> dict[str, Any]:
    """All files of projects, in the trash, too."""
    found = tree(server.root)
    return {path: what for path, what in found.items() if not path.startswith(".cognition")}


def test_an_engine_that_hangs_during_cleanup(
    make: Callable[..., Server], own_engine: PrivateEngine
) -> None:
    """Nobody knows then what its containers use: nothing goes, and the next look tries again."""
    live = make(interval=1)
    killed = make(interval=3600, beside=live)
    used, due, trashed = (live.create(name) for name in ("used", "due", "trashed"))
    session = killed.start_session(used)
    for project_id in (used, due):
        let_age(live.root, project_id, 31)
    live.call("DELETE", f"/api/projects/{trashed}")
    file = live.root / ".trash" / trashed / ".project_metadata.json"
    file.write_text(file.read_text().replace('"trashed_at": "20', '"trashed_at": "19'))
    with Events(live, "cleanup") as events, Events(live, "reconcile") as reconcile:
        own_engine.freeze()
        killed.kill()
        reconcile.wait_for(None, "engine_lost")
        before = projects_in(live)
        for query in ("", "?dry_run=true"):
            answer = live.request("POST", f"/api/projects/cleanup{query}")
            assert answer.status_code == 503, answer.text
            assert answer.json()["error"] == "runtime_unavailable"
        # Nor does anybody's word count for a container that nobody can ask for.
        for query in ("?force=true", "?force=true&permanent=true"):
            assert live.request("DELETE", f"/api/projects/{used}{query}").status_code == 503
        assert projects_in(live) == before
        assert events.wait_for(None, "failed")["code"] == "runtime_unavailable"

        own_engine.thaw()
        closed = reconcile.wait_for(None, "record_closed")
        assert closed["session_id"] == session["session_id"]
        done = live.call("POST", "/api/projects/cleanup")
        assert [case["project_id"] for case in done["trashed"]] == [due]
        assert [case["project_id"] for case in done["deleted"]] == [trashed]
    assert not live.request("GET", f"/api/projects/{trashed}").ok
    # Its session has ended only now.
    assert live.call("GET", f"/api/projects/{used}")["status"] == "idle"
