"""A Docker engine of the tests' own, which may be stopped in its tracks. Needs root."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from cognition_jupyter.kernels.policy import DEFAULT_IMAGE

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cognition-jupyter"


@contextmanager
def private_engine(engine: docker.DockerClient) -> Iterator[PrivateEngine]:
    """One that runs, with the session image of `engine` on it."""
    directory = Path(tempfile.mkdtemp(prefix="cgn"))  # short: it holds sockets
    made = PrivateEngine(directory, DEFAULT_IMAGE, engine)
    try:
        yield made.start()
    finally:
        made.close()
    shutil.rmtree(directory, ignore_errors=True)


class PrivateEngine:
    """Its data are kept with the image in them, so that only the first start takes long."""

    def __init__(self, directory: Path, image: str, client: docker.DockerClient) -> None:
        self.directory = directory  # short: it holds sockets
        self.image = image
        self.socket = f"unix://{directory}/e.sock"
        CACHE.mkdir(parents=True, exist_ok=True)
        key = str(client.images.get(image).id).removeprefix("sha256:")[:16]
        self._lock = os.open(CACHE / "test-engine.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        for old in CACHE.glob("test-engine-*"):
            if old.name != f"test-engine-{key}":
                shutil.rmtree(old, ignore_errors=True)
        self.data = CACHE / f"test-engine-{key}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> PrivateEngine:
        # With --bridge=none it would remove docker0, also the real engine's.
        command = [
            "unshare",
            "--net",
            "dockerd",
            f"--data-root={self.data}",
            f"--exec-root={self.directory}/x",
        ]
        command += [f"--pidfile={self.directory}/pid", f"--host={self.socket}"]
        command += ["--iptables=false", "--bridge=none", "--log-level=warn"]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        client = self._connect()
        if not client.images.list(self.image):
            copy = f"docker save {self.image} | docker -H {self.socket} load"
            subprocess.run(copy, shell=True, check=True, stdout=subprocess.DEVNULL)
        client.close()
        return self

    def _connect(self) -> docker.DockerClient:
        deadline = time.monotonic() + 60
        while True:
            try:
                return docker.DockerClient(self.socket)
            except docker.errors.DockerException:
                assert self.process is not None
                said = (self.directory / "log").read_text()[-2000:]
                assert self.process.poll() is None and time.monotonic() < deadline, said
                time.sleep(0.1)

    def freeze(self) -> None:
        """From now on it answers nothing; its containers run on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process is not None:
            self.thaw()
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def close(self) -> None:
        try:
            self.stop()
        finally:
            os.close(self._lock)
