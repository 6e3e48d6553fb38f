"""Snapshots and restores of 1,000 files, beside the same with bare calls."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cognition_jupyter.memory.snapshots.marker import HotMemory
from cognition_jupyter.memory.snapshots.restore import ensure_restored, restore
from cognition_jupyter.memory.snapshots.take import take

from .memory import SIZE, bare, hot_memory, scratch, settle, sync, without_generations

FILES = 1000
CHANGED = 10

Step = tuple[str, Callable[[], None], Callable[[], None]]


def expect(done: bool) -> None:
    """What was timed is what was meant."""
    if not done:
        raise AssertionError("a snapshot or restore did something else than it should")


def walk(top: Path | str) -> None:
    """Look at every entry once."""
    with os.scandir(top) as entries:
        for entry in entries:
            entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                walk(entry.path)


class Round:
    """One round: a new memory on disk for the same directory in RAM."""

    def __init__(self, hot: HotMemory, files: list[Path], number: int) -> None:
        self._hot = without_generations(hot, number)
        self._files = files
        self._names = [str(path.relative_to(hot.ram)) for path in files]
        self._folders = sorted({os.path.dirname(name) for name in self._names})
        self._floor = hot.disk.with_name(f"floor-{number}")
        self._ram_floor = hot.ram.with_name("floor")

    def steps(self) -> list[Step]:
        """Name, what goes before, what is timed. Each builds on what was done before it."""
        return [
            ("first floor", self._nothing, partial(self._copy, "first", 1)),
            ("first", self._nothing, partial(self._take, True)),
            ("unchanged floor", self._nothing, partial(walk, self._hot.ram)),
            ("unchanged", self._nothing, partial(self._take, False)),
            ("changed floor", self._change, partial(self._copy, "changed", FILES // CHANGED)),
            ("changed", self._nothing, partial(self._take, True)),
            ("restore floor", self._clear, self._copy_back),
            ("restore", self._nothing, self._restore),
            ("ensure_restored", self._wipe, self._ensure_restored),
        ]

    def _nothing(self) -> None:
        pass

    def _change(self) -> None:
        for path in self._files[:: FILES // CHANGED]:
            path.write_bytes(os.urandom(SIZE))

    def _clear(self) -> None:
        shutil.rmtree(self._ram_floor, ignore_errors=True)

    def _wipe(self) -> None:
        shutil.rmtree(self._hot.ram)
        self._hot.ram.mkdir()

    # -- ours ------------------------------------------------------------------------------

    def _take(self, created: bool) -> None:
        found = take(self._hot, "bench")
        expect(found.created is created and found.files == FILES and not found.skipped)

    def _restore(self) -> None:
        expect(restore(self._hot, 2)[0].files == FILES)

    def _ensure_restored(self) -> None:
        found = ensure_restored(self._hot)
        expect(found is not None and found.files == FILES and not found.lost)

    # -- the floors: bare calls, nothing is checked ----------------------------------------

    def _copy(self, name: str, every: int) -> None:
        """Copy each file with a number that `every` divides, link the others, sync all."""
        before, target = f"{self._floor}/first", f"{self._floor}/{name}"
        for folder in self._folders:
            os.makedirs(f"{target}/{folder}")
        for index, path in enumerate(self._names):
            if index % every:
                os.link(f"{before}/{path}", f"{target}/{path}")
                continue
            data = bare(f"{self._hot.ram}/{path}")
            fd = os.open(f"{target}/{path}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            os.write(fd, data)
            os.close(fd)
        sync(self._floor)

    def _copy_back(self) -> None:
        shutil.copytree(self._floor / "changed", self._ram_floor)


def measure(rounds: int) -> dict[str, float]:
    """Median seconds of each step; interleaved."""
    times: dict[str, list[float]] = {}
    with scratch() as (ram, disk):
        hot, files = hot_memory(ram, disk, FILES)
        for number in range(rounds + 1):
            for name, prepare, work in Round(hot, files, number).steps():
                prepare()
                settle(disk)
                before = time.perf_counter()
                work()
                if number:  # the first round warms up
                    times.setdefault(name, []).append(time.perf_counter() - before)
    return {name: statistics.median(taken) for name, taken in times.items()}
