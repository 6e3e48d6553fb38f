"""Clones that fail say why."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path

import pytest

from ..git_server import GitServer, basic
from .support import (
    LOGIN,
    SECRET,
    clone,
    command_lines,
    failure,
    marking,
    until,
)


def test_no_such_repository(repositories: Path, target: Path) -> None:
    with GitServer(repositories) as server:
        message = failure(server.url("missing.git"), target)
        assert f"fatal: repository '{server.url('missing.git')}/' not found" in message
    assert "fatal: unable to access" in failure(server.url("demo.git"), target)  # it is gone


def test_the_reason_is_safe_to_show(repositories: Path, target: Path) -> None:
    header = basic(f"alice:{SECRET}")
    refusal = f"\x1b[31m\a{LOGIN} alice:{SECRET} {header}\u202e\u0085 {'no ' * 200}"
    with GitServer(repositories, refusal=refusal) as server:
        message = failure(server.url("demo.git", LOGIN), target)
    assert "fatal: remote error: " in message
    assert message.count("***") == 3
    assert not re.search(rf"s3cr3t|alice|{header[6:]}", message)


def test_a_line_without_end_is_not_kept(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marking(tmp_path / "bin/git", "head -c 30000000 /dev/zero | tr '\\0' x >&2; exit 7")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    tracemalloc.start()
    assert "git ended with status 7" in failure("https://example.test/a", target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_no_git(target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "could not start git" in failure("https://example.test/a", target)


def test_a_server_that_talks_too_much(repositories: Path, target: Path, tmp_path: Path) -> None:
    """Lines without end, control characters and progress that goes up and down."""
    talk = r"""
i=0; while [ $i -lt 3000 ]; do
  printf 'Counting objects:   5%% (1/20)\rCounting objects:  10%% (2/20)\r' >&2
  printf 'Hacking stage%d:  10%% (2/20)\r\033[31m\033]0;title\007fatal: no\n' $i >&2
  i=$((i+1))
done
head -c 3000000 /dev/zero | tr '\0' x >&2
"""
    said: list[str] = []
    with GitServer(
        repositories, pack_hook=marking(tmp_path / "talk", talk + 'exec "$@"')
    ) as server:
        clone(server.url("demo.git"), target, said.append)
    assert (tmp_path / "talk.mark").exists()
    assert 1 < len(said) < 600
    assert "Receiving objects: 100%" in said
    second = tmp_path / "project/second"
    second.mkdir()
    with GitServer(repositories, pack_hook=marking(tmp_path / "talk", talk + "exit 1")) as server:
        assert "fatal: " in failure(server.url("demo.git"), second)


def test_an_error_of_the_caller_stops_git(repositories: Path, target: Path) -> None:
    def refuse(line: str) -> None:
        raise ZeroDivisionError

    with GitServer(repositories) as server:
        with pytest.raises(ZeroDivisionError):
            clone(server.url("demo.git"), target, refuse)
        until(lambda: not any(f"://{server.host}/" in line for line in command_lines().values()))
