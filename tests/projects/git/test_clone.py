"""Clones that work, from real git servers on loopback."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from cognition_jupyter.projects.git import GitClone

from ..git_server import GitServer, git
from .support import (
    LOGIN,
    SECRET,
    clone,
    failure,
)


def test_clone_with_progress(repositories: Path, target: Path) -> None:
    said: list[str] = []
    with GitServer(repositories) as server:
        clone(server.url("demo.git"), target, said.append)
        assert git(target, "config", "remote.origin.url") == server.url("demo.git")
    assert (target / "README.md").read_text() == "demo\n"
    assert os.readlink(target / "link") == "/etc/passwd"
    assert git(target, "status", "--porcelain") == ""
    assert "Receiving objects: 100%" in said
    assert all(re.fullmatch(r"[A-Z][a-z]+ [a-z]+: \d{1,3}%", line) for line in said)


def test_clone_in_a_loop_of_another_thread(repositories: Path, target: Path) -> None:
    with GitServer(repositories) as server:
        thread = threading.Thread(target=clone, args=(server.url("demo.git"), target))
        thread.start()
        thread.join()
    assert (target / "README.md").exists()


def test_empty_repository(tmp_path: Path, target: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "repositories/empty.git")
    with GitServer(tmp_path / "repositories") as server:
        clone(server.url("empty.git"), target)
    assert os.listdir(target) == [".git"]


def make_certificate(directory: Path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate of the test")
    certificate = directory / "certificate.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
        "-keyout key.pem -out certificate.pem"
    )
    subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
    with certificate.open("ab") as file:
        file.write((directory / "key.pem").read_bytes())
    return certificate


def test_https_with_the_certificates_of_the_environment(
    repositories: Path, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    with GitServer(repositories, certificate=certificate, login=f"alice:{SECRET}") as server:
        assert "certificate" in failure(server.url("demo.git", LOGIN), target)
        assert server.requests == []
        monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
        asyncio.run(GitClone().clone(server.url("demo.git", LOGIN), target))
    assert (target / "README.md").exists()
