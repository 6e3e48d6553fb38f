"""Names that Jupyter itself uses lead nowhere either."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat.v4
import pytest

from ..handlers.api import tree
from .world import SECRET, World, notebook, refused, save


def test_a_save_does_not_write_through_the_name_of_its_temporary_file(world: World) -> None:
    assert save(world, "book.ipynb", "first").status_code == 201
    for place in world.places:
        link = world.repo / ".~book.ipynb"
        link.symlink_to(place / "secret.txt")
        assert save(world, "book.ipynb", "second").status_code == 200
        link.unlink()
    (world.repo / "book.ipynb").write_text("broken")
    (world.repo / ".~book.ipynb").symlink_to(world.places[2] / "secret.ipynb")
    answer = world.server.request("GET", world.api("book.ipynb"))
    assert answer.status_code == 400 and SECRET not in answer.text
    assert (world.repo / "book.ipynb").read_text() == "broken"


@pytest.mark.parametrize("whole", [True, False])
def test_checkpoints_do_not_go_through_links(world: World, whole: bool) -> None:
    """Neither with the whole directory of checkpoints being one, nor a checkpoint in it."""
    checkpoints = world.repo / ".ipynb_checkpoints"
    path = f"{world.api('book.ipynb')}/checkpoints"
    for place in world.places:
        (world.repo / "book.ipynb").write_text(nbformat.writes(notebook("mine")))
        if whole:
            (place / "book-checkpoint.ipynb").write_text(nbformat.writes(notebook(SECRET)))
            checkpoints.symlink_to(place)
        else:
            checkpoints.mkdir()
            (checkpoints / "book-checkpoint.ipynb").symlink_to(place / "secret.ipynb")
        before = tree(place)
        for method, rest in [("POST", ""), ("POST", "/checkpoint"), ("DELETE", "/checkpoint")]:
            answer = world.server.request(method, path + rest)
            assert 400 <= answer.status_code < 500, (method, rest, answer.text)
        assert save(world, "book.ipynb", "mine").status_code in (200, 403)
        world.server.request("PATCH", world.api("book.ipynb"), json={"path": world.path("b.ipynb")})
        world.server.request("DELETE", world.api("b.ipynb"))
        assert tree(place) == before
        subprocess.run(["rm", "-r", str(checkpoints)], check=True)
        if whole:
            (place / "book-checkpoint.ipynb").unlink()
        for file in world.repo.rglob("*"):
            assert SECRET not in file.read_text()


def test_a_directory_with_links_out_is_listed_and_copied_without_what_they_lead_to(
    world: World,
) -> None:
    folder = world.repo / "folder"
    folder.mkdir()
    (folder / "file.txt").write_text("file")
    (folder / "dir").symlink_to(f"../../../{world.other}/repo")
    (folder / "secret.txt").symlink_to(f"../../../{world.other}/repo/secret.txt")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    (folder / "sparse").touch()
    names = {entry["name"] for entry in world.get("folder")["content"]}
    assert names >= {"file.txt", "sparse"} and not names & {"dir", "secret.txt", "pipe"}

    body = {"copy_from": world.path("folder")}
    copy = world.server.call("POST", world.api(""), 201, json=body)
    copied = world.repo / copy["name"]
    assert (copied / "file.txt").read_text() == "file"
    assert (copied / "dir").is_symlink() and (copied / "secret.txt").is_symlink()
    assert not (copied / "pipe").exists()
    world.server.call("DELETE", world.api(copy["name"]), 204)

    os.truncate(folder / "sparse", 1 << 40)
    refused(world, [("POST", world.api(""), {"copy_from": world.path("folder")})])
    world.server.call("DELETE", world.api("folder"), 204)
    assert not folder.exists()


def test_what_is_no_regular_file_is_not_waited_for(world: World) -> None:
    os.mkfifo(world.repo / "pipe.txt")
    os.mkfifo(world.repo / "pipe.ipynb")
    (world.repo / "zero.txt").symlink_to("/dev/zero")
    (world.repo / "loop.txt").symlink_to("loop.txt")
    for name in ("pipe.txt", "pipe.ipynb", "zero.txt", "loop.txt"):
        for path in (world.api(name), f"/files/{world.path(name)}"):
            answer = world.server.request("GET", path, timeout=10)
            assert 400 <= answer.status_code < 500


FLIP = """
import os, sys
directory, link, spare = sys.argv[1:]
while True:
    os.rename(directory, spare); os.rename(link, directory)
    os.rename(directory, link); os.rename(spare, directory)
"""


def test_a_directory_that_is_swapped_all_the_time_gives_nothing_away(world: World) -> None:
    directory, link, spare = (str(world.repo / name) for name in ("d", "link", "spare"))
    Path(directory).mkdir()
    Path(directory, "secret.txt").write_text("mine")
    Path(directory, "secret.ipynb").write_text(nbformat.writes(notebook("mine")))
    Path(link).symlink_to(f"../../{world.other}/repo")
    text = {"type": "file", "format": "text", "content": "mine"}
    chunk = {**text, "chunk": 2}
    calls: list[tuple[str, str, Any]] = [
        ("GET", world.api("d/secret.txt"), None),
        ("GET", f"/files/{world.path('d/secret.txt')}", None),
        ("PUT", world.api("d/secret.txt"), text),
        ("PUT", world.api("d/secret.txt"), chunk),
        ("PUT", world.api("d/secret.ipynb"), {"type": "notebook", "content": notebook("mine")}),
        ("POST", f"{world.api('d/secret.ipynb')}/checkpoints", None),
        ("POST", f"{world.api('d/secret.ipynb')}/checkpoints/checkpoint", None),
        ("POST", world.api(""), {"copy_from": world.path("d/secret.txt")}),
        ("PATCH", world.api("d/secret.txt"), {"path": world.path("d/moved.txt")}),
        ("PATCH", world.api("d/moved.txt"), {"path": world.path("d/secret.txt")}),
        ("PUT", world.api("d/new"), {"type": "directory"}),
        ("DELETE", world.api("d/new"), None),
    ]
    before = world.outside()
    flipping = subprocess.Popen([sys.executable, "-c", FLIP, directory, link, spare])
    answers = []
    try:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for method, path, body in calls:
                answer = world.server.request(method, path, json=body)
                answers.append(answer.status_code)
                assert SECRET not in answer.text, (method, path)
    finally:
        flipping.kill()
        flipping.wait()
    assert world.outside() == before
    assert {200, 403} <= set(answers), "nothing was swapped in time, or always"
