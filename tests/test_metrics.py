"""Metrics on a real server's `/metrics`, as Prometheus reads them."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import requests
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from traitlets.config import Config

from cognition_jupyter import metrics
from cognition_jupyter.core import Cognition
from cognition_jupyter.models import CreateProject

from .kernels.helpers import LEAN, wait_until
from .support.server import Server

BUBBLEWRAP = LEAN | {"RuntimeChoice": {"runtime": "bubblewrap"}}


class Scrape:
    def __init__(self, server: Server) -> None:
        text = server.request("GET", "/metrics").text
        self.samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith("cognition_")
        }

    def __getitem__(self, key: str | tuple[str, ...]) -> float:
        name, *labels = (key,) if isinstance(key, str) else key
        return self.samples[(f"cognition_{name}", *labels)]


def test_a_server_counts(make_server: Callable[..., Server]) -> None:
    server = make_server(config=BUBBLEWRAP)
    assert requests.get(f"{server.url}/metrics", timeout=10).status_code == 403
    before = Scrape(server)
    assert before["sessions", "running"] == 0
    assert before["cleanup_projects_total", "trashed"] == 0
    project_id, other = server.create("counted"), server.create("counted")
    wait_until(lambda: Scrape(server)["projects", "idle"] == 2)
    session = server.start_session(project_id)
    wait_until(lambda: Scrape(server)["projects", "active"] == 1)
    during = Scrape(server)
    assert during["sessions", "running"] == 1 and during["sessions", "starting"] == 0
    assert during["session_start_seconds_count", "bubblewrap"] == 1
    assert 0 < during["session_start_seconds_sum", "bubblewrap"] < 60
    server.call("PUT", f"/api/projects/{project_id}/memory/memories/hot/a", 201, data=b"a")
    server.call("POST", f"/api/projects/{project_id}/snapshots", 201)
    server.end_session(session)
    server.call("DELETE", f"/api/projects/{other}")
    refused = server.request(
        "POST", f"/api/projects/{project_id}/sessions", json={"network_mode": "ON"}
    )
    assert refused.status_code == 403
    wait_until(lambda: Scrape(server)["projects", "trashed"] == 1)
    after = Scrape(server)
    assert after["sessions", "running"] == 0 and after["session_ends_total", "client"] == 1
    assert after["snapshot_seconds_count", "request"] == 1
    assert 0 < after["snapshot_seconds_sum", "request"] < 60
    codes = {key[1] for key in after.samples if key[0] == "cognition_session_failures_total"}
    assert codes == {refused.json()["error"]}
    server.stop()


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"cognition_{name}", labels) or 0.0


def test_several_servers_in_one_process() -> None:
    async def body() -> None:
        made = []
        for number in range(2):
            base = Path(tempfile.mkdtemp(prefix="cgn", dir="/dev/shm"))
            config = Config({"RamDirectories": {"hot_root": str(base / "ram")}})
            one = Cognition(base, config=config)
            one.open()
            for _ in range(number + 1):
                await one.store.create(CreateProject(user_prefix="metrics"))
            counting = metrics.Metrics(one.store, one.launcher, logging.getLogger("test"))
            one.events.subscribe(counting.note)
            counting.start()
            made.append((one, counting))
        while value("projects", status="idle") != 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        first, second = made
        tell = first[0].events.of("cleanup")
        tell("finished", {"trashed": 2, "deleted": 1, "warned": 0, "failed": 0, "seconds": 0.5})
        tell("warning", {"project_id": "a-00000000"})
        assert value("cleanup_projects_total", result="trashed") == 2
        assert value("cleanup_seconds_count") == 1 and value("cleanup_seconds_sum") == 0.5
        first[0].events.of("memory")("failed", {"reason": "interval", "project_id": "x"})
        assert value("snapshot_failures_total", reason="interval") == 1
        second[0].events.of("reconcile")("record_closed", {"message": "Why."})
        assert value("reconcile_total", action="record_closed") == 1
        await first[1].stop()
        assert value("projects", status="idle") == 2
        await second[1].stop()
        assert value("projects", status="idle") == 0
        for one, _ in made:
            await one.close()

    asyncio.run(asyncio.wait_for(body(), 30))
