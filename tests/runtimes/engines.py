"""Engines to fail with: a relay before a real one, fakes on a socket, a second real dockerd."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import docker

from .support import processes_with

REAL = (os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock").removeprefix("unix://")


class Listener:
    """A unix socket, a thread for each connection. `close()` ends all of them."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cgn-socket-"))
        self.path = self.directory / "engine.sock"
        self.closed = threading.Event()
        self._open: set[socket.socket] = set()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.path))
        self._socket.listen(200)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.keep(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def keep(self, connection: socket.socket) -> None:
        self._open.add(connection)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self.serve(connection)
        self._open.discard(connection)

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def cut(self) -> None:
        """Break every connection that is open."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.closed.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.cut()
        shutil.rmtree(self.directory, ignore_errors=True)


class Fake(Listener):
    """Answers each request as `answer` does: with bytes, or by doing something to the socket."""

    def __init__(self, answer: Callable[[Fake, socket.socket], None]) -> None:
        self.answer = answer
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        while connection.recv(65536):
            self.answer(self, connection)

    def wait(self, seconds: float) -> None:
        self.closed.wait(seconds)


def http(body: bytes, status: str = "200 OK") -> bytes:
    header = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    return f"{header}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Relay(Listener):
    """Passes everything on to the real engine, counts requests, and can stand still meanwhile."""

    def __init__(self, target: str = REAL) -> None:
        self.target = target
        self.requests: list[str] = []
        self.going = threading.Event()
        self.going.set()
        #: Requests that match are held for as long as `hold` is set, the others pass.
        self.hold: re.Pattern[str] | None = None
        self.hold_answers: re.Pattern[str] | None = None
        #: And with `pause`, for so many seconds only.
        self.pause: float | None = None
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.target)
            self.keep(engine)
            last = [""]
            back = threading.Thread(target=self._back, args=(engine, connection, last), daemon=True)
            back.start()
            while piece := connection.recv(65536):
                for line in re.findall(rb"(?m)^([A-Z]+ /\S*) HTTP/1", piece):
                    last[0] = line.decode()
                    self.requests.append(last[0])
                self._wait(self.hold, last[0])
                engine.sendall(piece)
            with suppress(OSError):
                engine.shutdown(socket.SHUT_WR)
            back.join()

    def _back(self, engine: socket.socket, connection: socket.socket, last: list[str]) -> None:
        with suppress(OSError):
            while piece := engine.recv(65536):
                self._wait(self.hold_answers, last[0])
                connection.sendall(piece)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    def _wait(self, held: re.Pattern[str] | None, request: str) -> None:
        if held is not None and held.search(request):
            self.going.wait(self.pause)

    def close(self) -> None:
        self.going.set()
        super().close()


class SecondEngine:
    """A dockerd of the tests' own, with a small image: a shell and `sleep`, from this machine."""

    IMAGE = "tiny:1"

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cgn-engine-"))
        self.url = f"unix://{self.directory}/sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> docker.APIClient:
        here = self.directory
        # Of an engine that was killed: the pid may be another's by now, and it would wait for it.
        (here / "exec/containerd/containerd.pid").unlink(missing_ok=True)
        with (here / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # With --bridge=none it would remove docker0, also the real engine's.
                    "unshare",
                    "--net",
                    "dockerd",
                    f"--data-root={here}/data",
                    f"--exec-root={here}/exec",
                    f"--pidfile={here}/pid",
                    f"--host={self.url}",
                    "--iptables=false",
                    "--bridge=none",
                    "--storage-driver=vfs",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                client = docker.APIClient(self.url, version="auto", timeout=60)
                break
            except docker.errors.DockerException:
                assert self._process.poll() is None and time.monotonic() < deadline, self.log()
                time.sleep(0.05)
        if not client.images(self.IMAGE):
            client.import_image_from_data(_tiny_image(), *self.IMAGE.split(":"))
        return client

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-3000:]

    def signal(self, signum: int) -> None:
        assert self._process is not None
        self._process.send_signal(signum)
        if signum in (signal.SIGKILL, signal.SIGTERM):
            self._process.wait(60)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(60)
        for pid in processes_with(f"{self.directory}/"):  # shims that a killed engine has left
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for line in Path("/proc/self/mounts").read_text().splitlines()[::-1]:
            point = line.split()[1]
            if point.startswith(f"{self.directory}/"):
                subprocess.run(["umount", "-l", point], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


def _tiny_image() -> bytes:
    files = set()
    for program in ("/bin/sh", "/bin/sleep"):
        libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
        files |= {program, *re.findall(r"(/\S+) \(0x", libraries.stdout)}
    image = io.BytesIO()
    with tarfile.open(fileobj=image, mode="w") as tar:
        for directory in sorted({str(p) for file in files for p in Path(file).parents} - {"/"}):
            tar.addfile(_directory(directory.lstrip("/")))
        for file in sorted(files):
            tar.add(os.path.realpath(file), file.lstrip("/"))
    return image.getvalue()


def _directory(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info
