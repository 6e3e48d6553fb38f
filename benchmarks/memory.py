"""Memory: reads through routes, and where they and snapshots are measured."""

from __future__ import annotations

import ctypes
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cognition_jupyter.memory.project_memory import ProjectMemory
from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import ensure_restored
from cognition_jupyter.projects.stage import ProjectPaths

SANDBOX_USER = (1000, 1000)
SIZE = 1024  # bytes of each file
_FOLDER = 100  # files in one directory
_BATCH = 500  # reads timed together
_LIBC = ctypes.CDLL(None)


@contextmanager
def scratch() -> Iterator[tuple[Path, Path]]:
    """A directory in RAM and one on disk."""
    prefix = "cognition-bench-"
    with (
        tempfile.TemporaryDirectory(prefix=prefix, dir="/dev/shm") as ram,
        tempfile.TemporaryDirectory(prefix=prefix) as disk,
    ):
        yield Path(ram), Path(disk)


def bare(path: str) -> bytes:
    """What no read of a small file can do without."""
    fd = os.open(path, os.O_RDONLY)
    data = os.read(fd, 2 * SIZE)
    os.close(fd)
    return data


def python_open(path: str) -> bytes:
    """What everybody writes."""
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def reads(rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of reading 1 KiB, by virtual path and by the way it is read; interleaved."""
    with scratch() as (ram, disk):
        paths, hot, tmp = ProjectPaths.under(disk), ram / "hot", ram / "tmp"
        files = {
            "/memories/hot/x": hot / "x",
            "/memories/hot/a/b/c/x": hot / "a" / "b" / "c" / "x",
            "/tmp/x": tmp / "x",
            "/memories/persistent/x": paths.persistent / "x",
        }
        sessions = {"bench": tmp}
        memory = ProjectMemory(
            paths, hot, SANDBOX_USER, state_directory=sessions.get, session_id="bench"
        )
        times: dict[str, dict[str, list[float]]] = {}
        ways: dict[tuple[str, str], Callable[[], bytes]] = {}
        for virtual, path in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(SIZE))
            times[virtual] = {"bare": [], "open": [], "route": []}
            ways[virtual, "bare"] = functools.partial(bare, str(path))
            ways[virtual, "open"] = functools.partial(python_open, str(path))
            ways[virtual, "route"] = functools.partial(memory.now.read_bytes, virtual)
            if len({ways[virtual, way]() for way in times[virtual]}) != 1:
                raise AssertionError(f"{virtual} is read differently")
        for number in range(rounds + 1):
            for (virtual, way), read in ways.items():
                before = time.perf_counter()
                for _ in range(_BATCH):
                    read()
                if number:  # the first round warms up
                    times[virtual][way].append((time.perf_counter() - before) / _BATCH)
    return {
        virtual: {way: statistics.median(taken) for way, taken in by_way.items()}
        for virtual, by_way in times.items()
    }


def hot_memory(ram: Path, disk: Path, number: int) -> tuple[HotMemory, list[Path]]:
    """A hot memory of so many files, a hundred in a directory, and no generation yet."""
    hot = HotMemory(ram / "p", disk / "none", ram / "marker", "bench", SANDBOX_USER)
    hot.ram.mkdir()
    ensure_restored(hot)
    files = [hot.ram / f"{index // _FOLDER:04d}" / f"{index:06d}" for index in range(number)]
    for path in files:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(SIZE))
    return hot, files


def without_generations(hot: HotMemory, number: int) -> HotMemory:
    """The same directory in RAM over another, empty one on disk.

    The one before stays until all is measured: ext4 does not use an inode again for minutes after
    its deletion, and passes over all such ones, one by one, whenever it makes a file near them.
    """
    disk = hot.disk.with_name(f"hot-{number}")
    disk.mkdir()
    return replace(hot, disk=disk)


def settle(disk: Path) -> None:
    """Wait until nobody's writes are on their way to that disk, and for the kernel's next tick."""
    sync(disk)
    time.sleep(0.02)


def sync(disk: Path) -> None:
    """Get all of a directory's file system onto the disk: syncfs(2)."""
    fd = os.open(disk, os.O_RDONLY)
    try:
        if _LIBC.syncfs(fd):
            raise OSError("syncfs failed")
    finally:
        os.close(fd)
