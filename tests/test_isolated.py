"""The isolated profile on a real server, against links that code in a container can leave."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat.v4
import pytest
import requests

from .handlers.api import raw, tree
from .support.server import Server

SECRET = "what-the-others-must-not-see"
# Jupyter's own check of hidden files is no wall here: everything must hold without it.
CONFIG = """
from cognition_jupyter.isolated import configure
configure(c)
c.ContentsManager.allow_hidden = True
"""


def notebook(source: str) -> dict[str, Any]:
    cells = [nbformat.v4.new_markdown_cell(source)]
    made: dict[str, Any] = nbformat.v4.new_notebook(cells=cells)
    return made


@dataclass
class World:
    server: Server
    mine: str
    other: str

    @property
    def repo(self) -> Path:
        return self.server.root / self.mine / "repo"

    @property
    def places(self) -> list[Path]:
        """Where something secret is."""
        root, other = self.server.root, self.server.root / self.other
        outside = [self.server.directory / "host", self.server.root_dir / "notes"]
        return [
            *outside,
            other / "repo",
            other / ".memories/persistent",
            root / self.mine / ".agent",
        ]

    def api(self, name: str) -> str:
        return f"/api/contents/workspaces/{self.mine}/repo/{name}".rstrip("/")

    def path(self, name: str) -> str:
        return f"workspaces/{self.mine}/repo/{name}"

    def outside(self) -> dict[str, Any]:
        """All that nothing may change."""
        kept = {str(place): tree(place) for place in self.places}
        return kept | {"mine": sorted(os.listdir(self.server.root / self.mine))}

    def get(self, name: str) -> Any:
        return self.server.call("GET", self.api(name))


@pytest.fixture(scope="module")
def world(make_server: Callable[..., Server]) -> World:
    server = make_server(start=False, config={"RuntimeChoice": {"runtime": "bubblewrap"}})
    config = server.home / "config" / "jupyter_server_config.py"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG)
    server.start()
    made = World(server, server.create("mine"), server.create("other"))
    for place in made.places:
        place.mkdir(exist_ok=True)
        (place / "secret.txt").write_text(SECRET)
        (place / "secret.ipynb").write_text(nbformat.writes(notebook(SECRET)))
    return made


@pytest.fixture(autouse=True)
def nothing_else_changes(world: World) -> Iterator[None]:
    """Whatever a test asks for, only the project's own workspace is touched, and then emptied."""
    (world.repo / "own.txt").write_text("own")
    before = world.outside()
    yield
    assert world.outside() == before
    subprocess.run(["find", str(world.repo), "-mindepth", "1", "-delete"], check=True)


# -- links out -----------------------------------------------------------------------------


def targets(world: World) -> dict[str, str]:
    """Ways to places with a secret, as a link in the workspace can say them."""
    other = world.server.root / world.other
    return {
        "relative": f"../../{world.other}/repo",
        "absolute": str(other / "repo"),
        "host": str(world.server.directory / "host"),
        "no-project": "../../../notes",
        "agent": "../.agent",
        "memory": str(other / ".memories/persistent"),
        "chain": "first",
        "proc": f"/proc/self/root{other}/repo",
        "detour": f"sub/../../../{world.other}/repo/../repo",
    }


TARGETS = ["relative", "absolute", "host", "no-project", "agent", "memory", "chain", "proc"]
TARGETS.append("detour")


def attempts(world: World, text: str, book: str) -> list[tuple[str, str, Any]]:
    """Everything that can be asked about a file and a notebook."""
    file = {"type": "file", "format": "text", "content": "overwritten"}
    later = {"type": "file", "format": "base64", "content": base64.b64encode(b"more").decode()}
    content = {"type": "notebook", "format": "json", "content": notebook("overwritten")}
    checkpoints = f"{world.api(book)}/checkpoints"
    return [
        ("GET", world.api(text), None),
        ("GET", world.api(text) + "?content=0", None),
        ("GET", world.api(text) + "?content=0&hash=1", None),
        ("GET", world.api(text) + "?type=file&format=base64", None),
        ("GET", world.api(book), None),
        ("GET", f"/files/{world.path(text)}", None),
        ("GET", f"/files/{world.path(book)}?download=1", None),
        ("GET", f"/nbconvert/html/{world.path(book)}", None),
        ("PUT", world.api(text), file),
        *(("PUT", world.api(text), {**later, "chunk": chunk}) for chunk in (1, 2, -1)),
        ("PUT", world.api(book), content),
        ("PATCH", world.api(text), {"path": world.path("stolen.txt")}),
        ("POST", world.api(""), {"copy_from": world.path(text)}),
        ("POST", world.api(""), {"copy_from": world.path(book)}),
        ("DELETE", world.api(text), None),
        ("GET", checkpoints, None),
        ("POST", checkpoints, None),
        ("POST", f"{checkpoints}/checkpoint", None),
        ("DELETE", f"{checkpoints}/checkpoint", None),
        ("POST", f"{world.api(book)}/trust", None),
    ]


def refused(world: World, calls: list[tuple[str, str, Any]]) -> None:
    for method, path, body in calls:
        answer = world.server.request(method, path, json=body, timeout=20)
        assert 400 <= answer.status_code < 500, (method, path, body, answer.text[:500])
        assert SECRET not in answer.text, (method, path)
        if "json" in answer.headers["Content-Type"]:
            message = answer.json()["message"]
            assert message.endswith(".") or "not exist" in message, message
            assert str(world.server.directory) not in message, message
    assert (world.repo / "own.txt").read_text() == "own"
    assert not list(world.repo.glob("**/*stolen*")) and not list(world.repo.glob("*Copy*"))


@pytest.mark.parametrize("name", TARGETS)
def test_a_link_to_a_directory_leads_nowhere(world: World, name: str) -> None:
    (world.repo / "sub").mkdir()
    (world.repo / "first").symlink_to(f"../../{world.other}/repo")
    (world.repo / "link").symlink_to(targets(world)[name])
    assert (world.repo / "link" / "secret.txt").read_text() == SECRET
    directory = [
        ("GET", world.api("link"), None),
        ("POST", world.api("link"), {"type": "notebook"}),
        ("POST", world.api("link"), {"copy_from": world.path("own.txt")}),
        ("POST", world.api(""), {"copy_from": world.path("link")}),
        ("PUT", world.api("link/new"), {"type": "directory"}),
        ("PATCH", world.api("own.txt"), {"path": world.path("link/new.txt")}),
        ("PATCH", world.api("link"), {"path": world.path("stolen")}),
        ("DELETE", world.api("link"), None),
    ]
    refused(world, attempts(world, "link/secret.txt", "link/secret.ipynb") + directory)


@pytest.mark.parametrize("name", TARGETS)
def test_a_link_to_a_file_leads_nowhere(world: World, name: str) -> None:
    (world.repo / "sub").mkdir()
    (world.repo / "first").symlink_to(f"../../{world.other}/repo")
    for kind in ("txt", "ipynb"):
        (world.repo / f"link.{kind}").symlink_to(f"{targets(world)[name]}/secret.{kind}")
    refused(world, attempts(world, "link.txt", "link.ipynb"))


def test_a_link_in_a_deeper_directory_leads_nowhere(world: World) -> None:
    (world.repo / "a/b").mkdir(parents=True)
    (world.repo / "a/b/link").symlink_to(f"../../../../{world.other}/repo")
    refused(world, attempts(world, "a/b/link/secret.txt", "a/b/link/secret.ipynb"))


def test_a_link_to_what_is_not_there_makes_nothing(world: World) -> None:
    for kind in ("txt", "ipynb"):
        (world.repo / f"new.{kind}").symlink_to(f"../../{world.other}/repo/new.{kind}")
    refused(world, attempts(world, "new.txt", "new.ipynb"))


@pytest.mark.parametrize("dots", ["..", "%2e%2e", "%2E."])
def test_dots_lead_nowhere(world: World, dots: str) -> None:
    base = f"/workspaces/{world.mine}/repo/{dots}/{dots}/{world.other}/repo"
    for name in ("/secret.txt", "/secret.ipynb", ""):
        answer = raw(world.server, "GET", f"/api/contents{base}{name}")
        assert answer.status == 403 and SECRET.encode() not in answer.body
    body = json.dumps({"type": "file", "format": "text", "content": "x"}).encode()
    assert raw(world.server, "PUT", f"/api/contents{base}/secret.txt", body).status == 403
    assert raw(world.server, "DELETE", f"/api/contents{base}/secret.txt").status == 403
    up = raw(world.server, "GET", f"/files/workspaces/{dots}/{dots}/host/secret.txt")
    assert up.status in (403, 404)


def test_of_a_root_only_the_workspaces_are_shown(world: World) -> None:
    for place in (
        ".cognition",
        ".cognition/root.json",
        ".trash",
        f"{world.mine}/.project_metadata.json",
        f"{world.mine}/.agent/secret.txt",
        f"{world.other}/.memories/persistent/secret.txt",
    ):
        for path in (f"/api/contents/workspaces/{place}", f"/files/workspaces/{place}"):
            answer = world.server.request("GET", path)
            assert answer.status_code in (403, 404), path
    listed = world.server.call("GET", "/api/contents/workspaces")["content"]
    assert {entry["name"] for entry in listed} == {world.mine, world.other}
    (entry,) = world.server.call("GET", f"/api/contents/workspaces/{world.mine}")["content"]
    assert entry["name"] == "repo"


def test_projects_are_not_moved_or_deleted_as_folders(world: World) -> None:
    calls: list[tuple[str, str, Any]] = []
    for place in ("workspaces", f"workspaces/{world.other}", f"workspaces/{world.other}/repo"):
        calls.append(("DELETE", f"/api/contents/{place}", None))
        calls.append(("PATCH", f"/api/contents/{place}", {"path": "stolen"}))
    calls.append(("PUT", "/api/contents/workspaces/made-00000000", {"type": "directory"}))
    calls.append(("PUT", f"/api/contents/workspaces/{world.mine}/x", {"type": "directory"}))
    refused(world, calls)


def test_a_link_in_place_of_a_project_leads_nowhere(world: World) -> None:
    link = world.server.root / "link-00000000"
    link.symlink_to(world.other)
    try:
        for path in ("link-00000000", "link-00000000/repo", "link-00000000/repo/secret.txt"):
            for kind in ("api/contents", "files"):
                answer = world.server.request("GET", f"/{kind}/workspaces/{path}")
                assert answer.status_code in (403, 404), path
    finally:
        link.unlink()


# -- names that Jupyter itself uses --------------------------------------------------------


def save(world: World, name: str, source: str) -> requests.Response:
    body = {"type": "notebook", "format": "json", "content": notebook(source)}
    return world.server.request("PUT", world.api(name), json=body)


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


# -- what goes on working ------------------------------------------------------------------


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


# -- no way around the containers ----------------------------------------------------------


def test_there_are_no_terminals(world: World) -> None:
    for method in ("GET", "POST"):
        assert world.server.request(method, "/api/terminals").status_code == 404


def test_no_kernel_but_ours_can_be_started(world: World) -> None:
    server = world.server
    specs = server.call("GET", "/api/kernelspecs")
    assert set(specs["kernelspecs"]) == {"cognition"} and specs["default"] == "cognition"
    for name in ("python3", "Python3", "../python3", "python3/", "none"):
        answer = server.request("POST", "/api/kernels", json={"name": name})
        assert answer.status_code >= 400
        body = {"path": "x.ipynb", "name": "x", "type": "notebook", "kernel": {"name": name}}
        assert server.request("POST", "/api/sessions", json=body).status_code >= 400
        assert server.request("GET", f"/api/kernelspecs/{name}").status_code == 404
    assert server.call("GET", "/api/kernels") == []


def test_ours_can_be_started(world: World) -> None:
    session = world.server.start_session(world.mine)
    with world.server.kernel(session["kernel_id"]) as kernel:
        assert kernel.check("print(open('own.txt').read())") == "own\n"
        kernel.check("open('made.txt', 'w').write('by the kernel')")
    assert world.get("made.txt")["content"] == "by the kernel"
    world.server.end_session(session)


def test_no_program_of_the_host_is_run_on_a_notebook(world: World) -> None:
    save(world, "book.ipynb", "text")
    for name in ("latex", "pdf", "webpdf", "qtpdf", "qtpng"):
        answer = world.server.request("GET", f"/nbconvert/{name}/{world.path('book.ipynb')}")
        assert answer.status_code >= 400
        assert f'Exporter "{name}" disabled' in world.server.tail(), name
    assert "Extension Manager is 'readonly'" in world.server.log.read_text()
    assert world.server.call("GET", "/lsp/status")["specs"] == {}
