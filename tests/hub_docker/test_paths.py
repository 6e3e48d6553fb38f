"""Servers in containers: what they share with others on one root, and what can't be translated."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import ContainerError

from .conftest import as_root

pytestmark = as_root

SOCKET = "/var/run/docker.sock"
ROOT = "/srv/cognition"
HOT = "/run/cognition"

# Opens the root as a server does, mends what it finds, and starts a session where it is told to.
OPEN = """
import asyncio, json, sys
from pathlib import Path
from cognition_jupyter.core import Cognition, load_config
from cognition_jupyter.exceptions import CognitionError
from cognition_jupyter.models import CreateProject

async def main():
    config = load_config()
    async with Cognition.unserved(Path(config.ProjectStore.root), config) as cognition:
        told = []
        cognition.reconcile.emit = lambda action, data: told.append(action)
        if sys.argv[1] == "mend":
            for _ in range(2):
                await cognition.reconcile.run()
            print(json.dumps(told))
            return
        made = await cognition.store.create(CreateProject(user_prefix="inside"))
        paths = cognition.store.paths(made.project_id)
        try:
            session = await cognition.launcher.open("session-1", str(paths.repo))
            argv = ["sleep", "1000"]
            await cognition.launcher.launch(session, argv, {}, None)
        except CognitionError as error:
            await cognition.launcher.close_all("client")  # as the provisioner does
            live = (await cognition.store.get(made.project_id)).live_sessions
            print(json.dumps([error.code, error.message, len(live)]), flush=True)
            return
        print(json.dumps(made.project_id), flush=True)
        await asyncio.sleep(1000)  # until it is killed

asyncio.run(main())
"""


class Machine:
    """A volume and a directory in RAM on the engine's machine, and containers that have them."""

    def __init__(self, engine: docker.DockerClient, image: str) -> None:
        self.engine = engine
        self.image = image
        self.name = f"cognition-test-{secrets.token_hex(4)}"
        self.ram = Path("/dev/shm", self.name)
        self.ram.mkdir(mode=0o700)
        os.chown(self.ram, 1000, 1000)
        self.started: list[Any] = []

    def _options(self, *without: str, **options: Any) -> dict[str, Any]:
        binds = {self.name: ROOT, str(self.ram): HOT, SOCKET: SOCKET}
        return {
            "image": self.image,
            "group_add": [os.stat(SOCKET).st_gid],
            "volumes": [f"{k}:{v}" for k, v in binds.items() if v not in without],
            "init": True,
            "network_mode": "none",
            **options,
        }

    def run(self, *command: str, without: tuple[str, ...] = (), **options: Any) -> Any:
        """Run a command to its end; its output as JSON."""
        options = self._options(*without, **options)
        try:
            said = self.engine.containers.run(command=[*command], remove=True, **options)
        except ContainerError as error:  # the doctor's exit status; its output is in the log
            raise AssertionError(error.stderr) from None
        return json.loads(said)

    def start(self, *command: str) -> Any:
        container = self.engine.containers.run(command=[*command], detach=True, **self._options())
        self.started.append(container)
        return container

    def doctor(self, *arguments: str, **options: Any) -> dict[str, Any]:
        """Findings by the name of their check."""
        command = "jupyter cognition doctor --json " + " ".join(arguments)
        report = self.run("sh", "-c", f"{command} || test $? = 1", **options)
        return {finding["check"]: finding for finding in report["findings"]}

    def close(self) -> None:
        for container in self.started:
            container.remove(force=True)
        for found in self.sessions():
            found.remove(force=True)
        for volume in self.engine.volumes.list(filters={"name": self.name}):
            volume.remove(force=True)
        shutil.rmtree(self.ram)

    def sessions(self) -> list[Any]:
        """Containers of sessions that have our RAM."""
        found = self.engine.containers.list(
            all=True, ignore_removed=True, filters={"label": "cognition.session"}
        )
        return [c for c in found if any(str(self.ram) in m["Source"] for m in c.attrs["Mounts"])]


@pytest.fixture
def machine(engine: docker.DockerClient, image: str) -> Iterator[Machine]:
    made = Machine(engine, image)
    yield made
    made.close()


def test_servers_in_two_containers_know_of_each_other(machine: Machine) -> None:
    first = machine.start("python3", "-c", OPEN, "open")
    line = next(iter(first.logs(stream=True)))
    project_id = json.loads(line)
    assert isinstance(project_id, str), line
    (session,) = machine.sessions()
    # Another pid, ipc and network namespace, the same root: the first is seen to live.
    found = machine.doctor()
    assert "1 containers, each of a server that lives" in found["containers"]["message"]
    assert all(finding["status"] == "ok" for finding in found.values()), found
    assert machine.run("python3", "-c", OPEN, "mend") == []
    assert [c.id for c in machine.sessions()] == [session.id]
    # And when it has gone, its session is mended.
    first.kill()
    found = machine.doctor()
    assert found["containers"]["code"] == "orphan_containers"
    assert project_id in found["containers"]["message"]
    told = machine.run("python3", "-c", OPEN, "mend")
    assert {"container_removed", "record_closed", "directories_removed"} <= {*told}
    assert machine.sessions() == []


def test_how_our_own_container_is_recognised(machine: Machine) -> None:
    for options in ({"hostname": "elsewhere"}, {"network_mode": "host"}):
        found = machine.doctor(**options)
        assert found["mounts"]["status"] == "ok", found
    source = machine.engine.volumes.get(machine.name).attrs["Mountpoint"]
    assert f"{ROOT} (there {source})" in found["mounts"]["message"]


@pytest.mark.parametrize(
    ("without", "tmpfs", "which"),
    [
        ((ROOT,), {}, "the mount / is no volume"),
        ((HOT,), {}, "the mount / is no volume"),
        ((HOT,), {HOT: "uid=1000,mode=0700"}, f"the mount {HOT} is no volume"),
        ((), {f"{ROOT}/workspaces": "uid=1000,mode=0700"}, f"the mount {ROOT}/workspaces is no"),
    ],
    ids=["no volume", "no RAM", "RAM of its own", "a tmpfs in the volume"],
)
def test_what_no_session_can_be_given(
    machine: Machine, without: tuple[str, ...], tmpfs: dict[str, str], which: str
) -> None:
    options: dict[str, Any] = {"without": without, "tmpfs": tmpfs}
    code, message, live = machine.run("python3", "-c", OPEN, "open", **options)
    assert code == "mounts_unusable" and which in message, message
    assert "this server runs in a container" in message and live == 0
    found = machine.doctor(**options)
    assert found["mounts"]["code"] == "mounts_unusable" and which in found["mounts"]["message"]
    assert machine.sessions() == []
