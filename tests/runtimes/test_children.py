"""Runtimes whose containers are the server's children: they die with it, and need no engine."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cognition_jupyter.runtimes.choice import RUNTIMES

from .support import Place, new_uuid, processes_with, until

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(params=["bubblewrap", "process"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(RUNTIMES[request.param](root_uuid=new_uuid()))
    yield made
    shutil.rmtree(made.path, ignore_errors=True)


SERVER = """
import asyncio, sys
from tests.runtimes.support import Place, new_uuid
from cognition_jupyter.runtimes.choice import RUNTIMES
async def main():
    place = Place(RUNTIMES[sys.argv[1]](root_uuid=new_uuid()))
    await place.runtime.start(place.sh(f"sleep {sys.argv[2]} & exec sleep {sys.argv[2]}"))
    print(place.path, flush=True)
    await asyncio.sleep(1000)
asyncio.run(main())
"""


def test_a_killed_server_takes_its_kernels_with_it(place: Place) -> None:
    mark = f"{secrets.randbelow(10**9) + 10**9}"
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, place.runtime.name, mark],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    left = server.stdout.readline().strip()

    async def body() -> None:
        await until(lambda: len(processes_with(f"sleep\0{mark}")) == 2)
        server.kill()
        # A process's own children are on their own: docs/runtimes.md says so.
        survivors = 0 if place.runtime.guarantees.isolated else 1
        await until(lambda: len(processes_with(f"sleep\0{mark}")) == survivors)

    try:
        place.run(body)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        for pid in processes_with(f"sleep\0{mark}"):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(left, ignore_errors=True)


def test_what_a_dying_kernel_says_is_passed_on_in_one_line(place: Place) -> None:
    code = """
        import sys
        sys.stderr.write("x" * 5_000_000 + "\\n")
        sys.exit("the \\x1b[31mlast\\x1b[0m word\\x07" + "!" * 5000)
    """

    async def body() -> None:
        ended = await place.finish(place.python(code))
        assert ended.detail.startswith("The kernel exited with status 1. It said: ")
        assert len(ended.detail) < 400 and ended.detail.isprintable()

    place.run(body)


@pytest.mark.skipif(os.geteuid() != 0, reason="runs as an ordinary user already")
def test_all_of_this_as_an_ordinary_user() -> None:
    """The runtimes without an engine, in a server that is not root's."""
    version = "{}.{}".format(*sys.version_info)
    for python in (sys.executable, f"/usr/bin/python{version}"):
        as_user = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--", python]
        path = os.pathsep.join([str(REPOSITORY), *(p for p in sys.path if "site-packages" in p)])
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": "/nonexistent"}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        # Of its own accord: setpriv still has capabilities when it starts the first Python.
        code = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True)"
        imports = "import pytest, docker, cognition_jupyter"
        works = subprocess.run(
            [*as_user, "-c", code, python, "-c", imports],
            env=environment,
            capture_output=True,
            check=False,
        )
        if works.returncode == 0:
            break
    else:
        pytest.skip("uid 1000 can use neither this Python nor one of the same version in /usr/bin")
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not docker"]
    files = [f"tests/runtimes/test_{name}.py" for name in ("contract", "children", "sandbox")]
    done = subprocess.run(
        [*as_user, *arguments, *files],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
