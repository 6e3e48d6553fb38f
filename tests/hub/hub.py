"""A real JupyterHub with the configuration of `examples/jupyterhub/simple`, and its proxy."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from ..support.server import clean_environment, free_port

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/jupyterhub/simple/jupyterhub_config.py"
PASSWORD = "projects"  # as in the example
SERVICE = "a-token-of-the-service-that-is-long-enough"
CULLER = "a-token-of-the-culler-that-is-long-enough-too"

# What a test needs besides the example: its own ports and directories, and tokens that it knows.
MORE = """
load_subconfig({example!r})
c.JupyterHub.bind_url = {url!r}
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.pid_file = "proxy.pid"
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.last_activity_interval = 1
c.JupyterHub.services[0]["command"].append("--url=" + {url!r})
c.JupyterHub.services[0]["api_token"] = {service_token!r}
c.JupyterHub.services[1]["api_token"] = {culler_token!r}
c.JupyterHub.load_roles.append(
    {{
        "name": "reads-what-alice-does",
        "users": ["dave"],
        "scopes": ["access:servers!server=alice/", "custom:cognition:read!server=alice/"],
    }}
)
c.Spawner.args += {arguments!r}
c.Spawner.environment = {environment!r}
"""


class Hub:
    """`start()` it; the users' servers begin when they are asked for."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cognition-hub-"))
        self.hot_root = Path(tempfile.mkdtemp(prefix="cgn", dir="/dev/shm"))
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory / "hub.log"

    def start(self) -> Hub:
        command = ["sh", str(ROOT / "scripts/proxy.sh")]
        proxy = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        arguments = [f"--RamDirectories.hot_root={self.hot_root}"]
        if os.geteuid() == 0:
            arguments.append("--allow-root")
        config = MORE.format(
            example=str(EXAMPLE),
            url=self.url,
            hub_port=free_port(),
            api_port=free_port(),
            proxy=proxy,
            service_token=SERVICE,
            culler_token=CULLER,
            arguments=arguments,
            environment={"JUPYTERHUB_ACTIVITY_INTERVAL": "1", "JUPYTER_PLATFORM_DIRS": "1"},
        )
        (self.directory / "jupyterhub_config.py").write_text(config)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"],
                cwd=self.directory,
                env=clean_environment(self.directory),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait_for("/hub/health")
        return self

    def wait_for(self, path: str, timeout: float = 60) -> None:
        assert self.process is not None
        deadline = time.monotonic() + timeout
        while True:
            try:
                if requests.get(f"{self.url}{path}", timeout=10).ok:
                    return
            except requests.ConnectionError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The Hub did not start:\n{self.tail()}")
            time.sleep(0.1)

    def tail(self, size: int = 8000) -> str:
        return self.log.read_text(errors="replace")[-size:]

    def close(self) -> None:
        """The Hub stops its servers, services and proxy, which are waited for."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            finally:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.hot_root, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def run_service(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One round of the example's service, with its own token."""
        script = ROOT / "examples/jupyterhub/service/look_after_projects.py"
        return subprocess.run(
            [sys.executable, str(script), *arguments, f"--url={self.url}"],
            env=self._environment(SERVICE),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )

    @contextmanager
    def culler(self, *arguments: str) -> Iterator[None]:
        """The idle culler at work, with the token that the example gives it."""
        command = [sys.executable, "-m", "jupyterhub_idle_culler", *arguments]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, env=self._environment(CULLER), stdout=log, stderr=log
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)

    def _environment(self, token: str) -> dict[str, str]:
        api = {"JUPYTERHUB_API_URL": f"{self.url}/hub/api", "JUPYTERHUB_API_TOKEN": token}
        return clean_environment(self.directory, **api)

    def home(self, name: str) -> Path:
        return self.directory / "homes" / name

    def user(self, name: str) -> User:
        return User(self, name)


class User:
    """Somebody in a browser."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub = hub
        self.name = name
        self.http = requests.Session()
        form = self.http.get(f"{hub.url}/hub/login", timeout=30)
        assert form.ok, form.text
        fields = {"username": name, "password": PASSWORD, "_xsrf": self.http.cookies["_xsrf"]}
        done = self.http.post(
            f"{hub.url}/hub/login?next=/hub/home", data=fields, timeout=60, allow_redirects=False
        )
        assert done.status_code == 302, done.text
        page = self.http.get(f"{hub.url}/hub/home", timeout=30).text
        found = re.search(r'xsrf_token: "([^"]+)"', page)
        assert found, page[:2000]
        self._headers = {"X-XSRFToken": found[1], "Referer": f"{hub.url}/hub/home"}

    @property
    def server(self) -> str:
        return f"{self.hub.url}/user/{self.name}"

    def visit(self, other: User) -> None:
        """Log in to another user's server, and confirm that as JupyterHub wants it."""
        page = self.http.get(f"{other.server}/lab", timeout=60)
        assert "/oauth2/authorize" in page.url, page.url
        scopes = re.findall(r'name="scopes"[^>]*?value="([^"]+)"', page.text, re.DOTALL)
        xsrf = re.search(r'name="_xsrf"\s+value="([^"]+)"', page.text)
        assert scopes and xsrf, page.text
        fields = {"scopes": scopes, "_xsrf": xsrf[1]}
        done = self.http.post(page.url, data=fields, headers={"Referer": page.url}, timeout=60)
        assert (done.status_code, done.url) == (200, f"{other.server}/lab"), done.text

    def api(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """The Hub's API, as this user's page of tokens uses it."""
        url = f"{self.hub.url}/hub/api{path}"
        return self.http.request(method, url, headers=self._headers, timeout=60, **kwargs)

    def start(self) -> None:
        """Start the server and wait for it."""
        answer = self.api("POST", f"/users/{self.name}/server")
        assert answer.status_code in (201, 202), answer.text
        deadline = time.monotonic() + 90
        while not self.running():
            assert time.monotonic() < deadline, self.hub.tail()
            time.sleep(0.2)

    def servers(self) -> dict[str, Any]:
        """Those that run, begin or end."""
        servers: dict[str, Any] = self.api("GET", f"/users/{self.name}").json()["servers"]
        return servers

    def running(self) -> bool:
        return bool(self.servers().get("", {}).get("ready"))

    def stop(self) -> None:
        """Stop the server and wait for its end."""
        answer = self.api("DELETE", f"/users/{self.name}/server")
        assert answer.status_code in (202, 204), answer.text
        deadline = time.monotonic() + 90
        while self.servers():
            assert time.monotonic() < deadline, self.hub.tail()
            time.sleep(0.2)

    def token(self, *scopes: str) -> str:
        """A token of this user; without scopes one that can do all that the user can."""
        body = {"note": "test", "expires_in": 3600} | ({"scopes": [*scopes]} if scopes else {})
        answer = self.api("POST", f"/users/{self.name}/tokens", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])
