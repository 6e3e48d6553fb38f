"""What only the bubblewrap runtime has: the server's own Python, and paths of the host."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.runtimes.bubblewrap import BubblewrapRuntime
from cognition_jupyter.runtimes.bubblewrap_filter import system_call_filter

from .support import Place, new_uuid

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def data() -> Iterator[Path]:
    """Below /var, of which sessions otherwise see nothing."""
    path = Path(tempfile.mkdtemp(prefix="cgn-bwrap-", dir="/var/tmp"))
    path.chmod(0o755)
    (path / "table.csv").write_text("1,2\n")
    yield path
    shutil.rmtree(path)


def test_the_administrator_can_show_directories(data: Path) -> None:
    place = Place(BubblewrapRuntime(root_uuid=new_uuid(), read_only_paths=[f"{data}/", "/usr/lib"]))

    async def body() -> None:
        script = f"cat {data}/table.csv > seen; echo x > {data}/new; ls /var /var/tmp > rest"
        await place.finish(place.sh(script))
        assert place.read("seen") == "1,2\n"
        assert place.read("rest").split() == ["/var:", "tmp", "/var/tmp:", data.name]
        assert os.listdir(data) == ["table.csv"]

    place.run(body)


def test_a_directory_that_is_not_there_is_named(data: Path) -> None:
    runtime = BubblewrapRuntime(root_uuid=new_uuid(), read_only_paths=[f"{data}/missing"])
    place = Place(runtime)

    async def body() -> None:
        ended = await place.finish(place.sh("exit 0"))
        assert ended.code and f"{data}/missing" in ended.detail
        health = await runtime.health()
        assert not health.available and f"{data}/missing" in health.detail

    place.run(body)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "echo 'bwrap: Creating new namespace failed: Operation not permitted' >&2; exit 1",
            "not permitted",
        ),
        ("exit 1", "no reason"),
        ("kill -9 $$", "no reason"),
    ],
)
def test_health_says_why_it_does_not_work_here(tmp_path: Path, script: str, expected: str) -> None:
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    health = asyncio.run(BubblewrapRuntime(executable=str(program)).health())
    assert not health.available and health.isolated
    assert expected in health.detail and health.detail.endswith(".")


SERVER = """
import sys
from tests.runtimes.support import Place, new_uuid
from cognition_jupyter.runtimes.bubblewrap import BubblewrapRuntime
place = Place(BubblewrapRuntime(root_uuid=new_uuid()))
async def body():
    code = "import sys, marker; print(marker.WHERE, sys.version_info[:2], file=open('seen', 'w'))"
    for python in (place.runtime.python, "python"):
        ended = await place.finish(place.spec(python, "-c", code))
        assert ended.code == 0, ended.detail
        print(place.read("seen"), end="")
place.run(body)
"""


@pytest.mark.parametrize("copies", [False, True])
def test_a_server_in_an_environment_below_tmp(copies: bool) -> None:
    """Sessions have a `/tmp` of their own, and still the server's packages."""
    directory = Path(tempfile.mkdtemp(prefix="cgn-bwrap-", dir="/tmp"))
    try:
        how = ["--copies" if copies else "--symlinks", "--without-pip"]
        base = BubblewrapRuntime.python
        subprocess.run([base, "-m", "venv", *how, directory], check=True)
        directory.chmod(0o755)
        library = directory / "lib/python{}.{}/site-packages".format(*sys.version_info)
        (library / "marker.py").write_text("WHERE = 'in the environment'\n")
        path = os.pathsep.join([str(REPOSITORY), *(p for p in sys.path if "site-packages" in p)])
        done = subprocess.run(
            [directory / "bin/python", "-c", SERVER],
            cwd=REPOSITORY,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        version = "({}, {})".format(*sys.version_info)
        assert done.stdout == f"in the environment {version}\n" * 2, done.stderr
    finally:
        shutil.rmtree(directory)


def test_interrupts_reach_the_kernels_children() -> None:
    """The kernel leads its process group: ipykernel then interrupts all of that."""
    place = Place(BubblewrapRuntime(root_uuid=new_uuid()))

    async def body() -> None:
        code = "import os; print(os.getpgid(0) == os.getpid(), file=open('leads', 'w'))"
        assert (await place.finish(place.python(code))).code == 0
        assert place.read("leads") == "True\n"

    place.run(body)


def test_nothing_of_it_is_kept_open() -> None:
    async def use() -> None:
        place = Place(BubblewrapRuntime(root_uuid=new_uuid()))
        try:
            for _ in range(5):
                await place.finish(place.sh("exit 0"))
                await place.runtime.health()
        finally:
            shutil.rmtree(place.path)

    asyncio.run(use())
    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(use())
    assert len(os.listdir("/proc/self/fd")) <= before


def test_the_filter_is_a_whole_program() -> None:
    """Every jump ends inside, every path in a verdict."""
    program = system_call_filter()
    if program is None:
        pytest.skip("no filter on this machine")
    size = len(program) // 8
    codes = [int.from_bytes(program[8 * n : 8 * n + 2], "little") for n in range(size)]
    assert len(program) % 8 == 0 and codes[-1] == 0x06
    for n, code in enumerate(codes):
        if code & 0x07 == 0x05:
            assert max(program[8 * n + 2], program[8 * n + 3]) + n + 1 < size
