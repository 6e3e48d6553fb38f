"""What code in an isolated session can't do, and what it still has to be able to do."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.runtimes.bubblewrap import BubblewrapRuntime
from cognition_jupyter.runtimes.docker import DockerRuntime

from .support import USER, Place, new_uuid

FACTS = r"""
import ctypes, errno, glob, json, os, stat
def attempt(what, *args):
    try:
        what(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def write(path):
    open(path, "w").close()
def look(path):
    return attempt(os.stat, path)
libc = ctypes.CDLL(None, use_errno=True)
def mount():
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "mount")
def new_user_namespace():
    if libc.unshare(0x10000000):
        raise OSError(ctypes.get_errno(), "unshare")
def keyring():  # the session's: what the server's user has in it
    number = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
    if libc.syscall(number, 0, -3, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "keyctl")
def listing(path):
    return sorted(os.listdir(path)) if os.access(path, os.R_OK) else []
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\t") for line in lines if ":\t" in line)
commands = {}
for path in glob.glob("/proc/[0-9]*/cmdline"):
    commands[path.split("/")[2]] = open(path, "rb").read().decode()
json.dump({
    "ids": [os.getresuid(), os.getresgid(), os.getgroups()],
    "capabilities": [status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")],
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "session": os.getsid(0) != 0,
    "commands": commands,
    "pid": os.getpid(),
    "parent": os.getppid(),
    "kill": attempt(os.kill, 1, 9),
    "mount": attempt(mount),
    "new user namespace": attempt(new_user_namespace),
    "keyring": attempt(keyring),
    "filtered": status["Seccomp"].strip(),
    "mknod": attempt(os.mknod, "/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(254, 0)),
    "chown": attempt(os.chown, "/tmp", 0, 0),
    "writes": {p: attempt(write, p) for p in (
        "/x", "/usr/x", "/usr/bin/x", "/etc/x", "/etc/passwd", "/var/x", "/run/x", "/sys/x",
        "/dev/x", "/memories/x", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger")},
    "writable": {p: attempt(write, p + "/x") for p in (
        "/workspace", "/memories/hot", "/memories/persistent", "/tmp", "/deps", "/run/cognition",
        "/dev/shm")},
    "null": attempt(write, "/dev/null"),
    "seen": {p: look(p) for p in (
        "/etc/shadow", "/var/run/docker.sock", "/run/docker.sock", "/run/dbus", "/home", "/var/lib",
        "/etc/ssh", "/proc/1/root/etc/shadow", "@SECRET@")},
    "home": listing("/home"),
    "root": listing("/root"),
    "disks": [p for p in glob.glob("/dev/*") if stat.S_ISBLK(os.lstat(p).st_mode)],
    "descriptors": {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                    if os.path.exists(f"/proc/self/fd/{n}")},
}, open("/workspace/facts.json", "w"))
"""


@pytest.fixture(params=[DockerRuntime, BubblewrapRuntime], ids=["docker", "bubblewrap"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(request.param(root_uuid=new_uuid()))
    yield made
    shutil.rmtree(made.path, ignore_errors=True)


def facts_of(place: Place, secret: Path) -> dict[str, Any]:
    async def body() -> None:
        code = FACTS.replace("@SECRET@", str(secret))
        ended = await place.finish(place.python(code))
        assert ended.code == 0, ended.detail

    file = place.workspace / "facts.json"
    found: dict[str, Any] = {}

    async def and_read() -> None:
        await body()
        found.update(json.loads(file.read_text()))

    place.run(and_read)
    return found


def test_the_host_is_out_of_reach(place: Place, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the server")
    mark = f"{secrets.randbelow(10**9) + 10**9}"
    with subprocess.Popen(["sleep", mark]) as other:
        try:
            facts = facts_of(place, secret)
        finally:
            other.kill()
    uid, gid = USER
    assert facts["ids"] == [[uid] * 3, [gid] * 3, facts["ids"][2]] and facts["ids"][2] in (
        [],
        [gid],
    )
    assert {int(found, 16) for found in facts["capabilities"]} == {0}
    assert facts["no_new_privileges"] == "1"

    # Nobody there to look at, trace or signal but its own init.
    assert mark not in json.dumps(facts["commands"])
    assert set(facts["commands"]) == {"1", str(facts["pid"])} and facts["parent"] == 1
    # An init of the same user takes no signal that it has not asked for.
    assert facts["kill"] in ("EPERM", "done")
    assert facts["mount"] == facts["mknod"] == "EPERM"
    assert facts["new user namespace"] == facts["keyring"] == "EPERM"
    assert facts["filtered"] == "2"
    assert facts["chown"] in ("EPERM", "EINVAL")  # to a user that there is not

    refused = {"EROFS", "EACCES", "EPERM", "ENOENT"}
    assert {p: why for p, why in facts["writes"].items() if why not in refused} == {}
    assert facts["writes"]["/x"] == facts["writes"]["/usr/x"] == "EROFS"
    assert set(facts["writable"].values()) == {"done"}
    assert facts["null"] == "done"

    assert facts["seen"].pop(str(secret)) == "ENOENT"
    images = {"/etc/shadow", "/proc/1/root/etc/shadow", "/home", "/var/lib"}
    image_has = images if place.runtime.name == "docker" else set()
    assert {p for p, seen in facts["seen"].items() if seen == "done"} <= image_has
    assert facts["home"] == [] and facts["disks"] == []
    python_is_there = {part for path in place_python_paths(place) for part in path.parts}
    assert set(facts["root"]) <= python_is_there
    # Nothing of the server's is open.
    names = {n: at for n, at in facts["descriptors"].items() if at != "/workspace/facts.json"}
    assert set(names) <= {"0", "1", "2"} and names["0"] == "/dev/null"


def place_python_paths(place: Place) -> list[Path]:
    if isinstance(place.runtime, BubblewrapRuntime):
        return [Path(path) for path in place.runtime._python_paths()]
    return []


def test_ordinary_things_work(place: Place) -> None:
    """Shared memory, terminals, git, pip, names of users and hosts."""
    code = """
        import getpass, json, multiprocessing, multiprocessing.shared_memory, os, pty, socket
        import subprocess, sys, tempfile, grp
        def run(*command):
            done = subprocess.run(command, capture_output=True, text=True)
            return [done.returncode, (done.stdout + done.stderr).strip()[-300:]]
        def square(n):
            return n * n
        def main():
            os.makedirs(os.environ["HOME"], exist_ok=True)
            shared = multiprocessing.shared_memory.SharedMemory(create=True, size=1 << 20)
            shared.buf[0] = 7
            shared.unlink()
            with multiprocessing.get_context("fork").Pool(2) as pool:
                squares = pool.map(square, range(3))
            terminal = pty.openpty()
            open("terminal", "w").write(os.ttyname(terminal[1]))
            json.dump({
                "squares": squares,
                "user": getpass.getuser(),
                "home": os.path.expanduser("~"),
                "host": [socket.gethostname(), socket.gethostbyname("localhost")],
                "temporary": tempfile.gettempdir(),
                "encoding": sys.getfilesystemencoding(),
                "git": [run("git", "init", "-q", "made"), run("git", "-C", "made", "status", "-s")],
                "pip": [run(sys.executable, "-m", "pip", "--version"), run("pip", "--version")],
                "python": run("python3", "-c", "import sys; print(sys.version_info[:2])"),
                "sh": run("sh", "-c", "echo $((6 * 7)); id -un"),
            }, open("facts.json", "w"))
        main()
    """

    async def body() -> None:
        ended = await place.finish(place.python(code))
        assert ended.code == 0, ended.detail
        facts = json.loads(place.read("facts.json"))
        assert facts["squares"] == [0, 1, 4]
        assert facts["user"] == "cognition" and facts["home"] == "/tmp/home"
        assert facts["host"] == ["cognition", "127.0.0.1"]
        assert facts["temporary"] == "/tmp" and facts["encoding"] == "utf-8"
        assert facts["git"] == [[0, ""], [0, ""]]
        pip, script = facts["pip"]
        assert pip[0] == 0 and pip[1].startswith("pip "), pip
        assert script[0] == 0 or "No such file" in script[1] or shutil.which("pip") is None
        assert facts["python"][0] == 0
        assert facts["sh"] == [0, "42\ncognition"] or os.geteuid() != 0

    place.run(body)


def wheel(directory: Path, name: str, version: str, content: str) -> Path:
    path = directory / f"{name}-{version}-py3-none-any.whl"
    information = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": content,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{information}/entry_points.txt": f"[console_scripts]\n{name}-command = {name}:main\n",
        f"{information}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


def test_packages_outlive_the_container_and_come_before_the_runtimes_own(place: Place) -> None:
    """`%pip install` of a newer version of what is there is what the next session imports."""
    ours = "def main():\n    print('the newer one')\n"
    made = wheel(place.workspace, "ipykernel", "999.0", ours)
    python = place.runtime.python
    # By the interpreter, as %pip does, and by the script, as !pip does.
    script = f"""
        cd /workspace
        {python} -m pip install -q --no-index --no-deps {made.name} || exit 3
        {python} -m pip uninstall -q -y ipykernel || exit 4
        pip install -q --no-index --no-deps {made.name} || exit 5
    """

    async def body() -> None:
        pip = await place.finish(place.sh(f"{python} -m pip --version && pip --version"))
        if pip.code:
            pytest.skip("this Python has no pip")
        ended = await place.finish(place.sh(script))
        assert ended.code == 0, ended.detail
        assert [*(place.path / "deps").rglob("ipykernel.py")]
        after = f"{python} -c 'import ipykernel; ipykernel.main()' > a && ipykernel-command > b"
        ended = await place.finish(place.sh(after))
        assert ended.code == 0, ended.detail
        assert place.read("a") == place.read("b") == "the newer one\n"

    place.run(body)
