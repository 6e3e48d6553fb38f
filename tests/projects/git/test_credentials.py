"""Credentials in addresses: used, and written nowhere."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from pathlib import Path

import pytest

from cognition_jupyter.projects.git import GitClone, redact_text

from ..git_server import GitServer, basic, git
from .support import (
    LOGIN,
    SECRET,
    clone,
    cloner,
    command_lines,
    everything_in,
    failure,
    marking,
    plain_clone,
    until,
)


def test_credentials_work_and_are_written_nowhere(
    repositories: Path, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="traitlets")
    with GitServer(repositories, login=f"alice:{SECRET}") as server:
        clone(server.url("demo.git", LOGIN), target)
        assert git(target, "config", "remote.origin.url") == server.url("demo.git")
        assert server.url("demo.git") in caplog.text
    for written in (everything_in(target), caplog.text.encode()):
        assert not re.search(rb"s3cr3t|alice|Authorization", written)
        assert basic(f"alice:{SECRET}").encode() not in written


def test_credentials_are_no_argument_of_any_process(repositories: Path, target: Path) -> None:
    async def look(server: GitServer) -> None:
        task = asyncio.create_task(cloner().clone(server.url("demo.git", LOGIN), target))
        await asyncio.to_thread(until, server.stuck.is_set)
        lines = command_lines().values()
        assert any(f"git-remote-http origin {server.url('demo.git')}" in line for line in lines)
        assert not any("s3cr3t" in line or "alice" in line for line in lines)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with GitServer(repositories, hang=True) as server:
        asyncio.run(look(server))
        assert server.requests[0][1] == basic(f"alice:{SECRET}")


@pytest.mark.parametrize("login", ["", LOGIN.replace("s3", "S3"), "s3cr3t%2Ft0ken", ":"])
def test_wrong_credentials_fail_without_a_question(
    login: str, repositories: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(marking(tmp_path / name)))
    start = time.monotonic()
    with GitServer(repositories, login=f"alice:{SECRET}") as server:
        message = failure(server.url("demo.git", login), target)
        assert 1 <= len(server.requests) <= 3
    assert time.monotonic() - start < 60
    assert "credentials" in message
    assert not re.search("s3cr3t|alice", message, re.IGNORECASE)
    assert not list(tmp_path.glob("*.mark"))


def test_the_servers_own_netrc_and_credential_helper_are_not_for_users(
    repositories: Path, target: Path, tmp_path: Path
) -> None:
    with GitServer(repositories, login=f"alice:{SECRET}") as server:
        netrc = tmp_path / "home/.netrc"
        netrc.write_text(f"machine 127.0.0.1 login alice password {SECRET}\n")
        netrc.chmod(0o600)
        plain_clone(server.url("demo.git"), tmp_path / "control1")
        assert "credentials" in failure(server.url("demo.git"), target)
        netrc.unlink()
        answer = f"echo username=alice; echo password={SECRET}"
        helper = marking(tmp_path / "helper", answer)
        (tmp_path / "home/.gitconfig").write_text(f"[credential]\nhelper = {helper}\n")
        plain_clone(server.url("demo.git"), tmp_path / "control2")
        (tmp_path / "helper.mark").unlink()
        assert "credentials" in failure(server.url("demo.git"), target)
        assert not (tmp_path / "helper.mark").exists()


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://example.test/a/b.git", "https://example.test/a/b.git"),
        ("https://token@example.test/b.git", "https://example.test/b.git"),
        ("https://alice:p@ss@example.test:8443/b", "https://example.test:8443/b"),
        ("http://alice:%40:@[::1]:80/b@c", "http://[::1]:80/b@c"),
        ("git://alice@example.test/b", "git://example.test/b"),
        ("ssh://git@example.test/b.git", "ssh://git@example.test/b.git"),
        ("ssh://git:pass@example.test/b.git", "ssh://git@example.test/b.git"),
        ("git@example.test:a/b.git", "git@example.test:a/b.git"),
        ("https://example.test/@scope/b", "https://example.test/@scope/b"),
    ],
)
def test_redact(url: str, stored: str) -> None:
    assert GitClone.redact(url) == stored
    assert GitClone.redact(stored) == stored


@pytest.mark.parametrize("login", [LOGIN, "t0kent0ken", "t0kent0ken:x", "al:t0ken%20t0ken", "a:b"])
def test_redact_text_knows_every_form(login: str) -> None:
    url = f"https://{login}@example.test/b.git"
    user, _, password = login.partition(":")
    decoded = f"{user}:{password}".replace("%2F", "/").replace("%20", " ")
    text = (
        f"fatal: '{url}' and 'https://{decoded}@example.test/' with Authorization: {basic(decoded)}"
        f" and {decoded} and {login} and https://other:s3cr3t@example.test/ and ssh://x@y/z."
    )
    clean = redact_text(text, url)
    assert not re.search("s3cr3t|t0ken|other", clean)
    assert basic(decoded)[6:] not in clean
    assert "a:b" not in clean
    assert "https://example.test/" in clean
    assert (
        redact_text("fatal: a bad banana", "https://a:ba@example.test/b") == "fatal: a bad banana"
    )
