"""Whatever disagrees is mended, and told with why; what agrees is left alone in silence."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ..kernels import helpers
from ..kernels.helpers import Events, wait_until
from ..runtimes.engines import Relay
from ..support.server import Server, clean_environment
from .test_reconcile import QUICK, plant

# Kernels whose manager, or whose session, is gone behind the other's back.
KERNELS = """
import asyncio, json, sys
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from cognition_jupyter.core import Cognition

async def main(directory):
    told = []
    kernels = AsyncMappingKernelManager(default_kernel_name="cognition")
    ids = [await kernels.start_kernel(kernel_name="cognition", cwd=directory) for _ in range(4)]
    (cognition,) = Cognition._unserved.values()
    cognition.events.subscribe(lambda event: told.append((event.noun, event.document)))
    cognition.reconcile.serve(kernels, lambda: None)
    live = cognition.launcher.live
    kernels.get_kernel(ids[0]).stop_restarter()
    kernels.remove_kernel(ids[0])
    await cognition.launcher.close(live[ids[1]])
    for _ in range(3):
        await cognition.reconcile.run()
    answer = {
        "ids": ids, "live": [*live], "listed": kernels.list_kernel_ids(),
        "told": [data for noun, data in told if noun == "reconcile"],
    }
    await kernels.shutdown_all(now=True)
    answer["left"] = [*live], kernels.list_kernel_ids()
    print(json.dumps(answer))

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def lean(make_server: Callable[..., Server], engine: docker.DockerClient) -> Iterator[Server]:
    server = make_server(config=QUICK)
    yield server
    server.stop()
    assert helpers.nothing_left(engine, server, locks=0)
    server.close()


def edit(server: Server, project_id: str, change: Callable[[dict[str, Any]], None]) -> None:
    file = server.root / project_id / ".project_metadata.json"
    metadata = json.loads(file.read_text())
    change(metadata)
    file.write_text(json.dumps(metadata))


def told(events: Events, action: str) -> dict[str, Any]:
    event = events.wait_for(None, action)
    assert event["actor"] == "server" and event["message"].endswith(".")
    return event


def test_what_agrees_is_left_in_silence(lean: Server) -> None:
    project_id = lean.create("quiet")
    with Events(lean, "reconcile") as events:
        session = lean.start_session(project_id)
        with lean.kernel(session["kernel_id"]) as kernel:
            kernel.check("x = 1")
            time.sleep(3.5)  # some passes
            helpers.restart(lean, session["kernel_id"])
            helpers.settle(kernel)
        lean.end_session(session)
        lean.call("DELETE", f"/api/projects/{project_id}")
        time.sleep(2.5)
        assert not events.seen


def test_everything_that_disagrees(lean: Server, engine: docker.DockerClient) -> None:
    project_id, gone = lean.create("mended"), lean.create("gone")
    session = lean.start_session(project_id)
    lean.call("PUT", f"/api/projects/{gone}/memory/memories/hot/a", 201, data=b"a")
    (hot,) = lean.hot_root.glob(f"*/{gone}")
    (lock,) = helpers.owner_locks(lean)
    base = hot.parent
    with Events(lean, "reconcile") as events:
        stray = plant(engine, helpers.root_uuid(lean), lock.stem)
        told(events, "container_removed")
        assert stray not in helpers.containers(engine, lean)

        unused = base / ".s" / lock.stem / "0123456789ab"
        (unused / "k").mkdir(parents=True)
        told(events, "directories_removed")
        assert not unused.exists()
        dead = base / ".s" / secrets.token_hex(8) / "0123456789ab"
        dead.mkdir(parents=True)
        assert dead.parent.name in events.wait_for(None, "directories_removed", count=2)["message"]
        assert not dead.exists()

        shutil.rmtree(lean.root / gone)
        assert told(events, "memory_released")["project_id"] == gone
        assert not [*base.glob(f"*{gone}*")]

        def lose(metadata: dict[str, Any]) -> None:
            metadata["sessions"][0]["session_id"] = "lost"

        edit(lean, project_id, lose)
        assert told(events, "record_opened")["session_id"] == session["session_id"]
        closed = told(events, "record_closed")
        assert (closed["project_id"], closed["session_id"]) == (project_id, "lost")
        assert helpers.record(lean, project_id, session["session_id"])["ended_at"] is None

        before = len(events.seen)
        with lean.kernel(session["kernel_id"]) as kernel:
            assert kernel.run("1 + 1").value == "2"
        time.sleep(2.5)
        assert len(events.seen) == before
    lean.end_session(session)
    assert helpers.record(lean, project_id, session["session_id"])["reason"] == "client"


def test_labels_that_claim_too_much(lean: Server, engine: docker.DockerClient) -> None:
    project_id = lean.create("claimed")
    session = lean.start_session(project_id)
    labels = {
        "cognition.root": helpers.root_uuid(lean),
        "cognition.owner": "../../../etc",
        "cognition.project": "../../x\nERROR forged line",
        "cognition.session": "\x1b[2J" * 20,
    }
    with Events(lean, "reconcile") as events:
        image = session_image(engine, session)
        forged = engine.containers.create(image, ["sleep", "600"], labels=labels)
        event = told(events, "container_removed")
        assert "project_id" not in event and "session_id" not in event
        assert "forged line" not in lean.tail()
        # One that claims to be the live session's own is not; that one goes on.
        (lock,) = helpers.owner_locks(lean)
        labels |= {
            "cognition.owner": lock.stem,
            "cognition.project": project_id,
            "cognition.session": session["session_id"],
        }
        twin = engine.containers.create(image, ["sleep", "600"], labels=labels)
        event = events.wait_for(None, "container_removed", count=2)
        assert event["session_id"] == session["session_id"] and twin.id[:12] in event["message"]
        assert forged.id != twin.id
    assert helpers.containers(engine, lean) == {session["container_id"]: "running"}
    lean.end_session(session)


def session_image(engine: docker.DockerClient, session: dict[str, Any]) -> str:
    image: str = engine.api.inspect_container(session["container_id"])["Image"]
    return image


def test_a_container_that_went_without_a_word(
    make_server: Callable[..., Server], engine: docker.DockerClient
) -> None:
    """Somebody removes it, and the engine's event does not come through."""
    relay = Relay()
    config = QUICK | {
        "DockerRuntime": {"base_url": f"unix://{relay.path}"},
        "KernelRestarter": {"time_to_dead": 0.3},
    }
    server = make_server(config=config)
    try:
        project_id = server.create("wordless")
        session = server.start_session(project_id)
        with Events(server, "reconcile") as events, Events(server) as sessions:
            relay.hold_answers = re.compile("/events")
            relay.going.clear()
            engine.containers.get(session["container_id"]).remove(force=True)
            event = told(events, "kernel_lost")
            assert event["session_id"] == session["session_id"] and "removed" in event["message"]
            relay.hold_answers = None
            relay.going.set()
            restarted = sessions.wait_for(session["session_id"], "restarted")
            assert restarted["reason"] == "engine"
        with server.kernel(session["kernel_id"]) as kernel:
            helpers.settle(kernel)
            assert kernel.run("1 + 1").value == "2"
        server.end_session(session)
        server.stop()
        assert helpers.nothing_left(engine, server, locks=0)
    finally:
        relay.close()


def test_kernels_and_sessions_that_lost_each_other(lean: Server, tmp_path: Path) -> None:
    project_id = lean.create("apart")
    lean.stop()
    lean.config["RuntimeChoice"] = {"runtime": "bubblewrap"}
    lean.start()
    lean.stop()  # its configuration is where a program finds it
    done = subprocess.run(
        [sys.executable, "-c", KERNELS, str(lean.root / project_id / "repo")],
        env=clean_environment(lean.home),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    unlisted, ended, *others = answer["ids"]
    assert sorted(answer["live"]) == sorted(answer["listed"]) == sorted(others)
    by_action = {event["action"]: event["session_id"] for event in answer["told"]}
    assert by_action == {"session_ended": unlisted, "kernel_removed": ended}
    assert answer["left"] == [[], []]
    wait_until(lambda: helpers.record(lean, project_id, unlisted)["ended_at"])
    lean.start()
