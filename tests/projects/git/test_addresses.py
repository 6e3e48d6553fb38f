"""Which addresses are cloned from."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest
from traitlets import TraitError

from cognition_jupyter.exceptions import InvalidInput
from cognition_jupyter.projects.git import MAX_URL, GitClone

from .support import (
    marking,
)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/jupyter/notebook",
        "https://alice:s3cr3t%40@example.test:8443/~group/sub-group/a_b.git/",
        "https://x@[2001:db8::1]:443/a.git",
        "https://example.test/@scope/-/a(1)+b,c;d=e!.git",
        "ssh://git@example.test:2222/srv/a.git",
        "ssh://example.test/~/a.git",
        "git@github.com:jupyter/notebook.git",
        "me@example.test:/srv/a.git",
    ],
)
def test_good_addresses(url: str) -> None:
    assert GitClone().check(url) == url


BAD = [
    "",
    "/etc",
    "./a.git",
    "a.git",
    "../a.git",
    "C:/a.git",
    "C:\\a.git",
    "host:a.git",
    "https:/example.test/a.git",
    "file:///etc",
    "FILE:///etc",
    "file:/etc",
    "file://localhost/etc",
    "ext::sh -c touch%20/tmp/cognition-ext",
    "ext::sh",
    "ext::https://example.test/a.git",
    "ext::git@example.test:a",
    "fd::17",
    "transport::https://example.test/a",
    "https::https://example.test/a",
    "ftp://example.test/a.git",
    "http://example.test/a.git",
    "git://example.test/a.git",
    "git+ssh://example.test/a.git",
    "HTTPS://example.test/a.git",
    "-u./payload",
    "--upload-pack=./payload",
    "-oProxyCommand=id@example.test:a",
    "ssh://-oProxyCommand=touch%20x/a",
    "ssh://-oProxyCommand=x/a",
    "ssh://%2doProxyCommand=x/a",
    "ssh://-x@example.test/a",
    "ssh://%2dx@example.test/a",
    "ssh://git@-x/a",
    "ssh://git:pass@example.test/a",
    "ssh://git%3Apass@example.test/a",
    "ssh://@example.test/a",
    "git@-oProxyCommand=x:a",
    "git@example.test:-x",
    "git@example.test::a",
    "git@example.test:",
    "git:pass@example.test:a",
    "https://-x/a.git",
    "https://example.test/-x",
    "https://example.test/",
    "https://example.test",
    "https:///a.git",
    "https://@example.test/a",
    "https://:443/a.git",
    "https://alice:s3cr3t@/a.git",
    "https://alice:s3@cr3t@example.test/a.git",
    "https://example.test:port/a.git",
    "https://example.test:123456/a.git",
    "https://[example.test/a.git",
    "https://example%2etest/a.git",
    "https://example.test/a?token=s3cr3t",
    "https://example.test/a#s3cr3t",
    "https://example.test/a\\b",
    "https://example.test/a b",
    "https://example.test/a\n",
    "https://example.test/a\r\nHost: other",
    " https://example.test/a",
    "https://example.test/a\0",
    "https://example.test/a\x7f",
    "https://example.test/a%00",
    "https://example.test/a%0a",
    "ssh://example.test/a%0Ab",
    "https://example.test/\u00e4",
    "https://example.test/\ud800",
    "https://ex\u0430mple.test/a",
    "https://example.test/$(id)`id`",
    "https://example.test/" + "a" * MAX_URL,
]


@pytest.mark.parametrize("url", BAD)
def test_bad_addresses_start_nothing(
    url: str, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is on disk afterwards, and a `git` that would be started leaves a mark."""
    marking(tmp_path / "bin/git")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(InvalidInput) as caught:
        asyncio.run(GitClone().clone(url, target))
    assert (caught.value.status, caught.value.code) == (400, "invalid_repo_url")
    assert re.fullmatch(r"repo_url [^\n]{10,150}\.", caught.value.message)
    assert "s3" not in caught.value.message
    assert os.listdir(target) == []
    assert not list(tmp_path.rglob("*.mark"))
    assert not Path("/tmp/cognition-ext").exists()


def test_schemes_are_the_administrators_choice() -> None:
    for url in ("http://example.test/a", "file:///a", "a"):
        with pytest.raises(InvalidInput, match="must begin with https:// or ssh://"):
            GitClone().check(url)
    assert GitClone(allowed_schemes=["git"]).check("git://example.test/a")
    for url in ("https://example.test/a", "git@example.test:a"):
        with pytest.raises(InvalidInput, match="git://"):
            GitClone(allowed_schemes=["git"]).check(url)
    with pytest.raises(InvalidInput, match="not allowed"):
        GitClone(allowed_schemes=[]).check("https://example.test/a")
    for scheme in ("file", "ext", "fd", "ftp", ""):
        with pytest.raises(TraitError):
            GitClone(allowed_schemes=["https", scheme])
    with pytest.raises(TraitError):
        GitClone(timeout=0)
