"""A real git server on loopback: `git http-backend` behind Python's HTTP server."""

from __future__ import annotations

import base64
import os
import shutil
import ssl
import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

QUIET = {
    "PATH": os.environ["PATH"],
    "HOME": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.test",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.test",
}


def git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=directory, env=QUIET, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def make_repository(
    bare: Path,
    files: dict[str, str],
    links: dict[str, str] | None = None,
    submodule: str | None = None,
) -> Path:
    """A bare repository of one commit. `submodule` names one at that path (and in .gitmodules)."""
    work = bare.with_suffix(".work")
    work.mkdir(parents=True)
    git(work, "init", "--quiet", "--initial-branch=main")
    for name, content in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(content)
    for name, target in (links or {}).items():
        (work / name).symlink_to(target)
    git(work, "add", "--all")
    if submodule is not None:
        git(work, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{submodule}")
    git(work, "commit", "--quiet", "--message=one")
    git(work, "clone", "--quiet", "--bare", str(work), str(bare))
    shutil.rmtree(work)
    return bare


class GitServer:
    """Serves the bare repositories in a directory; use as a context manager.

    `login` (`user:password`) is asked for; `redirect_to` answers everything with a redirect
    there; `refusal` is said instead of the refs; `hang` answers nothing; `stall_after` sends
    that many bytes of a pack and no more; `pack_hook` is a program that upload-pack runs in place
    of pack-objects; `certificate` (with its key in the same file) makes it https.
    """

    def __init__(
        self,
        repositories: Path,
        *,
        login: str | None = None,
        redirect_to: str | None = None,
        refusal: str | None = None,
        hang: bool = False,
        stall_after: int | None = None,
        pack_hook: Path | None = None,
        certificate: Path | None = None,
    ) -> None:
        self.repositories = repositories
        self.login = login
        self.redirect_to = redirect_to
        self.refusal = refusal
        self.hang = hang
        self.stall_after = stall_after
        self.pack_hook = pack_hook
        self.requests: list[tuple[str, str | None]] = []  # path, Authorization
        self.stuck = threading.Event()  # set when a client has been left waiting
        self.closing = threading.Event()
        self._http = _Server(self)
        self.host = f"127.0.0.1:{self._http.server_address[1]}"
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def url(self, path: str, login: str = "") -> str:
        return f"{self.scheme}://{login + '@' if login else ''}{self.host}/{path}"

    def __enter__(self) -> GitServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, git_server: GitServer) -> None:
        self.git_server = git_server
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed, or that does not trust the certificate, is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def answer(self, body: bytes) -> None:
        options = self.server.git_server
        authorization = self.headers.get("Authorization")
        options.requests.append((self.path, authorization))
        if options.hang:
            self.leave_waiting()
        elif options.redirect_to is not None:
            self.send_response(301)
            self.send_header("Location", options.redirect_to + self.path)
            self.end_headers()
        elif options.login is not None and authorization != basic(options.login):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif options.refusal is not None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
            self.end_headers()
            service = packet("# service=git-upload-pack\n") + b"0000"
            self.wfile.write(service + packet(f"ERR {options.refusal}\n"))
        else:
            self.run_backend(body)

    def leave_waiting(self) -> None:
        self.server.git_server.stuck.set()
        self.server.git_server.closing.wait()

    def run_backend(self, body: bytes) -> None:
        options = self.server.git_server
        path, _, query = self.path.partition("?")
        environment = QUIET | {
            "GIT_PROJECT_ROOT": str(options.repositories),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        if options.pack_hook is not None:
            environment |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "uploadpack.packObjectsHook",
                "GIT_CONFIG_VALUE_0": str(options.pack_hook),
            }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(ConnectionError):
            if options.stall_after is not None and b"packfile" in content[:4096]:
                self.wfile.write(content[: options.stall_after])
                self.leave_waiting()
            self.wfile.write(content)


def packet(line: str) -> bytes:
    """As git's protocol has it: the length in four hexadecimal digits, and the line."""
    return f"{len(line.encode()) + 4:04x}{line}".encode()


def basic(login: str) -> str:
    return "Basic " + base64.b64encode(login.encode()).decode()
