"""A JupyterHub with the example's configuration, and the image of its users' servers."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from docker.errors import NotFound

from ..support.kernel import KernelConnection
from ..support.server import Server, clean_environment, free_port

CHECKOUT = Path(__file__).parents[2]
EXAMPLE = CHECKOUT / "examples/jupyterhub/dockerspawner/jupyterhub_config.py"
RAM = Path("/dev/shm/cognition-hub")
NETWORK = "cognition-hub"
OURS = """
load_subconfig({example!r})
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.DockerSpawner.image = {image!r}
c.DockerSpawner.start_timeout = 120
c.JupyterHub.services = [dict(name="tests", api_token={token!r})]
scopes = ["admin:users", "admin:servers", "access:servers"]
c.JupyterHub.load_roles = [dict(name="tests", services=["tests"], scopes=scopes)]
"""


def output_of(script: str) -> str:
    done = subprocess.run(
        ["sh", str(CHECKOUT / "scripts" / script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=900,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient) -> str:
    """Id of the image of a user's server, made of this checkout."""
    return output_of("server_image.sh")


class UserServer(Server):
    """A user's server behind the hub, over REST with the tests' token."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub = hub
        self.name = name
        self.url = f"{hub.url}/user/{name}"
        self.http = hub.http

    def kernel(self, kernel_id: str) -> KernelConnection:
        return KernelConnection(self.url, self.hub.token, kernel_id)

    def tail(self, size: int = 6000) -> str:
        with suppress(NotFound):
            return str(self.hub.container(self.name).logs(tail=40).decode())
        return self.hub.log.read_text()[-size:]


class Hub:
    """JupyterHub and its proxy, in a directory of their own."""

    def __init__(self, image: str, proxy: str) -> None:
        self.engine = docker.from_env()
        self.directory = Path(tempfile.mkdtemp(prefix="cognition-test-hub-"))
        self.log = self.directory / "hub.log"
        self.token = secrets.token_hex(16)
        self.users: list[str] = []
        self.had_network = bool(self.engine.networks.list(names=[NETWORK]))
        port, hub_port, proxy_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"token {self.token}"
        (self.directory / "jupyterhub_config.py").write_text(
            OURS.format(
                example=str(EXAMPLE),
                port=port,
                hub_port=hub_port,
                proxy_port=proxy_port,
                proxy=proxy,
                image=image,
                token=self.token,
            )
        )
        environment = clean_environment(self.directory, COGNITION_HUB_PASSWORD="test")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub"],
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait(lambda: self.http.get(f"{self.url}/hub/api/", timeout=5).ok, "the hub")

    def wait(self, holds: Any, what: str, timeout: float = 120) -> None:
        deadline = time.monotonic() + timeout
        while True:
            with suppress(requests.RequestException):
                if holds():
                    return
            ended = self.process.poll()
            assert ended is None and time.monotonic() < deadline, (what, self.log.read_text())
            time.sleep(0.1)

    def api(self, method: str, path: str, *expect: int) -> Any:
        answer = self.http.request(method, f"{self.url}/hub/api/{path}", timeout=120)
        assert answer.status_code in expect, (method, path, answer.text, self.log.read_text())
        return answer.json() if answer.content else None

    def container(self, name: str) -> Any:
        return self.engine.containers.get(f"jupyter-{name}")

    def add_user(self) -> str:
        name = f"u{secrets.token_hex(3)}"
        self.users.append(name)
        self.api("POST", f"users/{name}", 201)
        return name

    def start(self, name: str) -> UserServer:
        self.api("POST", f"users/{name}/server", 201, 202)
        self.wait(lambda: self.api("GET", f"users/{name}", 200)["server"], "the server")
        return UserServer(self, name)

    def stop(self, name: str) -> None:
        self.api("DELETE", f"users/{name}/server", 202, 204)
        self.wait(lambda: not self.api("GET", f"users/{name}", 200)["servers"], "the stop")

    def close(self) -> None:
        for name in self.users:
            with suppress(NotFound):
                self.container(name).remove(force=True)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        for name in self.users:
            with suppress(NotFound):
                self.engine.volumes.get(f"cognition-{name}").remove(force=True)
            shutil.rmtree(RAM / name, ignore_errors=True)
        with suppress(OSError):
            RAM.rmdir()
        if not self.had_network:
            with suppress(NotFound, docker.errors.APIError):
                self.engine.networks.get(NETWORK).remove()
        self.engine.close()
        shutil.rmtree(self.directory)


@pytest.fixture(scope="module")
def hub(image: str) -> Iterator[Hub]:
    made = Hub(image, output_of("proxy.sh"))
    yield made
    made.close()


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="the hub makes directories of another user")
