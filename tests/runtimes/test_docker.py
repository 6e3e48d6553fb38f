"""What only the docker runtime has: an engine's hardening, limits, networks and events."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from traitlets import TraitError
from traitlets.config import Config

from cognition_jupyter.exceptions import RuntimeUnavailable
from cognition_jupyter.kernels.policy import DEFAULT_IMAGE
from cognition_jupyter.runtimes.docker import DockerRuntime, parse_size

from .engines import Relay
from .support import USER, Place, new_uuid, until

ICC = "com.docker.network.bridge.enable_icc"


def make(**traits: object) -> Place:
    return Place(DockerRuntime(root_uuid=new_uuid(), **traits))


@pytest.fixture
def place() -> Iterator[Place]:
    made = make()
    yield made
    shutil.rmtree(made.path, ignore_errors=True)


@pytest.fixture
def network(engine: docker.DockerClient) -> Iterator[str]:
    name = f"cognition-test-{secrets.token_hex(4)}"
    yield name
    for found in engine.networks.list(names=[name]):
        found.remove()


def test_containers_are_hardened(engine: docker.DockerClient) -> None:
    place = make(
        memory_limit="0.5GB",
        cpu_limit=0.5,
        pids_limit=64,
        open_files_limit=256,
        security_options=["label=disable"],
    )
    code = """
        import json, os, resource, threading, time
        def count(start):
            made = []
            try:
                while len(made) < 1000:
                    made.append(start())
            except (OSError, RuntimeError):
                pass
            return len(made)
        files = count(lambda: open("/dev/null"))
        threads = count(lambda: threading.Thread(target=time.sleep, args=[2], daemon=True).start())
        with open("facts", "w") as file:
            json.dump([files, threads, resource.getrlimit(resource.RLIMIT_NOFILE)], file)
        os._exit(0)
    """

    async def body() -> None:
        async with place.running(place.sh("exec sleep 1000")) as container:
            details = engine.api.inspect_container(container)
        host, config = details["HostConfig"], details["Config"]
        assert host["NetworkMode"] == "none" and host["CapDrop"] == ["ALL"] and not host["CapAdd"]
        assert set(host["SecurityOpt"]) == {"no-new-privileges", "label=disable"}
        assert host["ReadonlyRootfs"] is True and host["Init"] is True
        assert host["Memory"] == host["MemorySwap"] == 1 << 29
        assert host["NanoCpus"] == 500_000_000 and host["PidsLimit"] == 64
        assert host["Ulimits"] == [{"Name": "nofile", "Soft": 256, "Hard": 256}]
        assert host["LogConfig"]["Type"] == "none" and host["IpcMode"] == "private"
        assert not host["Privileged"] and not host["AutoRemove"] and not host["Devices"]
        assert host["PidMode"] == host["UTSMode"] == host["UsernsMode"] == ""
        assert host["RestartPolicy"]["Name"] in ("", "no")
        assert not host["PortBindings"] and not host["VolumesFrom"] and not host["GroupAdd"]
        assert config["User"] == "{}:{}".format(*USER) and config["Entrypoint"] in ([], None)
        assert not config["Tty"] and not config["OpenStdin"]
        assert {m["Destination"]: m["Source"] for m in details["Mounts"]} == {
            mount.target: str(mount.source) for mount in place.mounts
        }
        labels = {
            "cognition.root": place.runtime.root_uuid,
            "cognition.owner": "0123456789abcdef",
            "cognition.project": "contract-00000000",
            "cognition.session": "session-1",
        }
        assert config["Labels"] == config["Labels"] | labels
        assert (await place.finish(place.python(code))).code == 0
        files, threads, limits = json.loads(place.read("facts"))
        assert files < 256 and threads < 64 and limits == [256, 256]

    place.run(body)


def test_an_image_changes_nothing_of_it(engine: docker.DockerClient) -> None:
    """A project's own image has an entry point, a volume, a health check, a user, environment."""
    place = make()
    image = f"cognition-test-{secrets.token_hex(4)}:1"
    base = engine.api.create_container(DEFAULT_IMAGE, ["true"])
    settings = {
        "Entrypoint": ["/bin/false"],
        "User": "0:0",
        "Volumes": {"/var/data": {}},
        "Env": ["OF_THE_IMAGE=1", "HOME=/root"],
    }
    engine.api.commit(base["Id"], *image.split(":"), conf=settings)
    engine.api.remove_container(base["Id"])

    async def body() -> None:
        volumes = {v["Name"] for v in engine.api.volumes()["Volumes"] or ()}
        script = "id -u > id; echo $HOME > home"
        assert (await place.finish(place.sh(script, image=image))).code == 0
        assert place.read("id").strip() == str(USER[0]) and place.read("home") == "/tmp/home\n"
        assert {v["Name"] for v in engine.api.volumes()["Volumes"] or ()} <= volumes

    try:
        place.run(body)
    finally:
        engine.api.remove_image(image)


def test_a_missing_image_is_named(place: Place) -> None:
    async def body() -> None:
        with pytest.raises(RuntimeUnavailable) as missing:
            await place.runtime.start(place.sh("true", image="127.0.0.1:1/nothing:7"))
        assert missing.value.status == 503 and missing.value.code == "image_missing"
        assert "127.0.0.1:1/nothing:7" in missing.value.message
        assert "jupyter cognition image build" in missing.value.message
        assert await place.runtime.found() == []
        for wrong in ("UPPER/case", "a b", "", "-"):  # what no image can be called
            with pytest.raises(RuntimeUnavailable):
                await place.runtime.start(place.sh("true", image=wrong))

    place.run(body)


def test_out_of_memory_is_told_from_other_ends() -> None:
    place = make(memory_limit="40m")
    eat = "x = bytearray(200 << 20)"

    async def body() -> None:
        ended = await place.finish(place.python(eat))
        assert (ended.code, ended.reason) == (137, "out_of_memory")
        assert "memory" in ended.detail
        # The kernel's child was killed for it, not the kernel.
        child = f"""
            import subprocess, sys
            code = subprocess.run([sys.executable, "-c", {eat!r}]).returncode
            sys.exit(4 if code == -9 else 5)
        """
        ended = await place.finish(place.python(child))
        assert (ended.code, ended.reason) == (4, "crashed")

    place.run(body)


def test_more_cpus_than_the_engine_has_is_all_it_has(engine: docker.DockerClient) -> None:
    place = make(cpu_limit=4096)

    async def body() -> None:
        async with place.running(place.sh("exec sleep 1000")) as container:
            limit = engine.api.inspect_container(container)["HostConfig"]["NanoCpus"]
        assert limit == engine.info()["NCPU"] * 10**9

    place.run(body)


def test_the_proxies_of_the_servers_user_stay_outside(tmp_path: Path) -> None:
    """Docker's own client adds them to every container, passwords included."""
    proxies = {"default": {"httpProxy": "http://user:do-not-leak@proxy.example:3128"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    before = os.environ.get("DOCKER_CONFIG")
    os.environ["DOCKER_CONFIG"] = str(tmp_path)
    try:
        place = make()

        async def body() -> None:
            assert (await place.finish(place.sh("env > environment"))).code == 0
            assert "do-not-leak" not in place.read("environment")

        place.run(body)
    finally:
        if before is None:
            del os.environ["DOCKER_CONFIG"]
        else:
            os.environ["DOCKER_CONFIG"] = before


# -- networks ------------------------------------------------------------------------------


def test_the_bridge_is_made_once_and_right(engine: docker.DockerClient, network: str) -> None:
    place = make(network_name=network)

    async def body() -> None:
        on = place.sh("exec sleep 1000", network_mode="ON")
        containers = await asyncio.gather(*(place.runtime.start(on) for _ in range(3)))
        (made,) = engine.api.networks([network])
        assert made["Driver"] == "bridge" and made["Options"][ICC] == "false"
        for container in containers:
            host = engine.api.inspect_container(container)["HostConfig"]
            assert host["NetworkMode"] == network
        await asyncio.gather(*(place.runtime.remove(container) for container in containers))

    place.run(body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"driver": "bridge"},
        {"driver": "bridge", "options": {ICC: "true"}},
    ],
)
def test_another_network_of_that_name_is_refused(
    engine: docker.DockerClient, network: str, wrong: dict[str, object]
) -> None:
    engine.networks.create(network, **wrong)
    place = make(network_name=network)

    async def body() -> None:
        with pytest.raises(RuntimeUnavailable, match="set DockerRuntime") as refused:
            await place.runtime.start(place.sh("true", network_mode="ON"))
        assert network in refused.value.message
        assert await place.runtime.found() == []
        assert (await place.finish(place.sh("true"))).code == 0  # OFF needs none

    place.run(body)


# -- behind our back, and events -----------------------------------------------------------


def test_what_the_engine_is_made_to_do_by_others_is_its_reason(
    place: Place, engine: docker.DockerClient
) -> None:
    async def body() -> None:
        names = ("removed", "killed", "stopped", "paused", "ours")
        spec = place.sh("trap 'exit 7' USR1; while :; do sleep 0.1; done")
        started = await asyncio.gather(*(place.runtime.start(spec) for _ in names))
        of = dict(zip(names, started, strict=True))
        engine.api.remove_container(of["removed"], force=True)
        engine.api.kill(of["killed"])
        engine.api.stop(of["stopped"], timeout=5)
        engine.api.pause(of["paused"])
        await place.runtime.signal(of["ours"], 9)
        ended = {name: await place.runtime.wait(of[name], 60) for name in names if name != "paused"}
        assert {name: (e.code, e.reason) for name, e in ended.items() if e} == {
            "removed": (137, "engine"),
            "killed": (137, "engine"),
            "stopped": (143, "engine"),
            "ours": (137, "crashed"),
        }
        assert place.runtime.exit_of(of["paused"]) is None
        await asyncio.gather(*(place.runtime.remove(container) for container in started))
        # A signal that did not end it is not the reason why it ended later.
        container = await place.runtime.start(spec)
        engine.api.kill(container, signal=28)  # SIGWINCH
        engine.api.kill(container, signal=10)
        later = await place.runtime.wait(container, 60)
        assert later is not None and (later.code, later.reason) == (7, "crashed")
        await place.runtime.remove(container)

    place.run(body)


def test_exits_arrive_without_asking(engine: docker.DockerClient) -> None:
    relay = Relay()
    place = make(base_url=relay.url)

    async def body() -> None:
        container = await place.runtime.start(place.sh("sleep 1; exit 9"))
        before = len(relay.requests)
        ended = await place.runtime.wait(container, 60)
        assert ended is not None and ended.code == 9
        assert place.runtime.exit_of(container) == ended
        asked = relay.requests[before:]
        assert len(asked) <= 1 and all("/json" in request for request in asked), asked
        # The line breaks: nothing is lost.
        container = await place.runtime.start(place.sh("sleep 0.3; exit 8"))
        relay.cut()
        ended = await place.runtime.wait(container, 60)
        assert ended is not None and (ended.code, ended.reason) == (8, "crashed")
        await place.runtime.remove(container)

    try:
        place.run(body)
    finally:
        relay.close()


# -- resources -----------------------------------------------------------------------------


def test_a_closed_runtime_holds_nothing() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    def ours() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("cognition-e")]

    async def use() -> None:
        runtime = DockerRuntime(root_uuid=new_uuid())
        await asyncio.gather(*(runtime.found() for _ in range(20)))
        await runtime._engine.ask(runtime._events.wait_until_flowing)
        assert len(ours()) <= 9
        await runtime.close()
        await runtime.close()
        with pytest.raises(RuntimeUnavailable, match="closed"):
            await runtime.found()
        assert not (await runtime.health()).available
        await until(lambda: not ours())

    asyncio.run(use())
    before = descriptors()
    for _ in range(20):
        asyncio.run(use())
    assert descriptors() <= before


def test_a_runtime_survives_its_event_loops() -> None:
    """A provisioner without a server runs in loops that live for one call."""
    place = make()
    container = asyncio.run(place.runtime.start(place.sh("sleep 0.5; exit 3")))
    ended = asyncio.run(place.runtime.wait(container, 10))
    assert ended is not None and ended.code == 3
    asyncio.run(place.runtime.remove(container))

    async def nothing() -> None:
        assert await place.runtime.found() == []

    place.run(nothing)


# -- traits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trait", "values"),
    [
        ("memory_limit", ["banana", "", "2 g", "-1", "5m", "1x", "2tb", "g", "1e9", "9" * 30, "0"]),
        ("cpu_limit", [0, -1, float("nan"), float("inf"), 0.001, "two"]),
        ("pids_limit", [0, -1, 7, 1 << 40, 1.5, "many"]),
        ("open_files_limit", [0, -1, 10, 1 << 40]),
        ("engine_timeout", [0, -1, float("nan"), float("inf")]),
        ("start_timeout", [0, -1, float("nan"), 1e9]),
        ("security_options", [1, {}, [1]]),
    ],
)
def test_a_wrong_value_is_refused_at_once(trait: str, values: list[object]) -> None:
    for value in values:
        config = Config({"DockerRuntime": {trait: value}})
        with pytest.raises(TraitError, match=trait):
            DockerRuntime(config=config)


def test_amounts_of_memory() -> None:
    amounts = {"6291456": 6 << 20, "512m": 512 << 20, "512MB": 512 << 20, "2g": 2 << 30}
    amounts |= {"1.5g": 3 << 29, "7340032b": 7 << 20, "10000K": 10000 << 10}
    for text, size in amounts.items():
        assert parse_size(text) == size
        DockerRuntime(memory_limit=text)
    assert DockerRuntime().memory_limit == "2g"
