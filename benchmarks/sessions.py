"""From the wish for a kernel to its first result: ours, and the floors beneath it."""

from __future__ import annotations

import functools
import json
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker
from jupyter_client.manager import KernelManager

from cognition_jupyter.kernels.launcher import CHANNELS
from cognition_jupyter.kernels.policy import DEFAULT_IMAGE
from tests.support.server import TOKEN, Server

from .client import first_result, first_result_over_websocket

Timed = Callable[[], float]


@contextmanager
def server(runtime: str) -> Iterator[Server]:
    """A server with one project, whose event loop is watched."""
    directory = Path(tempfile.mkdtemp(prefix="cognition-bench-"))
    config: dict[str, Any] = {
        "RuntimeChoice": {"runtime": runtime},
        "ServerApp": {"jpserver_extensions": {"benchmarks.loop_probe": True}},
    }
    root = str(Path(__file__).parents[1])
    made = Server(directory, config, environment={"PYTHONPATH": root})
    try:
        yield made.start()
    finally:
        made.close()
        shutil.rmtree(directory, ignore_errors=True)


def rest_session(made: Server, project_id: str, over_websocket: bool) -> float:
    """Seconds from `POST …/sessions` to the first result."""
    before = time.perf_counter()
    session = made.start_session(project_id)
    if over_websocket:
        first_result_over_websocket(made.url, TOKEN, session["kernel_id"])
    else:
        first_result(made.home / "runtime" / f"kernel-{session['kernel_id']}.json")
    taken = time.perf_counter() - before
    made.end_session(session)
    return taken


def local_kernel() -> float:
    """Seconds from the start of an ordinary local kernel to its first result."""
    manager = KernelManager()
    before = time.perf_counter()
    manager.start_kernel()
    try:
        first_result(Path(manager.connection_file))
        return time.perf_counter() - before
    finally:
        manager.shutdown_kernel(now=True)


def bare_container(client: docker.DockerClient) -> float:
    """Seconds from `docker create` of a container as hardened as ours to its first result."""
    place = Path(tempfile.mkdtemp(prefix="cgn", dir="/dev/shm"))
    place.chmod(0o777)
    info: dict[str, str | int] = {
        "transport": "ipc",
        "ip": "/run/cognition/k",
        "key": secrets.token_hex(16),
        "signature_scheme": "hmac-sha256",
        "kernel_name": "python3",
    }
    info |= {f"{channel}_port": number for number, channel in enumerate(CHANNELS, 1)}
    (place / "inside.json").write_text(json.dumps(info))
    (place / "outside.json").write_text(json.dumps(info | {"ip": str(place / "k")}))
    api = client.api
    before = time.perf_counter()
    container = api.create_container(
        DEFAULT_IMAGE,
        ["python3", "-m", "ipykernel_launcher", "-f", "/run/cognition/inside.json"],
        user="1000:1000",
        environment={"HOME": "/tmp", "IPYTHONDIR": "/tmp/ipython"},
        host_config=api.create_host_config(
            network_mode="none",
            mounts=[docker.types.Mount("/run/cognition", str(place), type="bind")],
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            mem_limit="2g",
            pids_limit=512,
            nano_cpus=2_000_000_000,
            log_config=docker.types.LogConfig(type="none"),
            init=True,
        ),
    )
    try:
        api.start(container)
        first_result(place / "outside.json")
        return time.perf_counter() - before
    finally:
        api.remove_container(container, force=True)
        shutil.rmtree(place, ignore_errors=True)


def idle_gaps(made: Server) -> list[float]:
    """The longest gaps while nothing is asked for three seconds: what the machine itself costs."""
    made.call("GET", "/bench/gaps")
    time.sleep(3)
    worst: list[float] = made.call("GET", "/bench/gaps")
    return worst


def measure(rounds: int) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Median seconds by name, interleaved; and the longest gaps of each server's loop, in ms."""
    with ExitStack() as stack:
        client = docker.from_env()
        stack.callback(client.close)
        servers = {name: stack.enter_context(server(name)) for name in ("docker", "bubblewrap")}
        projects = {name: made.create("bench") for name, made in servers.items()}
        ways: dict[str, Timed] = {
            "local kernel": local_kernel,
            "bare hardened container": lambda: bare_container(client),
        }
        for name, made in servers.items():
            for label, over_websocket in (("", False), (" over WebSocket", True)):
                ways[f"session over REST, {name}{label}"] = functools.partial(
                    rest_session, made, projects[name], over_websocket
                )
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, timed in ways.items():
                taken = timed()
                if number:  # the first round warms up
                    times[name].append(taken)
            if not number:
                gaps = {f"{name}, idle": idle_gaps(made) for name, made in servers.items()}
        gaps |= {name: made.call("GET", "/bench/gaps") for name, made in servers.items()}
    return {name: statistics.median(taken) for name, taken in times.items()}, gaps


READ = """
import os, statistics, time
def read(path):
    before = time.perf_counter()
    with open(path, "rb") as file:
        file.read()
    return time.perf_counter() - before
def median(path, rounds):
    return statistics.median(read(path) for _ in range(rounds))
"""


def reads(rounds: int) -> dict[str, float]:
    """Median seconds to read a file of 1 KiB in a workspace, on the host and in a session."""
    found: dict[str, float] = {}
    for name in ("docker", "bubblewrap"):
        with server(name) as made:
            session = made.start_session(made.create("bench"))
            file = Path(session["workspace_path"], "one-kib")
            file.write_bytes(secrets.token_bytes(1024))
            file.chmod(0o644)
            if "host" not in found:
                scope: dict[str, Any] = {}
                exec(READ, scope)
                found["host"] = scope["median"](file, rounds)
            with made.kernel(session["kernel_id"]) as kernel:
                kernel.check(READ)
                found[name] = float(kernel.check(f"print(median('one-kib', {rounds}))"))
    return found
