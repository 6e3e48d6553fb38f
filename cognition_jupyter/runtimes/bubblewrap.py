"""A sandbox of namespaces made by bubblewrap: no engine, no image, the server's own Python."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from traitlets import Bool, List, TraitError, Unicode, validate

from ..exceptions import Forbidden, RuntimeUnavailable
from .base import DEPS, TMP, ContainerSpec, Guarantees, Health
from .bubblewrap_filter import system_call_filter
from .child import Child, ChildRuntime, children_of, send

# What a Python needs of the host; the rest of it (homes, /var, /etc's secrets) is not there.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types")
_ETC_ONLINE = ("hosts", "nsswitch.conf", "resolv.conf", "ssl/certs", "ca-certificates")
_EMPTY = ("/sys", "/run", "/var")

# --die-with-parent: nothing outlives the server.
_NAMESPACES = [
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",
    "--new-session",
]


def _base_python() -> str:
    """The interpreter behind the virtual environment: in it `pip install --user` works."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    path = os.path.join(sys.base_prefix, "bin", version)
    return path if os.path.exists(path) else sys.executable


def _below(path: str, outer: list[str]) -> bool:
    return any(Path(path).is_relative_to(place) for place in outer)


def _links() -> list[tuple[str, str]]:
    """The links that lead to the server's Python, and what each says."""
    links: list[tuple[str, str]] = []
    path = sys.executable
    while os.path.islink(path) and len(links) < 40:
        links.append((path, os.readlink(path)))
        path = os.path.join(os.path.dirname(path), links[-1][1])
    return links


def _without_venv() -> list[str]:
    """Hide what makes the environment's `python` and `pip` one: they are the base's then."""
    mark = os.path.join(sys.prefix, "pyvenv.cfg")
    if os.path.isfile(mark) and os.path.islink(sys.executable):  # a copy needs it to find its home
        return ["--ro-bind", "/dev/null", mark]
    return []


def _before_command(user: tuple[int, int]) -> list[str]:
    """Lead a process group, as a kernel has to when its children are to be interrupted with it.

    A server that runs as root also drops to an ordinary user without capabilities: in a user
    namespace root would own all that the session writes.
    """
    setsid = shutil.which("setsid", path="/usr/bin:/bin")
    lead = [setsid, "--"] if setsid else []
    if os.geteuid() != 0:
        return lead
    drop = ["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all"]
    ids = ["--reuid", str(user[0]), "--regid", str(user[1])]
    return ["/usr/bin/setpriv", *ids, *drop, "--bounding-set=-all", "--", *lead]


def _parents(paths: list[str]) -> list[str]:
    """Make what the mount points lie in; bubblewrap itself makes it for root's eyes only."""
    parents = {str(parent) for path in paths for parent in Path(path).parents} - {"/"}
    return [arg for path in sorted(parents) for arg in ("--perms", "0755", "--dir", path)]


def _files(spec: ContainerSpec) -> dict[str, bytes]:
    """Files that are not the host's."""
    uid, gid = spec.user
    home = f"{TMP}/home"
    files = {
        "/etc/passwd": f"root:x:0:0:root:/:/bin/sh\ncognition:x:{uid}:{gid}::{home}:/bin/sh\n",
        "/etc/group": f"root:x:0:\ncognition:x:{gid}:\n",
    }
    if spec.network_mode == "OFF":
        files["/etc/hosts"] = "127.0.0.1 localhost cognition\n::1 localhost\n"
        files["/etc/nsswitch.conf"] = "passwd: files\ngroup: files\nhosts: files\n"
    return {path: text.encode() for path, text in files.items()}


def _readable(content: bytes) -> int:
    """A file descriptor to read `content` from."""
    fd = os.memfd_create("cognition")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class BubblewrapRuntime(ChildRuntime):
    """Each session in fresh namespaces, with the same paths as in a container."""

    name = "bubblewrap"
    guarantees = Guarantees(isolated=True, network_off=True, limits=False, images=False, strength=1)
    python = _base_python()
    environment = {
        "PATH": f"{DEPS}/bin:{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        # As in a container: what a session installs comes before the server's packages.
        "PYTHONPATH": os.pathsep.join(
            [
                sysconfig.get_path("purelib", "posix_user", {"userbase": DEPS}),
                *site.getsitepackages(),
            ]
        ),
    }

    executable = Unicode("bwrap", help="The bubblewrap program.").tag(config=True)
    read_only_paths = List(
        Unicode(), help="More directories of the host that sessions may read, at the same path."
    ).tag(config=True)
    allow_host_network = Bool(
        False,
        help="Let network ON share the host's network, loopback services included; bubblewrap has "
        "no other. Without it, network ON is refused.",
    ).tag(config=True)

    @validate("read_only_paths")
    def _valid_paths(self, proposal: dict[str, Any]) -> list[str]:
        paths = [os.path.normpath(path) for path in proposal["value"]]
        for path in paths:
            if not path.startswith("/") or path.strip("/") == "":
                raise TraitError(
                    f"BubblewrapRuntime.read_only_paths can't hold {path!r}: each is the absolute "
                    "path of a directory, and not of the root."
                )
        return paths

    async def health(self) -> Health:
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._try_out)
        except RuntimeUnavailable as error:
            return Health(self.name, False, True, error.message)
        detail = "bubblewrap: no limits on memory, CPU or processes; the server's own Python"
        return Health(self.name, True, True, detail)

    def _program(self) -> str:
        program = shutil.which(self.executable)
        if program is None:
            raise RuntimeUnavailable("bubblewrap is not installed (package bubblewrap).")
        if os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"):
            raise RuntimeUnavailable("setpriv is not installed (package util-linux).")
        return program

    def _try_out(self) -> None:
        """Make the sandbox of a session; where we are in a container, much may be forbidden."""
        nobody = ContainerSpec("", "", "", "", ("true",), {}, "/", (), "OFF", (65534, 65534))
        try:
            process = self._popen(nobody)
            try:
                said = process.communicate(timeout=10)[1].decode(errors="replace")
            finally:
                process.kill()
                process.wait()
        except (OSError, subprocess.TimeoutExpired):
            raise RuntimeUnavailable("bubblewrap does not answer.") from None
        if process.returncode:
            last = "".join(said.strip().splitlines()[-1:])[:200]
            raise RuntimeUnavailable(f"bubblewrap does not work here: {last or 'no reason'}.")

    def _popen(self, spec: ContainerSpec) -> subprocess.Popen[bytes]:
        if spec.network_mode == "ON" and not self.allow_host_network:
            raise Forbidden(
                "The runtime bubblewrap has no network but the host's own: use docker, or let the "
                "administrator set BubblewrapRuntime.allow_host_network.",
                "network_on_unavailable",
            )
        program = self._program()
        files = {path: _readable(content) for path, content in _files(spec).items()}
        calls = system_call_filter()
        seccomp = [] if calls is None else [_readable(calls)]
        try:
            arguments = self._arguments(spec, files)
            arguments += [arg for fd in seccomp for arg in ("--seccomp", str(fd))]
            return subprocess.Popen(
                [program, *arguments, "--", *_before_command(spec.user), *spec.command],
                env=spec.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=[*files.values(), *seccomp],
            )
        finally:
            for fd in (*files.values(), *seccomp):
                os.close(fd)

    def _arguments(self, spec: ContainerSpec, files: dict[str, int]) -> list[str]:
        online = spec.network_mode == "ON"
        args = [*_NAMESPACES, *(() if online else ("--unshare-net",))]
        args += [] if os.geteuid() == 0 else ["--unshare-user"]
        args += ["--hostname", "cognition", "--proc", "/proc", "--dev", "/dev"]
        args += ["--perms", "1777", "--tmpfs", "/dev/shm"]
        args += [arg for path in _EMPTY for arg in ("--perms", "0755", "--tmpfs", path)]
        python_paths = self._python_paths()
        targets = [mount.target for mount in spec.mounts]
        # Not in what is mounted: there the link of the last container would be in the way.
        links = [
            (path, target)
            for path, target in _links()
            if not _below(path, [*python_paths, *_SYSTEM, *targets])
        ]
        args += _parents(["/etc/x", *python_paths, *(path for path, _ in links), *targets])
        for path in _SYSTEM:
            if os.path.islink(path):
                args += ["--symlink", os.readlink(path), path]
            elif os.path.isdir(path):
                args += ["--ro-bind", path, path]
        for name in (*_ETC, *(_ETC_ONLINE if online else ())):
            args += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
        for mount in spec.mounts:
            kind = "--ro-bind" if mount.read_only else "--bind"
            args += [kind, str(mount.source), mount.target]
        # After the mounts, and what they lie in once more: the server's Python may live below /tmp.
        mounted = [path for path in python_paths if _below(path, targets)]
        args += _parents(mounted)
        for path in python_paths:
            args += ["--ro-bind", path, path]
        args += [arg for path, target in links for arg in ("--symlink", target, path)]
        args += _without_venv()
        for path, fd in files.items():
            args += ["--perms", "0644", "--ro-bind-data", str(fd), path]
        args += [arg for path in ("/", "/dev", *_EMPTY) for arg in ("--remount-ro", path)]
        return [*args, "--chdir", spec.working_directory]

    def _python_paths(self) -> list[str]:
        """Where the server's Python and its packages are, outermost only, in /usr or not."""
        wanted = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
        wanted |= {*site.getsitepackages(), os.path.dirname(os.path.realpath(sys.executable))}
        there = {path for path in wanted if os.path.isdir(path)}
        found: list[str] = []
        for path in sorted({*there, *self.read_only_paths}):
            if not _below(path, [*found, "/usr"]):
                found.append(path)
        return found

    def _send(self, pid: int, signum: int) -> None:
        # bubblewrap, its init, the kernel: a signal for the first would end all three at once. A
        # kernel that is not there yet gets none.
        for kernel in [k for init in children_of(pid)[:1] for k in children_of(init)[:1]]:
            send(kernel, signum)

    async def _kill(self, child: Child) -> None:
        # The sandbox's init first, for with it all in its namespace ends. It asks to die with
        # bubblewrap itself only some time after its birth, and would be left if that died before.
        deadline = time.monotonic() + 1
        while child.ended is None and time.monotonic() < deadline:
            if inits := children_of(child.pid):
                for init in inits:
                    send(init, signal.SIGKILL)
                break
            await asyncio.sleep(0.005)
        await super()._kill(child)
