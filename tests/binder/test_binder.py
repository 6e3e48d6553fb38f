"""Binder's steps in a clean container, and the guided notebook in what they made."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

pytestmark = pytest.mark.torture

CHECKOUT = Path(__file__).parents[2]
HOME = "/home/jovyan"
ENVIRONMENT = "/srv/notebook"
# Certificates that this machine trusts may be its own. Programs are told by these where they are.
CERTIFICATES = "/etc/ssl/certs"
TOLD = ("PIP_CERT", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


class Clean:
    """A container of a plain Debian with Python, in which an image is made step by step."""

    def __init__(self, engine: docker.DockerClient, image: str, sandboxes: bool = False) -> None:
        options = engine.api.create_host_config(
            network_mode="host",
            init=True,
            binds=[f"{CERTIFICATES}:{CERTIFICATES}:ro"],
            # The engine's defaults forbid the namespaces of a sandbox, as most clusters do.
            security_opt=["seccomp=unconfined", "apparmor=unconfined"] if sandboxes else [],
        )
        if sandboxes:
            options |= {"MaskedPaths": [], "ReadonlyPaths": []}
        made = engine.api.create_container(image, ["sleep", "7200"], host_config=options)
        self.container = engine.containers.get(made["Id"])
        self.container.start()

    def run(self, command: str, user: str = "jovyan") -> str:
        environment = {"PATH": f"{ENVIRONMENT}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        environment["HOME"] = HOME
        environment |= {name: os.environ[name] for name in TOLD if name in os.environ}
        code, out = self.container.exec_run(
            ["bash", "-euo", "pipefail", "-c", command],
            user=user,
            environment=environment,
            workdir=HOME if user == "jovyan" else "/",
        )
        assert code == 0, f"{command}\n{out.decode(errors='replace')[-6000:]}"
        return str(out.decode())

    def put_checkout(self) -> None:
        """What git knows of, and what is new; as a clone would have it."""
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name in names.stdout.splitlines():
                if (CHECKOUT / name).exists():
                    tar.add(CHECKOUT / name, name)
        assert self.container.put_archive(HOME, packed.getvalue())
        self.run(f"chown -R jovyan:jovyan {HOME}", "root")


def lines(name: str) -> list[str]:
    found = (CHECKOUT / "binder" / name).read_text().splitlines()
    return [line for line in found if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def base() -> str:
    done = subprocess.run(
        ["sh", "-c", ". scripts/common.sh; base_image", "scripts/common.sh"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient, base: str) -> Iterator[str]:
    """What repo2docker would make: apt.txt, the environment, requirements.txt, postBuild."""
    clean = Clean(engine, base)
    try:
        packages = " ".join([*lines("apt.txt"), "python3-venv"])
        install = "DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends"
        clean.run(f"apt-get update -qq && {install} {packages}", "root")
        clean.run("useradd --create-home --uid 1000 jovyan", "root")
        clean.run(f"install -d -o jovyan {ENVIRONMENT}", "root")
        clean.put_checkout()
        clean.run(f"python3 -m venv {ENVIRONMENT}")
        clean.run("pip install -q -r binder/requirements.txt")
        clean.run("./binder/postBuild")
        made = clean.container.commit("cognition-test-binder")
    finally:
        clean.container.remove(force=True)
    yield made.id
    engine.images.remove(made.id, force=True)


@pytest.mark.parametrize("allowed", [True, False], ids=["sandboxes allowed", "none allowed"])
def test_the_guided_notebook(engine: docker.DockerClient, image: str, allowed: bool) -> None:
    clean = Clean(engine, image, sandboxes=allowed)
    try:
        serve = "setsid ./binder/start jupyter lab --no-browser --IdentityProvider.token=binder"
        clean.run(f"{serve} >/tmp/server.log 2>&1 </dev/null &")
        there = "jupyter server list --json | grep -q ."
        clean.run(f"for _ in $(seq 200); do {there} && break; sleep 0.5; done")
        execute = "jupyter nbconvert --to notebook --execute --output /tmp/done.ipynb"
        clean.run(f"{execute} binder/tour.ipynb")
        notebook = json.loads(clean.run("cat /tmp/done.ipynb"))
        extensions = clean.run("jupyter labextension list 2>&1")
        log = clean.run("cat /tmp/server.log")
    finally:
        clean.container.remove(force=True)
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert {output["output_type"] for output in outputs} == {"stream"}, outputs
    said = "".join("".join(output["text"]) for output in outputs)
    assert "a session was here" in said and "after going back: first plan" in said, said
    assert "-first plan" in said and "+second thoughts" in said
    assert "is back: idle" in said
    # What isolates, or that nothing does, is said plainly.
    assert ("Sessions run in bubblewrap" in said) is allowed, said
    assert ("NOT isolated on this machine" in said) is not allowed
    assert ("Sessions are NOT isolated" in log) is not allowed
    assert ("bubblewrap isolated client" in said) is allowed
    # Lab has the panel.
    assert "cognition-jupyter" in extensions and "enabled" in extensions and "OK" in extensions
    assert "X " not in extensions
