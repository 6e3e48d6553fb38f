"""What a container takes of the machine, read from the kernel's files: microseconds a look.

The engine's own statistics take one to two seconds a container.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
_NO_LIMIT = 1 << 62  # cgroup v1 says a number near 1 << 63
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_MOST_PROCESSES = 4096


@dataclass(frozen=True)
class Usage:
    """What is used now; None where that is not known."""

    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cpu_seconds: float | None = None
    processes: int | None = None


def places(container_id: str, uid: int) -> tuple[str, ...]:
    """Where engines put a container below a hierarchy: Docker by its two drivers, and podman."""
    own = f"user.slice/user-{uid}.slice/user@{uid}.service/user.slice"
    return (
        f"docker/{container_id}",
        f"system.slice/docker-{container_id}.scope",
        f"machine.slice/libpod-{container_id}.scope",
        f"libpod_parent/libpod-{container_id}",
        f"{own}/docker-{container_id}.scope",
        f"{own}/libpod-{container_id}.scope",
    )


def usage_of_cgroup(container_id: str, cgroups: Path = CGROUPS) -> Usage:
    """By cgroup v2 where there is one, else v1. Waits for the kernel, not for the disk."""
    names = places(container_id, os.geteuid())
    if (cgroups / "cgroup.controllers").exists():
        found = _find(cgroups, names)
        return Usage() if found is None else _unified(found)
    memory, cpu, pids = (
        _find(cgroups / controller, names) for controller in ("memory", "cpuacct", "pids")
    )
    used = None if memory is None else _number(memory / "memory.usage_in_bytes")
    limit = None if memory is None else _number(memory / "memory.limit_in_bytes")
    nanoseconds = None if cpu is None else _number(cpu / "cpuacct.usage")
    return Usage(
        memory_bytes=_without_cache(memory, used, "total_inactive_file"),
        memory_limit_bytes=None if limit is None or limit > _NO_LIMIT else limit,
        cpu_seconds=None if nanoseconds is None else nanoseconds / 1e9,
        processes=None if pids is None else _number(pids / "pids.current"),
    )


def _unified(found: Path) -> Usage:
    microseconds = _field(found / "cpu.stat", "usage_usec")
    return Usage(
        memory_bytes=_without_cache(found, _number(found / "memory.current"), "inactive_file"),
        memory_limit_bytes=_number(found / "memory.max"),  # "max" is no number
        cpu_seconds=None if microseconds is None else microseconds / 1e6,
        processes=_number(found / "pids.current"),
    )


def _find(hierarchy: Path, names: tuple[str, ...]) -> Path | None:
    return next((hierarchy / name for name in names if (hierarchy / name).is_dir()), None)


def _without_cache(cgroup: Path | None, used: int | None, field: str) -> int | None:
    """Memory that is really needed: files that could be dropped count as used, too."""
    if cgroup is None or used is None:
        return None
    return max(0, used - (_field(cgroup / "memory.stat", field) or 0))


def _number(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None


def _field(path: Path, name: str) -> int | None:
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return None


def usage_of_processes(pid: int, children_of: Callable[[int], list[int]]) -> Usage:
    """Of a process and all that it has started; memory that they share counts for each."""
    memory, seconds = 0, 0.0
    pids, seen = [pid], 0
    while pids and seen < _MOST_PROCESSES:
        one = pids.pop()
        with suppress(OSError, ValueError, IndexError):
            # The name comes first, and may hold anything.
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            memory += int(fields[21]) * _PAGE
            seconds += sum(map(int, fields[11:15])) / _TICKS  # with those that have ended
            seen += 1
        pids += children_of(one)
    return Usage(memory, None, seconds, seen) if seen else Usage()
