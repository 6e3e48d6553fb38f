"""What sessions use of the machine, from real containers; and the list of all sessions."""

from __future__ import annotations

from typing import Any

import pytest

from ..support.server import unique
from .api import Api

MIB = 1 << 20
GROW = f"kept = bytearray(b'x' * {200 * MIB}); print(len(kept))"
WORK = "print(sum(n * n for n in range(3_000_000)))"


@pytest.mark.parametrize("runtime", ["docker", "bubblewrap"])
def test_memory_and_cpu_of_a_session(request: pytest.FixtureRequest, runtime: str) -> None:
    fixture = {"docker": "api", "bubblewrap": "strict"}[runtime]
    api: Api = request.getfixturevalue(fixture)
    project_id = api.create("uses") if fixture == "api" else request.getfixturevalue("only_project")
    path = f"/api/projects/{project_id}/sessions"
    session = api.call("POST", path, 201, json={})
    assert session["runtime"] == runtime
    usage = f"{path}/{session['session_id']}/usage"
    with api.server.kernel(session["kernel_id"]) as kernel:
        before = api.call("GET", usage)
        assert 10 * MIB < before["memory_bytes"] < 400 * MIB
        kernel.run(GROW)
        kernel.run(WORK)
        after = api.call("GET", usage)
    assert after["memory_bytes"] - before["memory_bytes"] > 190 * MIB
    assert after["cpu_seconds"] > before["cpu_seconds"] > 0
    assert after["processes"] >= 1
    assert after["memory_limit_bytes"] == (2 << 30 if runtime == "docker" else None)
    api.call("DELETE", f"{path}/{session['session_id']}")
    assert set(api.call("GET", usage).values()) == {None}
    api.refuse("GET", f"{path}/nonsense/usage", 404, "session_not_found")


def test_sessions_of_all_projects(api: Api) -> None:
    one, other = api.create(unique()), api.create(unique())

    def start(project_id: str) -> dict[str, Any]:
        path = f"/api/projects/{project_id}/sessions"
        session: dict[str, Any] = api.call("POST", path, 201, json={})
        return session

    def end(session: dict[str, Any]) -> None:
        path = f"/api/projects/{session['project_id']}/sessions/{session['session_id']}"
        api.call("DELETE", path)

    def listed(query: str = "") -> list[tuple[str, str | None]]:
        rows = api.call("GET", f"/api/projects/sessions{query}")["sessions"]
        mine = [row for row in rows if row["project_id"] in (one, other)]
        return [(row["session_id"], row["reason"]) for row in mine]

    first, second, third = start(one), start(one), start(other)
    ids = [session["session_id"] for session in (first, second, third)]
    assert listed() == [(ids[2], None), (ids[1], None), (ids[0], None)]
    end(third)
    end(first)
    assert listed() == [(ids[1], None), (ids[0], "client"), (ids[2], "client")]
    assert listed("?ended=1") == [(ids[1], None), (ids[0], "client")]
    assert listed("?ended=0") == [(ids[1], None)]
    api.refuse("GET", "/api/projects/sessions?ended=x", 400, "invalid_input")
    api.call("DELETE", f"/api/projects/{one}?force=true")
    assert listed() == [(ids[2], "client")]
    api.call("DELETE", f"/api/projects/{other}?permanent=true")
