"""Limits hold, also against many writers at once; of those no update is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from cognition_jupyter.memory.operations import Operations

from .memory_support import Place, fails, place

HOT = "/memories/hot"


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture
def now(here: Place) -> Operations:
    return here.now()


# -- limits ----------------------------------------------------------------------------------


def test_a_file_has_a_limit(here: Place) -> None:
    now = here.now(file_bytes=100)
    now.write("/workspace/x", b"x" * 100)
    with fails("too_large", 413):
        now.write("/workspace/x", b"x" * 101)
    with fails("too_large", 413):
        now.edit("/workspace/x", "x", "xx", replace_all=True)
    (here.paths.repo / "x").write_bytes(b"x" * 101)
    with fails("too_large", 413):
        now.read("/workspace/x")
    assert len(now.read("/workspace/x", 0, 1000).data) == 100
    assert now.read("/workspace/x", 100).data == b"x"


def test_hot_memory_has_a_limit(here: Place) -> None:
    now = here.memory({"/cache/": "store"}, hot_bytes=1000).now
    now.write(f"{HOT}/a", b"x" * 600)
    now.write("/cache/b", b"x" * 400)
    for path in (f"{HOT}/c", "/cache/c"):
        with fails("hot_memory_limit", 413) as caught:
            now.write(path, b"x")
        assert "hot_memory_limit" in caught.value.message
    now.write(f"{HOT}/empty", b"")
    with fails("hot_memory_limit"):
        now.write(f"{HOT}/a", b"x" * 601)
    assert now.read_bytes(f"{HOT}/a") == b"x" * 600
    now.write(f"{HOT}/a", b"y" * 600)
    with fails("hot_memory_limit"):
        now.edit(f"{HOT}/a", "y", "yy", replace_all=True)
    # A container may overfill it; what makes it smaller goes.
    (here.hot / "big").write_bytes(bytes(5000))
    now.write(f"{HOT}/big", b"x" * 4999)
    now.edit(f"{HOT}/a", "y" * 600, "y")
    with fails("hot_memory_limit"):
        now.write(f"{HOT}/d", b"x")
    now.delete(f"{HOT}/big")
    now.write(f"{HOT}/d", b"x" * 599)
    # What has another name is not freed when it is replaced.
    now.delete("/cache/b")
    os.link(here.hot / "d", here.hot / "e")
    with fails("hot_memory_limit"):
        now.write(f"{HOT}/d", b"y" * 600)
    # Other routes have none.
    now.write("/workspace/x", b"x" * 5000)
    now.write("/memories/persistent/x", b"x" * 5000)


def test_the_limit_holds_against_many_writers(here: Place) -> None:
    failed = []

    def fill(number: int) -> None:
        now = here.now(hot_bytes=10_000_000)
        for count in range(10):
            try:
                now.write(f"{HOT}/{number}-{count}", b"x" * 500_000)
            except Exception as error:
                failed.append(getattr(error, "code", repr(error)))

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert here.now().usage(f"{HOT}/").bytes == 10_000_000
    assert failed == ["hot_memory_limit"] * 20


def test_a_full_disk_is_said(here: Place) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(here.hot)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("can't mount")
    try:
        now = here.now()
        now.write(f"{HOT}/x", b"x" * 10_000)
        with fails("storage_full", 507):
            now.write(f"{HOT}/x", b"y" * 100_000)
        assert os.listdir(here.hot) == ["x"]
        assert now.read_bytes(f"{HOT}/x") == b"x" * 10_000
    finally:
        subprocess.run(["umount", str(here.hot)], check=True)


# -- several writers -------------------------------------------------------------------------

PROCESS = """
import sys
from pathlib import Path
from cognition_jupyter.memory.project_memory import ProjectMemory
from cognition_jupyter.projects.stage import ProjectPaths
base, number = Path(sys.argv[1]), sys.argv[2]
memory = ProjectMemory(ProjectPaths.under(base / "project"), base / "hot", (1000, 1000))
print("ready", flush=True)
for line in sys.stdin:
    try:
        memory.now.write("/memories/hot/x", (line.strip() + number) * 40_000, line.strip())
        print("won", flush=True)
    except Exception as error:
        print(getattr(error, "code", repr(error)), flush=True)
"""


def test_of_two_servers_that_write_on_one_etag_one_wins(here: Place, now: Operations) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(here.base), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        # Large enough for the two to be at work at the same time.
        etag = now.write(f"{HOT}/x", "begin" * 300_000).etag
        for _ in range(20):
            for writer in writers:
                assert writer.stdin is not None
                writer.stdin.write(etag + "\n")
                writer.stdin.flush()
            answers = [writer.stdout.readline().strip() for writer in writers if writer.stdout]
            assert sorted(answers) == ["precondition_failed", "won"]
            content = now.read(f"{HOT}/x")
            assert content.data.decode().startswith(etag + str(answers.index("won")))
            assert content.etag is not None
            etag = content.etag
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def test_no_edit_is_lost(here: Place, now: Operations) -> None:
    now.write(f"{HOT}/list", "end\n" + "x" * 1_000_000)

    def add(number: int) -> None:
        mine = here.now()
        for count in range(10):
            mine.edit(f"{HOT}/list", "end\n", f"{number}-{count}\nend\n")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = now.read_bytes(f"{HOT}/list").decode().split()[:-1]
    assert sorted(lines) == sorted([f"{n}-{c}" for n in range(4) for c in range(10)] + ["end"])
