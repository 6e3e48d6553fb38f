"""The kernel's files about containers, in the layouts of other machines than this one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cognition_jupyter.runtimes.usage import Usage, places, usage_of_cgroup

ID = "ab12" * 16


@pytest.mark.parametrize("place", places(ID, os.geteuid()))
def test_cgroup_v2(tmp_path: Path, place: str) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    container = tmp_path / place
    container.mkdir(parents=True)
    (container / "memory.current").write_text("104857600\n")
    (container / "memory.stat").write_text("anon 5\ninactive_file 4857600\nactive_file 9\n")
    (container / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    (container / "pids.current").write_text("7\n")
    (container / "memory.max").write_text("max\n")
    assert usage_of_cgroup(ID, tmp_path) == Usage(100_000_000, None, 2.5, 7)
    (container / "memory.max").write_text("2147483648\n")
    assert usage_of_cgroup(ID, tmp_path).memory_limit_bytes == 2 << 30
    assert usage_of_cgroup(ID[::-1], tmp_path) == Usage()


def test_cgroup_v1(tmp_path: Path) -> None:
    for controller, files in {
        "memory": {
            "memory.usage_in_bytes": "300",
            "memory.limit_in_bytes": str((1 << 63) - 4096),
            "memory.stat": "inactive_file 7\ntotal_inactive_file 100",
        },
        "cpuacct": {"cpuacct.usage": "1500000000"},
    }.items():
        container = tmp_path / controller / "docker" / ID
        container.mkdir(parents=True)
        for name, text in files.items():
            (container / name).write_text(text + "\n")
    assert usage_of_cgroup(ID, tmp_path) == Usage(200, None, 1.5, None)


def test_an_unknown_machine(tmp_path: Path) -> None:
    assert usage_of_cgroup(ID, tmp_path / "nothing") == Usage()
