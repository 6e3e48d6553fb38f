"""The use of a project over REST, after real sessions."""

from __future__ import annotations

from pathlib import Path

from ..sessions.client import Socket
from .api import Api


def test_what_sessions_leave_behind_is_told(api: Api) -> None:
    project_id = api.create("used")
    path = f"/api/projects/{project_id}"
    before = api.call("GET", f"{path}/usage")
    assert before["days"] == [] and before["reasons"] == {} and before["memory"] == []
    for size in (1000, 5000):
        memory = f"{path}/memory/memories/hot/notes"
        api.server.request("PUT", memory, data=b"x" * size)
        api.call("POST", f"{path}/snapshots", 201)
    with Socket(api.server) as socket:
        session_id = socket.create(project_id=project_id)["session_id"]
        socket.run(session_id, "open('large', 'wb').write(b'x' * 3_000_000)")
        socket.run(session_id, "1 + 1")
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")
    api.server.start_session(project_id)
    after = api.call("GET", f"{path}/usage")
    assert sum(day["sessions"] for day in after["days"]) == after["totals"]["sessions"] == 2
    assert sum(day["messages"] for day in after["days"]) == after["totals"]["messages"] == 2
    assert sum(day["seconds"] for day in after["days"]) > after["totals"]["seconds"] > 0
    assert after["reasons"] == {"client": 1}
    assert [row["bytes"] for row in after["memory"]] == [1000, 5000]
    assert after["disk"] == before["disk"]  # measured a moment ago
    assert after["disk"]["complete"]
    workspace = Path(api.call("GET", path)["workspace_path"])
    assert (workspace / "large").stat().st_size == 3_000_000
    api.call("DELETE", f"{path}?force=true&permanent=true")
