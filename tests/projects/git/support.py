"""Clones for tests, and looks at the processes they start."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import CloneFailed
from cognition_jupyter.projects.git import GitClone

SECRET = "s3cr3t/t0ken"
LOGIN = "alice:s3cr3t%2Ft0ken"  # the same as it stands in a URL


def cloner(timeout: int = 60) -> GitClone:
    return GitClone(allowed_schemes=["https", "ssh", "http"], timeout=timeout)


def clone(url: str, target: Path, progress: Callable[[str], None] | None = None) -> None:
    asyncio.run(cloner().clone(url, target, progress))


def failure(url: str, target: Path, timeout: int = 60) -> str:
    """The message of a clone that must fail, which is one readable sentence."""
    with pytest.raises(CloneFailed) as caught:
        asyncio.run(cloner(timeout).clone(url, target))
    assert (caught.value.status, caught.value.code) == (502, "clone_failed")
    message = caught.value.message
    assert message.isprintable()
    assert message.endswith(".")
    assert len(message) < 450
    return message


def everything_in(directory: Path) -> bytes:
    files = [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]
    return b"".join(path.read_bytes() for path in files)


def command_lines() -> dict[int, str]:
    """Of every process that can be looked at."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            line = (directory / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        found[int(directory.name)] = line.decode(errors="replace")
    return found


def in_session(session: int) -> set[int]:
    """The live processes of a session (`setsid`); those that await being reaped don't count."""
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.add(int(directory.name))
    return found


def session_of(host: str) -> int:
    """The session of the clone from `host`, which runs."""
    pid = next(pid for pid, line in command_lines().items() if f"://{host}/" in line)
    return os.getsid(pid)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def busy(seconds: float) -> None:
    time.sleep(seconds)


def marking(script: Path, then: str = "") -> Path:
    """A program that leaves `{script}.mark` and goes on with `then`."""
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(f"#!/bin/sh\ntouch '{script}.mark'\n{then}\n")
    script.chmod(0o755)
    return script


def plain_clone(url: str, target: Path) -> None:
    """As a user would clone: shows that a trap works."""
    subprocess.run(["git", "clone", "--quiet", url, str(target)], check=True, capture_output=True)
