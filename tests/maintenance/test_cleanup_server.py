"""Cleanup in a real server: by the clock soon after its start, by REST, with who did it."""

from __future__ import annotations

from collections.abc import Callable

from ..kernels.helpers import Events, wait_until
from ..support.server import Server
from ..test_events import user_of
from .life import let_age


def test_the_clock_of_a_server_cleans_up(make_server: Callable[..., Server]) -> None:
    server = make_server(environment={"PROJECT_CLEANUP_CHECK_INTERVAL": "1"})
    due, near, fresh = (server.create(name) for name in ("due", "near", "fresh"))
    with Events(server, "project") as projects, Events(server, "cleanup") as cleanup:
        let_age(server.root, due, 30.001)
        let_age(server.root, near, 28)
        server.call("POST", f"/api/projects/{fresh}/unpin")  # which looks at what was edited
        server.call("GET", f"/api/projects/{due}")
        server.stop()
        server.start()
    with Events(server, "project") as projects, Events(server, "cleanup") as cleanup:
        wait_until(lambda: (server.root / ".trash" / due).exists())
        trashed = projects.of(due, "trashed")
        assert not trashed or trashed[0]["actor"] == "server"
        assert server.call("GET", f"/api/projects/{due}")["status"] == "trashed"
        assert server.call("GET", f"/api/projects/{near}")["cleanup_in_days"] == 2
        cleanup.wait_for(None, "finished")
        assert (server.root / fresh).exists() and (server.root / near).exists()
    assert f"Cleanup: {near} goes to the trash at" in server.log.read_text()


def test_a_round_over_rest_says_who(server: Server) -> None:
    project_id = server.create("by-hand")
    server.call("PATCH", f"/api/projects/{project_id}", json={"cleanup_after_days": 1})
    let_age(server.root, project_id, 2)
    server.call("GET", f"/api/projects/{project_id}")
    with Events(server, "project") as projects, Events(server, "cleanup") as cleanup:
        dry = server.call("POST", "/api/projects/cleanup?dry_run=true")
        assert project_id in [case["project_id"] for case in dry["trashed"]]
        done = server.call("POST", "/api/projects/cleanup")
        assert project_id in [case["project_id"] for case in done["trashed"]]
        event = projects.wait_for(project_id, "trashed")
        assert (event["reason"], event["actor"]) == ("cleanup", user_of(server))
        finished = cleanup.wait_for(None, "finished")
        assert finished["trashed"] == len(done["trashed"]) and finished["seconds"] >= 0
    assert server.request("POST", "/api/projects/cleanup?dry_run=maybe").status_code == 400
