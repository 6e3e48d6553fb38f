"""Cloning, against real git servers on loopback."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from traitlets import TraitError

from cognition_jupyter.exceptions import CloneFailed, InvalidInput
from cognition_jupyter.projects.git import MAX_URL, GitClone, redact_text

from .git_server import GitServer, basic, git, make_repository

SECRET = "s3cr3t/t0ken"
LOGIN = "alice:s3cr3t%2Ft0ken"  # the same as it stands in a URL


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


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def busy(seconds: float) -> None:
    time.sleep(seconds)


# -- what works ------------------------------------------------------------------------------


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


# -- credentials -----------------------------------------------------------------------------


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
    assert time.monotonic() - start < 20
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


# -- addresses -------------------------------------------------------------------------------


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


# -- what must not run or be fetched ---------------------------------------------------------


def marking(script: Path, then: str = "") -> Path:
    """A program that leaves `{script}.mark` and goes on with `then`."""
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(f"#!/bin/sh\ntouch '{script}.mark'\n{then}\n")
    script.chmod(0o755)
    return script


def plain_clone(url: str, target: Path) -> None:
    """As a user would clone: shows that a trap works."""
    subprocess.run(["git", "clone", "--quiet", url, str(target)], check=True, capture_output=True)


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


# -- failures --------------------------------------------------------------------------------


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


@pytest.fixture(params=["hang", "stall"])
def stuck_server(request: pytest.FixtureRequest, repositories: Path) -> Iterator[GitServer]:
    """Leaves the client waiting for the first answer, or in the middle of the files."""
    hang = request.param == "hang"
    with GitServer(repositories, hang=hang, stall_after=None if hang else 3000) as server:
        yield server


def test_timeout_leaves_no_process(repositories: Path, target: Path) -> None:
    sessions: list[int] = []

    def look() -> None:
        until(server.stuck.is_set)
        sessions.append(session_of(server.host))

    with GitServer(repositories, stall_after=3000) as server:
        watcher = threading.Thread(target=look)
        watcher.start()
        start = time.monotonic()
        message = failure(server.url("demo.git", LOGIN), target, timeout=5)
        assert 5 <= time.monotonic() - start < 20
        assert message == "The clone was not done within 5 s."
        watcher.join()
        until(lambda: not in_session(sessions[0]), 2)


def test_cancellation_leaves_no_process(stuck_server: GitServer, target: Path) -> None:
    async def scenario() -> int:
        task = asyncio.create_task(cloner().clone(stuck_server.url("demo.git"), target))
        await asyncio.to_thread(until, stuck_server.stuck.is_set)
        session = session_of(stuck_server.host)
        assert len(in_session(session)) >= 2
        task.cancel()
        start = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - start < 8
        return session

    session = asyncio.run(scenario())
    until(lambda: not in_session(session), 2)


def test_cancellation_at_any_moment(repositories: Path, tmp_path: Path) -> None:
    async def scenario(server: GitServer) -> None:
        for number in range(24):
            target = tmp_path / f"repo{number}"
            target.mkdir()
            task = asyncio.create_task(cloner().clone(server.url("demo.git"), target))
            if number < 8:  # while git is being started, in a loop that is busy with other things
                for _ in range(number):
                    await asyncio.sleep(0)
                busy(0.1)
            else:
                await asyncio.sleep((number - 8) * 0.002)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with GitServer(repositories, hang=True) as server:
        asyncio.run(scenario(server))
        mark = f"://{server.host}/"
        until(lambda: not any(mark in line for line in command_lines().values()), 2)


# -- ssh -------------------------------------------------------------------------------------


def test_ssh_to_nowhere_fails_soon(target: Path) -> None:
    start = time.monotonic()
    for url in ("ssh://git@127.0.0.1:1/a.git", "ssh://127.0.0.1:1/~/a.git"):
        assert "port 1: Connection refused" in failure(url, target)
    assert time.monotonic() - start < 20


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
