"""Clones over ssh."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from ..git_server import git, make_repository
from .support import (
    clone,
    failure,
    marking,
    plain_clone,
)


def test_ssh_to_nowhere_fails_soon(target: Path) -> None:
    start = time.monotonic()
    for url in ("ssh://git@127.0.0.1:1/a.git", "ssh://127.0.0.1:1/~/a.git"):
        assert "port 1: Connection refused" in failure(url, target)
    assert time.monotonic() - start < 60


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for ssh on PATH: notes how it was called, and runs the command on this machine."""
    program = tmp_path / "bin/ssh"
    marking(program, f"printf '%s\\n' \"$@\" >'{program}.arguments'\nenv >'{program}.environment'")
    with program.open("a") as file:
        file.write('for last; do :; done\n[ -e "$0.deny" ] && cat "$0.deny" >&2 && exit 255\n')
        file.write('exec sh -c "$last"\n')
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def test_ssh(
    ssh: Path, repositories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "s3cr3t")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    monkeypatch.setenv("GIT_SSH", "/bin/false")
    path = repositories / "demo.git"
    for number, url in enumerate([f"me@example.test:{path}", f"ssh://me@example.test:2222{path}"]):
        target = tmp_path / f"repo{number}"
        target.mkdir()
        clone(url, target)
        assert (target / "README.md").exists()
        assert git(target, "config", "remote.origin.url") == url
        arguments = Path(f"{ssh}.arguments").read_text().splitlines()
        assert {"-a", "-x", "-oBatchMode=yes", "-oControlPath=none"} < set(arguments)
        assert arguments[-2:] == ["me@example.test", f"git-upload-pack '{path}'"]
        assert ("2222" in arguments) == url.startswith("ssh://")
        environment = Path(f"{ssh}.environment").read_text()
        assert "SSH_AUTH_SOCK=/run/agent\n" in environment
        assert not re.search("s3cr3t|JUPYTER|SSH_ASKPASS=", environment)


def test_what_ssh_said_is_the_reason(ssh: Path, target: Path) -> None:
    Path(f"{ssh}.deny").write_text("me@example.test: Permission denied (publickey).\n")
    message = failure("me@example.test:a.git", target)
    assert message.endswith("cloned: me@example.test: Permission denied (publickey).")


def test_a_directory_named_like_the_url_is_not_the_source(
    ssh: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(f"{ssh}.deny").write_text("no\n")
    make_repository(tmp_path / "here/me@example.test:demo.git", {"decoy.txt": "x"})
    monkeypatch.chdir(tmp_path / "here")
    plain_clone("me@example.test:demo.git", tmp_path / "control")
    assert not Path(f"{ssh}.mark").exists()
    assert failure("me@example.test:demo.git", target).endswith("cloned: no.")
    assert Path(f"{ssh}.mark").exists()
