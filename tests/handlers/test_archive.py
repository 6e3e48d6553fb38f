"""Archives over REST: from one server to another, in bounded memory, whole or not at all."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from ..archive.archive_support import fill_with, on_its_way, peak_of
from ..archive.hostile import LIMITS, good
from ..archive.hostile_cases import CASES
from ..kernels.helpers import Events
from ..support.server import TOKEN, Server
from .api import Api, raw, tree

MIB = 1 << 20


@pytest.fixture(scope="module")
def other(make_server: Callable[..., Server]) -> Server:
    """Another server, with a root of its own."""
    return make_server(config={"RuntimeChoice": {"runtime": "bubblewrap"}})


@pytest.fixture(scope="module")
def careful(make_server: Callable[..., Server]) -> Api:
    """A server with small limits."""
    config = {"RuntimeChoice": {"runtime": "bubblewrap"}, **LIMITS}
    return Api(make_server(config=config))


def download(server: Server, project_id: str, file: Path, query: str = "") -> None:
    path = f"/api/projects/{project_id}/archive{query}"
    with server.request("GET", path, stream=True) as answer, file.open("wb") as out:
        assert answer.status_code == 200
        for piece in answer.iter_content(MIB):
            out.write(piece)


def upload(server: Server, file: Path, chunked: bool = False) -> str:
    def pieces() -> Iterator[bytes]:
        with file.open("rb") as out:
            while piece := out.read(MIB):
                yield piece

    with file.open("rb") as whole:
        body = pieces() if chunked else whole
        answer = server.request("POST", "/api/projects/import", data=body, timeout=600)
    assert answer.status_code == 201, answer.text
    made = str(answer.json()["project_id"])
    assert answer.headers["Location"] == f"/api/projects/{made}"
    return made


def move(source: Server, target: Server, size: int, file: Path) -> None:
    """A project of `size` bytes from one to the other; both may use no more memory than this."""
    project_id = source.create("large")
    paths = [server.root / project_id for server in (source, target)]
    fill_with(paths[0] / "repo", 4, size // 8)
    fill_with(paths[0] / ".memories" / "persistent", 4, size // 8)
    source.call("PUT", f"/api/projects/{project_id}/memory/memories/hot/a", 201, data=b"hot")
    assert source.process is not None and target.process is not None
    with peak_of(source.process.pid) as out, peak_of(target.process.pid) as into:
        download(source, project_id, file)
        made = upload(target, file)
        print(
            f"{size / MIB:.0f} MiB: exporting took {out() / MIB:.1f} MiB of memory, "
            f"importing {into() / MIB:.1f} MiB; {file.stat().st_size / MIB:.1f} MiB on the way"
        )
        assert out() < 48 * MIB and into() < 48 * MIB
    for part in ("repo", ".memories/persistent"):
        assert digests(target.root / made / part) == digests(paths[0] / part)
    hot = target.request("GET", f"/api/projects/{made}/memory/memories/hot/a")
    assert hot.content == b"hot"
    assert on_its_way(target.root) == []
    for server, name in ((source, project_id), (target, made)):
        server.call("DELETE", f"/api/projects/{name}?permanent=true")


def digests(directory: Path) -> dict[str, tuple[str, int, int]]:
    found = {}
    for path in directory.rglob("*"):
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while piece := file.read(MIB):
                digest.update(piece)
        status = path.stat()
        found[path.name] = digest.hexdigest(), status.st_mode, status.st_mtime_ns
    assert found
    return found


def test_fifty_megabytes_from_one_server_to_another(
    server: Server, other: Server, tmp_path: Path
) -> None:
    move(server, other, 50 * MIB, tmp_path / "archive")


@pytest.mark.torture
def test_two_gigabytes_from_one_server_to_another(
    server: Server, other: Server, tmp_path: Path
) -> None:
    move(server, other, 2048 * MIB, tmp_path / "archive")


def test_with_packages_and_journals_and_from_a_body_in_chunks(
    server: Server, other: Server, tmp_path: Path
) -> None:
    project_id = server.create("parts")
    place = server.root / project_id
    (place / ".deps" / "package.py").write_text("x = 1\n")
    (place / ".logs" / "abc.jsonl").write_text("{}\n")
    download(server, project_id, tmp_path / "less")
    download(server, project_id, tmp_path / "more", "?deps=true&logs=true")
    less = other.root / upload(other, tmp_path / "less", chunked=True)
    more = other.root / upload(other, tmp_path / "more", chunked=True)
    assert not list((less / ".deps").iterdir()) and not list((less / ".logs").iterdir())
    assert (more / ".deps" / "package.py").read_text() == "x = 1\n"
    assert (more / ".logs" / "abc.jsonl").read_text() == "{}\n"


def test_a_project_in_use_can_be_exported(server: Server, tmp_path: Path) -> None:
    project_id = server.create("live")
    session = server.start_session(project_id)
    try:
        (server.root / project_id / "repo" / "a").write_text("a")
        download(server, project_id, tmp_path / "archive")
        duplicate = server.call("POST", f"/api/projects/{project_id}/duplicate", 201)
    finally:
        server.end_session(session)
    assert duplicate["active_sessions"] == 0 and duplicate["sessions"] == []
    made = upload(server, tmp_path / "archive")
    details = server.call("GET", f"/api/projects/{made}")
    assert details["sessions"] == [] and details["total_sessions"] == 1
    assert (server.root / made / "repo" / "a").read_text() == "a"


def test_how_an_archive_is_served(server: Server) -> None:
    project_id = server.create("served")
    answer = server.request("GET", f"/api/projects/{project_id}/archive")
    headers = answer.headers
    assert headers["Content-Type"] == "application/gzip"
    assert headers["Content-Disposition"] == f'attachment; filename="{project_id}.tar.gz"'
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store" and "Content-Encoding" not in headers


def test_a_page_of_another_site_can_not_include_it(server: Server) -> None:
    project_id = server.create("cross")
    with requests.Session() as browser:
        browser.get(f"{server.url}/login", params={"token": TOKEN}, timeout=30)
        url = f"{server.url}/api/projects/{project_id}/archive"
        assert browser.get(url, timeout=30).status_code == 403
        foreign = {"Referer": "http://evil.example/"}
        assert browser.get(url, headers=foreign, timeout=30).status_code == 403
        own = {"Referer": f"{server.url}/lab"}
        assert browser.get(url, headers=own, timeout=30).status_code == 200


def test_what_was_made_of_what_is_told(server: Server, tmp_path: Path) -> None:
    project_id = server.create("told")
    with Events(server, "project") as events:
        download(server, project_id, tmp_path / "archive")
        exported = events.wait_for(project_id, "exported")
        assert exported["bytes"] == (tmp_path / "archive").stat().st_size
        made = upload(server, tmp_path / "archive")
        created = events.wait_for(made, "created")
        assert (created["origin"], created["source"]) == ("import", project_id)
        assert created["actor"] == exported["actor"] != "server"
        copy = server.call("POST", f"/api/projects/{project_id}/duplicate", 201, json={})
        created = events.wait_for(copy["project_id"], "created")
        assert (created["origin"], created["source"]) == ("duplicate", project_id)


def test_duplicates(api: Api) -> None:
    project_id = api.create("double", description="first", tags=["t"])
    path = f"/api/projects/{project_id}"
    repo = api.server.root / project_id / "repo"
    (repo / "a").write_text("a")
    api.call("PUT", f"{path}/memory/memories/hot/h", 201, data=b"hot")
    api.call("PUT", f"{path}/memory/memories/persistent/p", 201, data=b"kept")
    whole = api.call("POST", f"{path}/duplicate", 201)
    body = {"memory": False, "user_prefix": "bare", "description": ""}
    bare = api.call("POST", f"{path}/duplicate", 201, json=body)
    for made in (whole, bare):
        assert (api.server.root / made["project_id"] / "repo" / "a").read_text() == "a"
        assert made["tags"] == ["t"] and made["config"] == api.call("GET", path)["config"]
    assert whole["description"] == "first" and whole["has_memories"]
    assert bare["description"] == "" and not bare["has_memories"]
    assert bare["project_id"].startswith("bare-")
    memory = f"/api/projects/{whole['project_id']}/memory/memories/"
    assert api.server.request("GET", f"{memory}hot/h").content == b"hot"
    assert api.server.request("GET", f"{memory}persistent/p").content == b"kept"
    api.refuse("POST", f"{path}/duplicate", 400, "invalid_prefix", json={"user_prefix": "../x"})
    api.refuse("POST", f"{path}/duplicate", 400, "invalid_input", json={"memory": "false"})


# -- refused -------------------------------------------------------------------------------


def test_hostile_archives_over_rest(careful: Api) -> None:
    place = careful.server.root
    kept = upload_bytes(careful.server, good().whole())
    before = tree(place)
    for name, (sentence, archive) in CASES.items():
        body = careful.call_any("POST", "/api/projects/import", (400, 403), data=archive)
        assert sentence in body["message"], name
        assert on_its_way(place) == [], name
    assert tree(place) == before
    assert careful.call("GET", f"/api/projects/{kept}")["status"] == "idle"


def upload_bytes(server: Server, archive: bytes) -> str:
    made = server.call("POST", "/api/projects/import", 201, data=archive)
    return str(made["project_id"])


def test_a_body_that_says_it_is_too_large_is_not_read(careful: Api) -> None:
    headers = {"Content-Length": str(1 << 40)}
    answer = raw(careful.server, "POST", "/api/projects/import", b"", headers)
    assert answer.status == 413 and answer.json()["error"] == "too_large"
    assert answer.headers["Connection"] == "close"
    body = careful.call_any("POST", "/api/projects/import", (400,), json={"user_prefix": "a"})
    assert body["error"] == "bad_archive"
    careful.refuse("POST", "/api/projects/import", 400, "bad_archive", data=b"")


def test_more_than_the_limit_without_a_length_ends_the_connection(careful: Api) -> None:
    def endless() -> Iterator[bytes]:
        yield good().whole()[:200]
        while True:
            yield bytes(MIB)

    before = tree(careful.server.root)
    with suppress(requests.ConnectionError):  # tornado answers, and closes: what comes first
        answer = careful.server.request("POST", "/api/projects/import", data=endless())
        assert answer.status_code == 400
    wait_until(lambda: not on_its_way(careful.server.root))
    assert tree(careful.server.root) == before


def test_a_project_that_is_too_large_is_refused_at_once(careful: Api) -> None:
    project_id = careful.create("huge")
    with (careful.server.root / project_id / "repo" / "hole").open("wb") as file:
        file.truncate(1 << 40)
    path = f"/api/projects/{project_id}"
    careful.refuse("GET", f"{path}/archive", 413, "archive_too_large")
    careful.refuse("POST", f"{path}/duplicate", 413, "archive_too_large")
    careful.call("DELETE", f"{path}?permanent=true")


# -- broken off ----------------------------------------------------------------------------


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def half_an_upload(server: Server, archive: bytes) -> socket.socket:
    """A connection on which the first half of an archive has been sent and is unpacked."""
    place = urlsplit(server.url)
    assert place.hostname and place.port
    connection = socket.create_connection((place.hostname, place.port), timeout=60)
    head = (
        f"POST /api/projects/import HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Authorization: token {TOKEN}\r\nContent-Length: {len(archive)}\r\n\r\n"
    )
    connection.sendall(head.encode() + archive[: len(archive) // 2])
    wait_until(lambda: on_its_way(server.root) != [])
    return connection


def large(tmp_path: Path) -> bytes:
    fill_with(tmp_path, 4, 4 * MIB)
    made = good()
    for path in sorted(tmp_path.iterdir()):
        made.add(f"repo/{path.name}", path.read_bytes())
    return made.whole()


def test_who_goes_away_while_sending_leaves_nothing(other: Server, tmp_path: Path) -> None:
    before = tree(other.root)
    half_an_upload(other, large(tmp_path)).close()
    wait_until(lambda: on_its_way(other.root) == [])
    assert tree(other.root) == before


def test_a_killed_server_leaves_nothing_after_the_next_start(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server(config={"RuntimeChoice": {"runtime": "bubblewrap"}})
    connection = half_an_upload(server, large(tmp_path))
    server.kill()
    connection.close()
    assert on_its_way(server.root) != []
    server.start()
    assert on_its_way(server.root) == [] and not list(server.root.glob("*-*"))


def test_a_server_that_stops_ends_an_import(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_server(config={"RuntimeChoice": {"runtime": "bubblewrap"}})
    with half_an_upload(server, large(tmp_path)):
        server.stop(timeout=60)
    assert on_its_way(server.root) == [] and not list(server.root.glob("*-*"))


def test_what_fails_after_it_began_does_not_look_whole(other: Server, tmp_path: Path) -> None:
    project_id = other.create("gone")
    fill_with(other.root / project_id / "repo", 20, 4 * MIB)
    path = f"/api/projects/{project_id}/archive"
    with other.request("GET", path, stream=True) as answer:
        assert answer.status_code == 200
        pieces = answer.iter_content(MIB)
        first = next(pieces)
        other.call("DELETE", f"/api/projects/{project_id}?permanent=true")
        with pytest.raises(requests.RequestException):
            for piece in pieces:
                first += piece
    answer = other.request("POST", "/api/projects/import", data=first)
    assert answer.status_code == 400 and "cut short" in answer.json()["message"]
    assert "deleted while it was read" in other.tail()
    assert other.call("GET", "/health")["status"] == "ok"


def test_who_stops_receiving_is_given_up_and_what_was_sent_is_told(
    make_server: Callable[..., Server],
) -> None:
    """A connection that stays open and takes nothing keeps nobody from exporting."""
    archives = {"stall_timeout": 5.0, "max_transfers": 1}
    server = make_server(config={"RuntimeChoice": {"runtime": "bubblewrap"}, "Archives": archives})
    project_id = server.create("stalled")
    fill_with(server.root / project_id / "repo", 20, 4 * MIB)
    path = f"/api/projects/{project_id}/archive"
    with Events(server, "project") as events:
        with server.request("GET", path, stream=True) as answer:
            next(answer.iter_content(1000))
            assert server.request("GET", path).status_code == 503
            wait_until(lambda: server.request("GET", path).status_code == 200)
            with pytest.raises(requests.RequestException):
                answer.raw.read(1 << 30)
                raise requests.ConnectionError  # what is cut short may end without an error
        told = events.wait_for(project_id, "exported")
    assert told["complete"] is False and told["bytes"] > 0


def test_who_goes_away_while_receiving_frees_the_transfer(other: Server) -> None:
    project_id = other.create("slow")
    fill_with(other.root / project_id / "repo", 20, 4 * MIB)
    path = f"/api/projects/{project_id}/archive"
    for _ in range(8):  # twice as many as may go on at once
        with other.request("GET", path, stream=True) as answer:
            if answer.status_code == 200:
                next(answer.iter_content(1000))
        wait_until(lambda: other.request("GET", f"{path}?deps=no").status_code == 400)
    wait_until(lambda: other.request("GET", path).status_code == 200)
