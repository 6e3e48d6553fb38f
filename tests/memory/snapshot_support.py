"""What the tests of snapshots share: a hot memory, pictures of trees, children that get killed."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import ensure_restored
from cognition_jupyter.memory.snapshots.take import Taken, take
from cognition_jupyter.projects.tree import remove_tree

SECRET = b"the host's secret"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
ROOT = "11111111-2222-3333-4444-555555555555"
Picture = dict[bytes, tuple[object, ...]]


@contextmanager
def hot_memory(user: tuple[int, int] | None = None) -> Iterator[HotMemory]:
    """An empty hot memory, restored, with its directory in RAM."""
    ram = Path(tempfile.mkdtemp(prefix="cgn-hot", dir="/dev/shm"))
    disk = Path(tempfile.mkdtemp(prefix="cgn-hot"))
    try:
        hot = HotMemory(ram / "p-00000000", disk / "hot", ram / "marker", ROOT, user, "boot")
        hot.ram.mkdir(mode=0o700)
        hot.disk.mkdir(mode=0o700)
        ensure_restored(hot)
        yield hot
    finally:
        remove_tree(ram)  # whatever the tests took the rights to
        remove_tree(disk)


@contextmanager
def mounted(options: str, kind: str = "tmpfs", at: Path | None = None) -> Iterator[Path]:
    """A small file system of its own; skips the test where none can be mounted.

    With `at`, there: who moves what is above it moves it along.
    """
    point = at or Path(tempfile.mkdtemp(prefix="cgn-mount"))
    point.mkdir(exist_ok=True)
    name = f"cgn-{secrets.token_hex(4)}"
    call = ["mount", "-t", kind, "-o", options, name, str(point)]
    if shutil.which("mount") is None or subprocess.run(call, capture_output=True).returncode:
        point.rmdir()
        pytest.skip("a small file system can't be mounted here (that needs root)")
    try:
        yield point
    finally:
        subprocess.run(["umount", name], check=True)  # wherever it is now
        if at is None:
            point.rmdir()


def wipe(hot: HotMemory) -> None:
    """What a reboot leaves of the RAM: an empty directory."""
    remove_tree(hot.ram.parent)
    hot.ram.mkdir(parents=True, mode=0o700)


def picture(top: Path) -> Picture:
    """All that is in a tree, by path: kind, mode, time and content."""
    found: Picture = {}
    pending = [os.fsencode(top)]
    while pending:
        folder = pending.pop()
        for name in os.listdir(folder):
            path = folder + b"/" + name
            status = os.lstat(path)
            mode, time = stat.S_IMODE(status.st_mode), status.st_mtime_ns
            key = os.path.relpath(path, os.fsencode(top))
            if stat.S_ISDIR(status.st_mode):
                found[key] = "directory", mode, time
                pending.append(path)
            elif stat.S_ISLNK(status.st_mode):
                found[key] = "link", time, os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                found[key] = "file", mode, time, Path(os.fsdecode(path)).read_bytes()
            else:
                found[key] = ("other",)
    return found


def contents(top: Path) -> dict[str, bytes]:
    """The files of a small tree."""
    return {
        os.fsdecode(path): entry[3]  # type: ignore[misc]
        for path, entry in picture(top).items()
        if entry[0] == "file"
    }


def flip_byte(path: Path, at: int = 0) -> None:
    """Change one byte of a file in place."""
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def copy_of(hot: HotMemory, generation: int, path: str) -> Path:
    """A file's copy in a generation."""
    return hot.disk / f"{generation:08d}" / "files" / path


def reasons(taken: Taken) -> dict[str, str]:
    return {skipped.path: skipped.why for skipped in taken.skipped}


def everything_on_disk(hot: HotMemory) -> bytes:
    return b"".join(p.read_bytes() for p in hot.disk.rglob("*") if p.is_file())


def make_deep(top: Path, depth: int, name: str = "d") -> None:
    fd = os.open(top, os.O_RDONLY)
    for level in range(depth):
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
        if level % 500 == 0:
            out = os.open("file", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=fd)
            os.write(out, b"%d" % level)
            os.close(out)
    os.close(fd)


def fill(hot: HotMemory) -> None:
    """Three generations: `stays` is one inode in all, `goes` only in the first two."""
    (hot.ram / "notes" / "empty").mkdir(parents=True)
    (hot.ram / "notes" / "stays").write_bytes(b"stays " * 1000)
    (hot.ram / "goes").write_bytes(b"goes")
    (hot.ram / "changes").write_bytes(b"1")
    (hot.ram / "link").symlink_to("notes/stays")
    take(hot, "x")
    (hot.ram / "changes").write_bytes(b"22")
    take(hot, "x")
    (hot.ram / "goes").unlink()
    (hot.ram / "changes").write_bytes(b"333")
    take(hot, "x")


def in_child(work: Callable[[], Any]) -> int:
    """Run `work` in a forked child; the exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            work()
            status = 0
        except BaseException as error:
            print(repr(error), file=sys.__stderr__, flush=True)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


AUDITED = {
    "open",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.listdir",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.scandir",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "fcntl.flock",
}


def killed_at(moment: int, work: Callable[[], Any]) -> bool:
    """Run `work` in a child that kills itself before the audited call number `moment`.

    False when it was done before that.
    """
    seen = 0

    def audit(event: str, _: object) -> None:
        nonlocal seen
        if event in AUDITED:
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    def child() -> None:
        sys.addaudithook(audit)
        work()

    status = in_child(child)
    assert status in (0, -signal.SIGKILL)
    return status != 0


def acting_at(moment: int, work: Callable[[], Any], *actions: Callable[[], Any]) -> bool:
    """Run `work` in a child; `actions` happen right before its audited calls from `moment` on.

    False when there was no such call. All must end without an error.
    """
    seen = 0

    def audit(event: str, _: object) -> None:
        nonlocal seen
        if event in AUDITED:
            seen += 1
            if 0 <= seen - moment < len(actions):
                at, seen = seen, -1_000_000  # what an action does is not counted
                actions[at - moment]()
                seen = at

    def child() -> None:
        sys.addaudithook(audit)
        work()
        os._exit(0 if seen >= moment else 3)

    status = in_child(child)
    assert status in (0, 3)
    return status == 0


def moments_of(work: Callable[[], Any]) -> int:
    """How many audited calls `work` makes; it is done in this process's child."""
    reading, writing = os.pipe()

    def child() -> None:
        seen = 0

        def audit(event: str, _: object) -> None:
            nonlocal seen
            seen += event in AUDITED

        sys.addaudithook(audit)
        work()
        os.write(writing, str(seen).encode())

    assert in_child(child) == 0
    os.close(writing)
    with os.fdopen(reading) as file:
        return int(file.read())


def as_nobody(work: Callable[[], Any]) -> None:
    """Run `work` in a child without any privileges (needs root)."""

    def child() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        work()

    assert in_child(child) == 0
