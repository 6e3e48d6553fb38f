"""The write probe: it says what is wrong with the mounts, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from cognition_jupyter.exceptions import CognitionError, RuntimeUnavailable
from cognition_jupyter.kernels.policy import DEFAULT_IMAGE
from cognition_jupyter.runtimes.base import ContainerSpec, Mount, Runtime
from cognition_jupyter.runtimes.bubblewrap import BubblewrapRuntime
from cognition_jupyter.runtimes.docker import DockerRuntime
from cognition_jupyter.runtimes.probe import check_mounts

from .engines import Fake
from .support import USER, new_uuid
from .test_engine_failures import never

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a container of another user needs root")


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="cgn-probe-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


def probe(runtime: Runtime, directory: Path, image: str = DEFAULT_IMAGE) -> None:
    """And nothing is left, neither of files nor of containers."""

    async def body() -> None:
        try:
            await check_mounts(runtime, directory, "0123456789abcdef", USER, image)
        finally:
            assert os.listdir(directory) == []
            left = (
                [] if "nonexistent" in getattr(runtime, "base_url", "") else await runtime.found()
            )
            assert left == []
            await runtime.close()

    asyncio.run(body())


def refused(runtime: Runtime, directory: Path, code: str = "mounts_unusable") -> str:
    with pytest.raises(RuntimeUnavailable) as problem:
        probe(runtime, directory)
    assert problem.value.code == code and problem.value.status == 503
    return problem.value.message


@pytest.mark.parametrize("runtime", [DockerRuntime, BubblewrapRuntime])
def test_an_ordinary_runtime_passes(runtime: type[Runtime], directory: Path) -> None:
    probe(runtime(root_uuid=new_uuid()), directory)


class Elsewhere(DockerRuntime):
    """As an engine on another machine: it has the paths, and other files below them."""

    async def start(self, spec: ContainerSpec) -> str:
        other = Path(tempfile.mkdtemp(prefix="cgn-probe-", dir="/dev/shm"))
        os.chmod(other, 0o777)
        self.others = [*getattr(self, "others", []), other]
        return await super().start(replace(spec, mounts=(Mount(other, spec.mounts[0].target),)))


def test_a_mount_that_does_not_arrive(directory: Path) -> None:
    runtime = Elsewhere(root_uuid=new_uuid())
    try:
        said = refused(runtime, directory)
        assert "could not write into the projects' directory (its status was 0)" in said
        assert "other files than this server" in said
        assert (runtime.others[0] / "written").exists()
    finally:
        for other in runtime.others:
            shutil.rmtree(other)


class ReadOnly(DockerRuntime):
    """As SELinux without a label: the mount is there and may not be written."""

    async def start(self, spec: ContainerSpec) -> str:
        mounts = tuple(replace(mount, read_only=True) for mount in spec.mounts)
        return await super().start(replace(spec, mounts=mounts))


def test_a_write_that_is_denied(directory: Path) -> None:
    said = refused(ReadOnly(root_uuid=new_uuid()), directory)
    assert "could not write" in said and "SELinux" in said


class Mapped(DockerRuntime):
    """As an engine that maps users: what user 1000 writes is another's on the host."""

    async def start(self, spec: ContainerSpec) -> str:
        for mount in spec.mounts:
            mount.source.chmod(0o777)
        return await super().start(replace(spec, user=(spec.user[0] + 7, spec.user[1])))


@as_root
def test_a_file_of_another_owner(directory: Path) -> None:
    said = refused(Mapped(root_uuid=new_uuid()), directory)
    assert f"user {USER[0]} wrote" in said and f"belongs to user {USER[0] + 7} here" in said
    assert "userns-remap" in said


@pytest.mark.parametrize(
    "instead",
    [
        "ln -s /etc/hostname /workspace/written",
        "mkfifo /workspace/written",
        "mkdir /workspace/written",
        "echo something else > /workspace/written",
        "head -c 10000000 /dev/zero > /workspace/written",
        "mkdir -p /workspace/a/b/c; chmod 0 /workspace/a/b",
    ],
)
def test_an_image_whose_shell_plays_tricks(directory: Path, instead: str) -> None:
    class Tricks(DockerRuntime):
        async def start(self, spec: ContainerSpec) -> str:
            return await super().start(replace(spec, command=("sh", "-c", instead)))

    assert refused(Tricks(root_uuid=new_uuid()), directory)


def test_a_sandbox_says_what_it_could_not_do(directory: Path) -> None:
    class Broken(BubblewrapRuntime):
        async def start(self, spec: ContainerSpec) -> str:
            missing = Mount(directory / "no-such-directory", "/memories/hot")
            return await super().start(replace(spec, mounts=(*spec.mounts, missing)))

    assert "no-such-directory" in refused(Broken(root_uuid=new_uuid()), directory)


def test_a_runtime_that_does_not_start_leaves_nothing(
    directory: Path, engine: docker.DockerClient
) -> None:
    missing = DockerRuntime(root_uuid=new_uuid())
    with pytest.raises(CognitionError, match="nothing:1 is not on"):
        probe(missing, directory, image="127.0.0.1:1/nothing:1")
    away = DockerRuntime(root_uuid=new_uuid(), base_url="unix:///nonexistent/engine.sock")
    assert "No such file" in refused(away, directory, code="runtime_unavailable")


def test_a_hanging_engine_leaves_no_file(directory: Path) -> None:
    fake = Fake(never)
    runtime = DockerRuntime(root_uuid=new_uuid(), base_url=fake.url, engine_timeout=0.3)

    async def body() -> None:
        with pytest.raises(RuntimeUnavailable, match="did not answer"):
            await check_mounts(runtime, directory, "o", USER, DEFAULT_IMAGE)
        assert os.listdir(directory) == []
        probing = asyncio.ensure_future(check_mounts(runtime, directory, "o", USER, DEFAULT_IMAGE))
        await asyncio.sleep(0.1)
        probing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probing
        assert os.listdir(directory) == []
        await runtime.close()

    try:
        asyncio.run(body())
    finally:
        fake.close()
