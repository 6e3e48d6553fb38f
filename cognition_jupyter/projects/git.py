"""Cloning a repository into a new project, with nothing of the server user's git configuration."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from traitlets import Enum, Integer, List
from traitlets.config import LoggingConfigurable

from ..exceptions import CloneFailed, InvalidInput

MAX_URL = 2048
MAX_LINE = 1000  # of what git says: a hostile server can send a line without end
MAX_REASON = 300
KILL_TIMEOUT = 10.0  # seconds that killed processes may take to be gone

Progress = Callable[[str], None] | None

_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/@!$&'()*+,;=%\[\]-]+")  # RFC 3986 without `?` and `#`
_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"
_URL = re.compile(rf"([a-z]+)://(?:([^/@]+)@)?({_HOST}(?::[0-9]{{1,5}})?)/([^-].*)")
_SSH_USER = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
_SCP = re.compile(rf"{_SSH_USER}@{_HOST}:[^:-].*")  # git@host:path, which git takes for ssh
_LOGIN = re.compile(r"(?<=://)([^/?#\s]*)@")
_PROGRESS = re.compile(
    r"(?:remote: )?((?:Counting|Compressing|Receiving) objects|Resolving deltas|Updating files)"
    r": +(\d{1,3})%"
)
_HINTS = {
    "terminal prompts disabled": " (it needs credentials, or refuses those in the URL)",
    "returned error: 30": " (redirects are not followed: use the address it leads to)",
}

# On the command line, where every version of git reads them. No other configuration is read, so
# most of these repeat git's defaults, for a build of git that brings its own.
_OPTIONS = (
    "core.hooksPath=/dev/null",  # not a directory, so there is no hook in it
    "core.fsmonitor=false",  # can name a program
    "credential.helper=",  # empty: no helper
    # `initial` follows to other hosts too. `false` also holds for a "dumb" server's alternates.
    "http.followRedirects=false",
    "submodule.recurse=false",
    "filter.lfs.process=",  # large files stay pointers, which a session with network can fetch
    "filter.lfs.smudge=",
    "filter.lfs.required=false",
    "maintenance.auto=false",  # would go on in the background
)
_CLONE = ("clone", "--progress", "--template=", "--no-recurse-submodules", "--")
_ENVIRONMENT = {
    "HOME": "/dev/null",  # has no .gitconfig, .netrc or .config/git
    "LANG": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",  # empty: ask nobody, and look for no other way to ask
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_SSH_VARIANT": "ssh",
    # Whatever HOME says, ssh uses ~/.ssh of the server's user; a host unknown there is refused
    # unless its config accepts it. Off is what no host named by anybody may get (agent, X11,
    # forwarded ports), and the shared connection, whose process would outlive git.
    "GIT_SSH_COMMAND": "ssh -a -x -oBatchMode=yes -oConnectTimeout=20 -oClearAllForwardings=yes "
    "-oPermitLocalCommand=no -oControlMaster=no -oControlPath=none",
}
# Where certificates, proxy and ssh agent are. The rest of the server's environment (tokens, say)
# is not git's business. curl reads HTTP_PROXY in small letters only.
_PASSED_ON = re.compile(
    r"PATH|SSH_AUTH_SOCK|SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE|GIT_SSL_CA(INFO|PATH)"
    r"|(https?|all|no)_proxy|(HTTPS|ALL|NO)_PROXY"
)


def _invalid(problem: str) -> InvalidInput:
    return InvalidInput(f"repo_url {problem}.", "invalid_repo_url")


def _secret_login(url: str) -> str:
    """The `user:password` of a URL, as it stands there; the user name alone of ssh is no secret."""
    match = _URL.fullmatch(url)
    return match[2] or "" if match and match[1] != "ssh" else ""


def _basic(login: str) -> str:
    """The login of a URL as HTTP's Basic scheme wants it (RFC 7617)."""
    user, _, password = login.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return base64.b64encode(pair).decode("ascii")


def redact_text(text: str, url: str) -> str:
    """`text` without the credentials of `url`, plain or encoded, and without those in any URL."""
    if login := _secret_login(url):
        # To cut three letters out of every word would spell them out.
        parts = [part for part in login.split(":", 1) if len(part) > 3]
        secrets = {login, unquote(login), _basic(login), *parts, *map(unquote, parts)}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
    return _LOGIN.sub("", text)


class GitClone(LoggingConfigurable):
    """Clones repositories. What the repository or the server's user configured is never run."""

    allowed_schemes = List(
        Enum(["https", "ssh", "http", "git"]),
        default_value=["https", "ssh"],
        help="How a repository may be reached: any of https, ssh (also git@host:path), http and "
        "git. The last two are neither encrypted nor authenticated. It is the server that "
        "connects, so a URL can name every host that the server reaches.",
    ).tag(config=True)
    timeout = Integer(600, min=1, help="Seconds that a clone may take.").tag(config=True)

    @staticmethod
    def redact(url: str) -> str:
        """`url` without credentials: what may be stored and shown. Ssh keeps its user name."""
        if url.startswith("ssh://"):
            return _LOGIN.sub(lambda match: match[1].partition(":")[0] + "@", url)
        return _LOGIN.sub("", url)

    def check(self, url: str) -> str:
        """`url` itself, or InvalidInput (`invalid_repo_url`). Does not ask the network."""
        if len(url) > MAX_URL:
            raise _invalid(f"may have {MAX_URL} characters, not {len(url)}")
        if not _CHARACTERS.fullmatch(url):
            raise _invalid("may hold no spaces, '?', '#' or other characters that a URL has as %XX")
        scheme, separator, _ = url.partition("://")
        if not separator:
            scheme = "ssh" if _SCP.fullmatch(url) else ""
        if scheme not in self.allowed_schemes:
            allowed = " or ".join(f"{name}://" for name in self.allowed_schemes)
            raise _invalid(f"must begin with {allowed}" if allowed else "is not allowed here")
        if not separator:
            return url
        match = _URL.fullmatch(url)
        if match is None:
            raise _invalid(f"must be {scheme}://host/path, with an '@' in a password as %40")
        if any(byte < 32 or byte == 127 for byte in unquote_to_bytes(match[4])):
            raise _invalid("must not hold control characters, also not as %XX")
        if scheme in ("ssh", "git") and not re.fullmatch(_SSH_USER, match[2] or "git"):
            raise _invalid("may hold a password for https only; ssh uses keys")
        return url

    async def clone(self, url: str, target: Path, progress: Progress = None) -> None:
        """Clone `url` into the empty, absolute `target`, where a failure can leave parts.

        `progress` gets a few hundred lines at most, such as `Receiving objects: 45%`. Credentials
        in the URL are sent to its host only and written nowhere. When it has returned, raised or
        been cancelled, nothing it started still runs.
        Raises InvalidInput (`invalid_repo_url`), CloneFailed.
        """
        self.check(url)
        self.log.info("Cloning %s", self.redact(url))
        lines: deque[str] = deque(maxlen=20)
        process = await self._start(url, target)
        status = None
        try:
            status = await asyncio.wait_for(_follow(process, lines, progress), self.timeout)
        except asyncio.TimeoutError:
            raise CloneFailed(f"The clone was not done within {self.timeout} s.") from None
        finally:
            if status is None:
                await _kill(process)
        if status != 0:
            reason = redact_text(_reason(lines) or f"git ended with status {status}", url)
            hint = next((text for sign, text in _HINTS.items() if sign in reason), "")
            reason = reason[:MAX_REASON].rstrip(".")
            raise CloneFailed(f"The repository could not be cloned: {reason}{hint}.")

    async def _start(self, url: str, target: Path) -> Process:
        options = [part for option in _OPTIONS for part in ("-c", option)]
        creation = asyncio.create_subprocess_exec(
            *("git", *options, *_CLONE, self.redact(url), str(target)),
            env=_environment(url),
            cwd="/",  # git prefers a directory `git@host:path` to the host; none is there
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            start_new_session=True,  # a process group to kill, and no terminal to ask on
        )
        starting = asyncio.ensure_future(creation)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:  # asyncio would kill git, but nothing that git started
            with suppress(OSError):
                await _kill(await starting)
            raise
        except OSError as error:
            problem = error.strerror or type(error).__name__
            raise CloneFailed(f"The server could not start git: {problem}.") from None


def _environment(url: str) -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if _PASSED_ON.fullmatch(k)} | _ENVIRONMENT
    match = _URL.fullmatch(url)
    environment["GIT_ALLOW_PROTOCOL"] = match[1] if match else "ssh"  # overrides protocol.*.allow
    if match and (login := _secret_login(url)):
        # All users can read arguments, and git stores the URL; an environment is its user's alone.
        # The key limits the header to this host.
        environment["GIT_CONFIG_COUNT"] = "1"
        environment["GIT_CONFIG_KEY_0"] = f"http.{match[1]}://{match[3]}/.extraHeader"
        environment["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {_basic(login)}"
    return environment


async def _follow(process: Process, lines: deque[str], progress: Progress) -> int:
    """Read what git says until it is gone, keeping the last lines in `lines`; its exit status."""
    assert process.stderr is not None
    best: dict[str, int] = {}  # only a rise is progress: a server can't make calls without end
    rest = b""
    while chunk := await process.stderr.read(1 << 14):
        *whole, rest = re.split(rb"[\r\n]", rest + chunk)
        rest = rest[:MAX_LINE]
        for raw in whole:
            text = raw[:MAX_LINE].decode("utf-8", "replace")
            line = "".join(char if char.isprintable() else " " for char in text).strip()
            if match := _PROGRESS.match(line):
                stage, percent = match[1], int(match[2])
                if progress is not None and best.get(stage, -1) < percent <= 100:
                    best[stage] = percent
                    progress(f"{stage}: {percent}%")
            elif line and not line.startswith("Cloning into "):
                lines.append(line)
    return await process.wait()


def _reason(lines: deque[str]) -> str:
    """The line that says why git failed: the first fatal one, since others follow from it."""
    fatal = next((i for i, line in enumerate(lines) if line.startswith("fatal: ")), len(lines) - 1)
    if fatal > 0 and lines[fatal].startswith("fatal: Could not read from remote"):
        fatal -= 1  # where ssh, or the server through it, says what happened
    return lines[fatal] if lines else ""


async def _kill(process: Process) -> None:
    """Kill git with all that it started, and wait until all of it is gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(asyncio.TimeoutError):  # its output ends when nobody is left who could write
        await asyncio.wait_for(_follow(process, deque(maxlen=1), None), KILL_TIMEOUT)
