"""What a repository brings along must not run, and no more is fetched than it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..git_server import GitServer, make_repository
from .support import (
    LOGIN,
    clone,
    failure,
    marking,
    plain_clone,
)


def test_the_users_configuration_is_not_used(
    repositories: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = marking(tmp_path / "hooks/post-checkout")
    template = marking(tmp_path / "template/hooks/post-checkout").parent.parent
    variable_template = marking(tmp_path / "variable/hooks/post-checkout").parent.parent
    (tmp_path / "attributes").write_text("* filter=global\n")
    make_repository(
        repositories / "decoy.git", {"decoy.txt": "x", ".gitattributes": "* filter=evil"}
    )
    configuration = tmp_path / "home/.gitconfig"

    def configure(more: str) -> None:
        lines = [f"[core]\nattributesFile = {tmp_path}/attributes"]
        for name in ("evil", "lfs", "global"):
            program = marking(tmp_path / name, "cat")
            lines.append(f'[filter "{name}"]\nsmudge = {program}\nrequired = true')
        configuration.write_text("\n".join([*lines, more, ""]))

    def marks() -> set[str]:
        found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.mark")}
        for path in tmp_path.rglob("*.mark"):
            path.unlink()
        return found

    with GitServer(repositories) as server:
        url = server.url("demo.git")
        configure(f"[init]\ntemplateDir = {template}")
        plain_clone(url, tmp_path / "control1")
        filters = {"evil.mark", "lfs.mark", "global.mark"}
        assert marks() == {"template/hooks/post-checkout.mark"} | filters
        decoy = f'[url "{server.url("decoy.git")}"]\ninsteadOf = {url}'
        configure(f"[core]\nhooksPath = {hook.parent}\n[init]\ntemplateDir = {template}\n{decoy}")
        plain_clone(url, tmp_path / "control2")
        assert marks() == {"hooks/post-checkout.mark", "evil.mark"}
        assert (tmp_path / "control2/decoy.txt").exists()
        for name, value in {
            "GIT_TEMPLATE_DIR": str(variable_template),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.hooksPath",
            "GIT_CONFIG_VALUE_0": str(hook.parent),
            "GIT_TRACE": str(tmp_path / "trace.mark"),
            "XDG_CONFIG_HOME": str(tmp_path / "home"),
            "GIT_EXEC_PATH": str(tmp_path),
            "GIT_DIR": str(tmp_path / "dir.mark"),
        }.items():
            monkeypatch.setenv(name, value)
        clone(url, target)
    assert marks() == set()
    assert (target / "README.md").exists()
    assert (target / "data.bin").read_text() == "pointer\n"
    assert not (target / ".git/hooks").exists()


def test_submodules_are_not_fetched(repositories: Path, target: Path, tmp_path: Path) -> None:
    (tmp_path / "home/.gitconfig").write_text("[submodule]\nrecurse = true\n")
    with GitServer(repositories) as server:
        modules = f'[submodule "sub"]\npath = sub\nurl = {server.url("demo.git")}\nactive = true\n'
        make_repository(repositories / "super.git", {".gitmodules": modules}, submodule="sub")
        clone(server.url("super.git"), target)
        assert server.requests
        assert all(path.startswith("/super.git/") for path, _ in server.requests)
    assert os.listdir(target / "sub") == []


@pytest.mark.parametrize("same_host", [False, True])
def test_redirects_are_not_followed(same_host: bool, repositories: Path, target: Path) -> None:
    with GitServer(repositories) as other:
        start = "" if same_host else other.url("").rstrip("/")
        with GitServer(repositories, redirect_to=f"{start}/moved") as server:
            message = failure(server.url("demo.git", LOGIN), target)
            assert len(server.requests) == 1
        assert other.requests == []
    assert "redirects are not followed" in message
