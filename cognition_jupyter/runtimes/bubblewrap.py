"""A sandbox of namespaces made by bubblewrap: no engine, no image, the server's own Python."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import site
import subprocess
import sys
from pathlib import Path

from traitlets import Bool, List, Unicode

from ..exceptions import Forbidden, RuntimeUnavailable
from .base import TMP, ContainerSpec, Guarantees, Health
from .child import ChildRuntime

# What a Python needs of the host; the rest of it (homes, /var, /etc's secrets) is not there.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types")
_ETC_ONLINE = ("hosts", "nsswitch.conf", "resolv.conf", "ssl/certs", "ca-certificates")


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


def _as_user(user: tuple[int, int]) -> list[str]:
    """What a server that runs as root puts before the command.

    A user namespace would make root the owner of all that the session writes; so the session
    drops to an ordinary user without capabilities instead.
    """
    if os.geteuid() != 0:
        return []
    drop = ["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all"]
    ids = ["--reuid", str(user[0]), "--regid", str(user[1])]
    return ["/usr/bin/setpriv", *ids, *drop, "--bounding-set=-all", "--"]


def _parents(paths: list[str]) -> list[str]:
    """Make what the mount points lie in; bubblewrap itself makes it for root's eyes only."""
    parents = {str(parent) for path in paths for parent in Path(path).parents} - {"/"}
    return [arg for path in sorted(parents) for arg in ("--perms", "0755", "--dir", path)]


def _passwd(user: tuple[int, int]) -> int:
    """A file descriptor to read the sandbox's /etc/passwd from."""
    reader, writer = os.pipe()
    line = f"cognition:x:{user[0]}:{user[1]}:cognition:{TMP}/home:/bin/sh\n"
    os.write(writer, b"root:x:0:0:root:/:/bin/sh\n" + line.encode())
    os.close(writer)
    return reader


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class BubblewrapRuntime(ChildRuntime):
    """Each session in fresh namespaces, with the same paths as in a container."""

    name = "bubblewrap"
    guarantees = Guarantees(isolated=True, network_off=True, limits=False, images=False, strength=1)
    python = _base_python()
    environment = {
        "PATH": f"/deps/bin:{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(site.getsitepackages()),
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

    async def health(self) -> Health:
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._try_out)
        except RuntimeUnavailable as error:
            return Health(self.name, False, True, error.message)
        detail = "bubblewrap: no limits on memory, CPU or processes; the server's own Python"
        return Health(self.name, True, True, detail)

    def _try_out(self) -> None:
        program = shutil.which(self.executable)
        if program is None:
            raise RuntimeUnavailable("bubblewrap is not installed (package bubblewrap).")
        command = [program, *_NAMESPACES, "--unshare-net", "--ro-bind", "/", "/", "true"]
        if os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"):
            raise RuntimeUnavailable("setpriv is not installed (package util-linux).")
        try:
            done = subprocess.run(command, capture_output=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            raise RuntimeUnavailable("bubblewrap does not answer.") from None
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeUnavailable(
                f"bubblewrap does not work here: {''.join(last)[:200] or done.returncode}."
            )

    def _popen(self, spec: ContainerSpec) -> subprocess.Popen[bytes]:
        if spec.network_mode == "ON" and not self.allow_host_network:
            raise Forbidden(
                "The runtime bubblewrap has no network but the host's own: use docker, or let the "
                "administrator set BubblewrapRuntime.allow_host_network.",
                "network_on_unavailable",
            )
        program = shutil.which(self.executable)
        if program is None:
            raise RuntimeUnavailable("bubblewrap is not installed (package bubblewrap).")
        passwd = _passwd(spec.user)
        arguments = [*self._arguments(spec), "--ro-bind-data", str(passwd), "/etc/passwd"]
        arguments += ["--remount-ro", "/", "--chdir", spec.working_directory]
        try:
            return subprocess.Popen(
                [program, *arguments, "--", *_as_user(spec.user), *spec.command],
                env=spec.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=(passwd,),
            )
        finally:
            os.close(passwd)

    def _arguments(self, spec: ContainerSpec) -> list[str]:
        online = spec.network_mode == "ON"
        args = [*_NAMESPACES, *(() if online else ("--unshare-net",))]
        args += [] if os.geteuid() == 0 else ["--unshare-user"]
        args += ["--hostname", "cognition", "--proc", "/proc", "--dev", "/dev"]
        args += ["--perms", "1777", "--tmpfs", "/dev/shm"]
        python_paths = self._python_paths()
        args += _parents(["/etc/passwd", *python_paths, *(mount.target for mount in spec.mounts)])
        for path in _SYSTEM:
            if os.path.islink(path):
                args += ["--symlink", os.readlink(path), path]
            elif os.path.isdir(path):
                args += ["--ro-bind", path, path]
        for name in (*_ETC, *(_ETC_ONLINE if online else ())):
            args += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
        for path in python_paths:
            args += ["--ro-bind", path, path]
        args += ["--tmpfs", "/sys", "--tmpfs", "/run", "--tmpfs", "/var"]
        for mount in spec.mounts:
            kind = "--ro-bind" if mount.read_only else "--bind"
            args += [kind, str(mount.source), mount.target]
        return args

    def _python_paths(self) -> list[str]:
        """Where the server's Python and its packages are, outermost only, in /usr or not."""
        wanted = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
        wanted |= {*site.getsitepackages(), os.path.dirname(os.path.realpath(sys.executable))}
        found: list[str] = []
        for path in sorted({*wanted, *self.read_only_paths}):
            inside = any(Path(path).is_relative_to(outer) for outer in (*found, "/usr"))
            if os.path.isdir(path) and not inside:
                found.append(path)
        return found

    def _send(self, process: subprocess.Popen[bytes], signum: int) -> None:
        if signum == signal.SIGINT:  # for the kernel; bwrap itself would die of it
            for init in _children(process.pid):
                for kernel in _children(init):
                    os.kill(kernel, signum)
        else:
            super()._send(process, signum)
