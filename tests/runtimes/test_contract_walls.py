"""What every runtime keeps inside and outside."""

from __future__ import annotations

import json
import os

import pytest

from cognition_jupyter.exceptions import Forbidden
from cognition_jupyter.runtimes import base
from cognition_jupyter.runtimes.base import Mount

from .support import (
    PLACES,
    USER,
    Place,
    isolated,
    only,
)

SECRET = "do-not-leak-8261"


def test_each_path_is_where_it_should_be_and_the_users(place: Place) -> None:
    inside = {name: place.runtime.inside(at, place.mounts) for name, at in PLACES.items()}
    code = f"""
        import json, os
        for path in {[*inside.values()]}:
            with open(os.path.join(path, "written"), "w") as file:
                file.write(path)
        os.makedirs("folder/deeper")
        with open("facts", "w") as file:
            json.dump({{"cwd": os.getcwd(), "seen": open("mine").read()}}, file)
    """
    (place.workspace / "mine").write_text("the host's")

    async def body() -> None:
        assert (await place.finish(place.python(code))).code == 0
        if place.runtime.guarantees.isolated:
            assert inside == PLACES
        owner = USER[0] if place.runtime.guarantees.isolated else os.geteuid()
        for name, path in inside.items():
            written = place.path / name / "written"
            assert written.read_text() == path
            assert written.stat().st_uid == owner
        assert (place.workspace / "folder/deeper").stat().st_uid == owner
        facts = json.loads(place.read("facts"))
        assert facts == {"cwd": inside["workspace"], "seen": "the host's"}
        # The notebook's own folder.
        folder = f"{inside['workspace']}/folder"
        assert (await place.finish(place.sh("pwd > here", working_directory=folder))).code == 0
        assert place.read("folder/here").strip() == folder

    place.run(body)


def test_a_read_only_mount_cannot_be_written(place: Place) -> None:
    isolated(place)
    (place.workspace / "kept").write_text("as it was")
    mounts = (Mount(place.workspace, base.WORKSPACE, read_only=True), *place.mounts[1:])

    async def body() -> None:
        script = "echo x > kept; echo x > new; rm -f kept; cat kept > /tmp/seen"
        await place.finish(place.sh(script, mounts=mounts))
        assert {path.name for path in place.workspace.iterdir()} == {"kept"}
        assert place.read("kept") == (place.path / "tmp/seen").read_text() == "as it was"

    place.run(body)


def test_nothing_of_the_servers_environment_gets_in(place: Place) -> None:
    code = """
        import glob
        found = b""
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                found += open(path, "rb").read()
            except OSError:
                pass
        open("environment", "wb").write(open("/proc/self/environ", "rb").read())
        open("others", "wb").write(found)
    """
    os.environ["COGNITION_TEST_SECRET"] = SECRET
    try:

        async def body() -> None:
            assert (await place.finish(place.python(code))).code == 0

            def names(environment: str) -> set[str]:
                return {line.partition("=")[0] for line in environment.split("\0") if line}

            environment = place.read("environment")
            assert SECRET not in environment
            allowed = {*place.spec().environment, "HOSTNAME", "PWD", "LC_CTYPE"}
            assert names(environment) <= allowed
            if place.runtime.guarantees.isolated:  # also not of another process in sight
                assert SECRET not in place.read("others")
                assert names(place.read("others")) <= allowed | {"container"}

        place.run(body)
    finally:
        del os.environ["COGNITION_TEST_SECRET"]


def test_network_off_is_no_network_or_a_refusal(place: Place) -> None:
    code = """
        import json, socket
        names = [name for _, name in socket.if_nameindex()]
        server = socket.create_server(("localhost", 0))
        socket.create_connection(server.getsockname()).close()
        try:
            socket.create_connection(("192.0.2.1", 80), timeout=5)
        except OSError as error:
            problem = error.strerror
        json.dump([names, problem], open("network", "w"))
    """

    async def body() -> None:
        spec = place.python(code, network_mode="OFF")
        if place.runtime.guarantees.network_off:
            assert (await place.finish(spec)).code == 0
            assert json.loads(place.read("network")) == [["lo"], "Network is unreachable"]
            return
        with pytest.raises(Forbidden) as refused:
            await place.runtime.start(spec)
        assert refused.value.code == "network_off_unavailable"
        assert "allow_network_off" in refused.value.message
        assert await place.runtime.found() == []
        place.runtime.allow_network_off = True  # type: ignore[attr-defined]
        assert (await place.finish(place.sh("exit 0", network_mode="OFF"))).code == 0

    place.run(body)


def test_network_on_is_refused_where_it_would_be_the_hosts(place: Place) -> None:
    only("bubblewrap")(place)

    async def body() -> None:
        spec = place.sh("ls /sys/class/net /proc/net/dev > net; exit 0", network_mode="ON")
        with pytest.raises(Forbidden, match="allow_host_network") as refused:
            await place.runtime.start(spec)
        assert refused.value.code == "network_on_unavailable"
        place.runtime.allow_host_network = True  # type: ignore[attr-defined]
        script = "readlink /proc/self/ns/net > net; cat /etc/resolv.conf > resolv; exit 0"
        assert (await place.finish(place.sh(script, network_mode="ON"))).code == 0
        assert place.read("net").strip() == os.readlink("/proc/self/ns/net")

    place.run(body)
