"""What goes on working."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from cognition_jupyter.isolated.operations import replacing
from cognition_jupyter.isolated.territory import Territory

from .world import World, refused, save


def test_links_inside_a_workspace_work(world: World) -> None:
    (world.repo / "data").mkdir()
    (world.repo / "data/file.txt").write_text("data")
    (world.repo / "link").symlink_to("data")
    (world.repo / "absolute").symlink_to(world.repo / "data")
    (world.repo / "file.txt").symlink_to("link/file.txt")
    for name in ("link/file.txt", "absolute/file.txt", "file.txt"):
        assert world.get(name)["content"] == "data"
        assert world.server.request("GET", f"/files/{world.path(name)}").text == "data"
    text = {"type": "file", "format": "text", "content": "new"}
    world.server.call("PUT", world.api("file.txt"), json=text)
    assert (world.repo / "file.txt").is_symlink()
    assert (world.repo / "data/file.txt").read_text() == "new"
    world.server.call("DELETE", world.api("file.txt"), 204)
    assert (world.repo / "data/file.txt").exists()
    assert {e["name"] for e in world.get("")["content"]} >= {"data", "link", "absolute"}


def test_a_notebook_s_life(world: World) -> None:
    server = world.server
    made = server.call("POST", world.api(""), 201, json={"type": "notebook"})
    assert made["name"] == "Untitled.ipynb"
    assert save(world, "Untitled.ipynb", "first").status_code == 200
    path = f"{world.api('Untitled.ipynb')}/checkpoints"
    assert server.call("POST", path, 201)["id"] == "checkpoint"
    save(world, "Untitled.ipynb", "second")
    server.call("POST", f"{path}/checkpoint", 204)
    assert world.get("Untitled.ipynb")["content"]["cells"][0]["source"] == "first"
    server.call("PATCH", world.api("Untitled.ipynb"), json={"path": world.path("named.ipynb")})
    (checkpoint,) = server.call("GET", f"{world.api('named.ipynb')}/checkpoints")
    assert checkpoint["id"] == "checkpoint"
    server.call("POST", f"{world.api('named.ipynb')}/trust", 201)
    body = {"copy_from": world.path("named.ipynb")}
    assert server.call("POST", world.api(""), 201, json=body)["name"] == "named-Copy1.ipynb"
    exported = server.request("GET", f"/nbconvert/html/{world.path('named.ipynb')}")
    assert exported.status_code == 200 and "first" in exported.text
    server.call("DELETE", world.api("named.ipynb"), 204)
    assert {p.name for p in world.repo.iterdir()} == {
        ".ipynb_checkpoints",
        "named-Copy1.ipynb",
        "own.txt",
    }


def test_files_keep_their_mode_and_owner(world: World) -> None:
    text = {"type": "file", "format": "text", "content": "#!/bin/sh\n"}
    script = world.repo / "run.sh"
    world.server.call("PUT", world.api("run.sh"), 201, json=text)
    owner = world.repo.stat().st_uid
    assert script.stat().st_uid == owner
    script.chmod(0o751)
    world.server.call("PUT", world.api("run.sh"), json=text)
    assert stat.S_IMODE(script.stat().st_mode) == 0o751 and script.stat().st_uid == owner
    world.server.call("PUT", world.api("folder"), 201, json={"type": "directory"})
    assert (world.repo / "folder").stat().st_uid == owner
    world.server.call("PUT", world.api("folder"), 201, json={"type": "directory"})
    refused(world, [("PUT", world.api("run.sh"), {"type": "directory"})])
    refused(world, [("PATCH", world.api("run.sh"), {"path": world.path("own.txt")})])


def test_a_large_file_is_uploaded_in_chunks_and_served_in_parts(world: World) -> None:
    data = os.urandom(300_000)
    parts = [data[:100_000], data[100_000:200_000], data[200_000:]]
    for part, chunk in zip(parts, (1, 2, -1), strict=True):
        content = base64.b64encode(part).decode()
        body = {"type": "file", "format": "base64", "content": content, "chunk": chunk}
        world.server.call("PUT", world.api("large.bin"), 201 if chunk == 1 else 200, json=body)
    url = f"/files/{world.path('large.bin')}"
    whole = world.server.request("GET", url)
    assert whole.content == data and whole.headers["Content-Type"] == "application/octet-stream"
    part = world.server.request("GET", url, headers={"Range": "bytes=70000-140000"})
    assert part.status_code == 206 and part.content == data[70_000:140_001]


def test_what_is_in_no_project_is_as_ever(world: World) -> None:
    server = world.server
    text = {"type": "file", "format": "text", "content": "x"}
    server.call("PUT", "/api/contents/plain.txt", 201, json=text)
    server.call("PATCH", "/api/contents/plain.txt", json={"path": "renamed.txt"})
    (server.root_dir / "alias.txt").symlink_to("renamed.txt")
    assert server.call("GET", "/api/contents/alias.txt")["content"] == "x"
    server.call("PATCH", "/api/contents/renamed.txt", json={"path": world.path("moved.txt")})
    assert (world.repo / "moved.txt").read_text() == "x"
    (server.root_dir / "alias.txt").unlink()
    server.call("PUT", "/api/contents/folder", 201, json={"type": "directory"})
    server.call("DELETE", "/api/contents/folder", 204)


def test_what_was_saved_survives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note"
    note.write_text("old")
    fsync, synced = os.fsync, []

    def watched(fd: int) -> None:
        place = os.readlink(f"/proc/self/fd/{fd}")
        synced.append((place == str(tmp_path), note.read_text()))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    with replacing(Territory(str(tmp_path)), str(note)) as file:
        file.write(b"new")
    # The file before it takes the place, the directory after that.
    assert synced == [(False, "old"), (True, "new")]
