"""A repository to clone, and nothing of the developer's own settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..git_server import make_repository


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own settings."""
    for name in os.environ:
        if name.startswith(("GIT_", "SSH_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """With `demo.git`: some hundred files, a link and attributes that ask for filters."""
    files = {f"src/{n}.txt": f"{n}\n" * 50 for n in range(200)}
    files |= {"README.md": "demo\n", "data.bin": "pointer\n"}
    files[".gitattributes"] = "*.bin filter=lfs\n*.txt filter=evil\n"
    make_repository(tmp_path / "repositories/demo.git", files, links={"link": "/etc/passwd"})
    return tmp_path / "repositories"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    directory = tmp_path / "project/repo"
    directory.mkdir(parents=True)
    return directory
