"""A server that sees other paths than the engine: what it is told, and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from traitlets import TraitError

from cognition_jupyter.exceptions import RuntimeUnavailable
from cognition_jupyter.projects.mount_table import MountPoint, innermost, mount_table
from cognition_jupyter.runtimes.docker import DockerRuntime


def source_of(path: str, **mappings: str) -> str:
    async def ask() -> str:
        runtime = DockerRuntime(path_mappings={f"/{k}": v for k, v in mappings.items()})
        try:
            return await runtime.source_of(Path(path))
        finally:
            await runtime.close()

    return asyncio.run(ask())


def test_beside_the_engine_paths_are_the_same(tmp_path: Path) -> None:
    assert source_of(str(tmp_path)) == str(tmp_path)


def test_the_longest_mapping_on_a_slash_boundary() -> None:
    mappings = {"srv": "/volumes/a", "srv/deep": "/volumes/b", "srvother": "/volumes/c"}
    assert source_of("/srv/x/y", **mappings) == "/volumes/a/x/y"
    assert source_of("/srv", **mappings) == "/volumes/a"
    assert source_of("/srv/deep/x", **mappings) == "/volumes/b/x"
    assert source_of("/srvother/x", **mappings) == "/volumes/c/x"
    assert source_of("/srv/deep/../x", **mappings) == "/volumes/a/x"
    with pytest.raises(RuntimeUnavailable, match="below none of") as no:
        source_of("/srvelse/x", **mappings)
    assert no.value.code == "mounts_unusable"
    assert source_of("/srv/x", **{"": "/host"}) == "/host/srv/x"


def test_a_link_is_followed_before_it_is_mapped(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    mapped = source_of(f"{tmp_path}/link/x", **{str(tmp_path / "real")[1:]: "/volumes/a"})
    assert mapped == "/volumes/a/x"


@pytest.mark.parametrize("wrong", ["relative", "/a/../b", "/a/", "", "/a//b"])
def test_what_is_no_mapping(wrong: str) -> None:
    for mappings in ({wrong: "/a"}, {"/a": wrong}):
        with pytest.raises(TraitError, match="absolute paths of directories"):
            DockerRuntime(path_mappings=mappings)


def test_the_mount_that_a_path_is_on() -> None:
    table = [
        MountPoint("/", "/", "ext4"),
        MountPoint("/a", "/srv", "ext4"),
        MountPoint("/b", "/srv/x", "ext4"),
        MountPoint("/c", "/srv", "ext4"),  # on top of the first, and of what is in it
    ]
    assert innermost("/srv/y", table) == MountPoint("/c", "/srv", "ext4")
    assert innermost("/srvy", table) == MountPoint("/", "/", "ext4")
    assert innermost("/srv/y", []) is None
    assert innermost("/proc/self", mount_table()) == MountPoint("/", "/proc", "proc")
