"""A real Jupyter server in a process of its own, as a user would have it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from .kernel import KernelConnection

TOKEN = "test-token"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the developer's own Jupyter, git or engine settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "GIT_", "IPYTHON"))}
    here = {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "lab-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "lab-workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    return kept | here | more


class Server:
    """Start with `start()`; `stop()` is the orderly way, `kill()` is `kill -9`."""

    def __init__(
        self,
        directory: Path,
        config: dict[str, dict[str, Any]] | None = None,
        environment: dict[str, str] | None = None,
        command: str = "server",
        arguments: tuple[str, ...] = (),
    ) -> None:
        self.directory = directory
        self.home = directory / "home"
        self.root_dir = directory / "files"
        self.config = config or {}
        self.environment = environment or {}
        self.command = command
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"token {TOKEN}"
        # Sockets need a short path, so that pytest's own directories are too deep.
        self.hot_root = Path(tempfile.mkdtemp(prefix="cgn", dir="/dev/shm"))

    @property
    def root(self) -> Path:
        return self.root_dir / "workspaces"

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    def start(self, wait: bool = True, port: int = 0) -> Server:
        for path in (self.home / "config", self.root_dir):
            path.mkdir(parents=True, exist_ok=True)
        config = {"RamDirectories": {"hot_root": str(self.hot_root)}} | self.config
        file = self.home / "config" / "jupyter_server_config.json"
        file.write_text(json.dumps(config))
        # Policy and roots are read from here where there is no server.
        (self.home / "config" / "jupyter_cognition_config.json").write_text(json.dumps(config))
        port = port or free_port()
        self.url = f"http://127.0.0.1:{port}"
        arguments = [
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.ip=127.0.0.1",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.root_dir}",
            "--ServerApp.open_browser=False",
            "--allow-root",
            *self.arguments,
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter", self.command, *arguments],
                env=clean_environment(self.home, **self.environment),
                cwd=self.root_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, timeout: float = 60) -> None:
        assert self.process is not None
        deadline = time.monotonic() + timeout
        while True:
            try:
                if self.http.get(f"{self.url}/api/status", timeout=5).ok:
                    return
            except requests.ConnectionError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The server did not start:\n{self.tail()}")
            time.sleep(0.05)

    def tail(self, size: int = 6000) -> str:
        return self.log.read_text(errors="replace")[-size:]

    def stop(self, timeout: float = 60, by: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(by)
            self.process.wait(timeout)
            self.process = None

    def restart(self) -> Server:
        """Stop it and start it again at the same address, as the pages that it has served know."""
        port = int(self.url.rpartition(":")[2])
        self.stop()
        return self.start(port=port)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def close(self) -> None:
        try:
            self.stop()
        finally:
            self.kill()
            self.http.close()
            shutil.rmtree(self.hot_root, ignore_errors=True)

    # -- REST ------------------------------------------------------------------------------

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", 120)
        return self.http.request(method, f"{self.url}{path}", **kwargs)

    def call(self, method: str, path: str, expect: int = 200, **kwargs: Any) -> Any:
        answer = self.request(method, path, **kwargs)
        assert answer.status_code == expect, (
            f"{method} {path}: {answer.status_code} {answer.text}\n{self.tail(3000)}"
        )
        return answer.json() if answer.content else None

    def create(self, prefix: str = "demo", **fields: Any) -> str:
        body = {"user_prefix": prefix, **fields}
        return str(self.call("POST", "/api/projects", 201, json=body)["project_id"])

    def start_session(self, project_id: str, **fields: Any) -> dict[str, Any]:
        path = f"/api/projects/{project_id}/sessions"
        session: dict[str, Any] = self.call("POST", path, 201, json=fields)
        return session

    def kernel(self, kernel_id: str) -> KernelConnection:
        return KernelConnection(self.url, TOKEN, kernel_id)

    def end_session(self, session: dict[str, Any]) -> dict[str, Any]:
        path = f"/api/projects/{session['project_id']}/sessions/{session['session_id']}"
        ended: dict[str, Any] = self.call("DELETE", path)
        return ended


def unique(prefix: str = "t") -> str:
    return f"{prefix}{secrets.token_hex(3)}"
