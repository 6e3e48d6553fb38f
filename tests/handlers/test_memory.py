"""REST for memory: files with their ETags, names of all kinds, private routes, own routes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
import requests

from ..kernels.helpers import LEAN
from ..support.server import TOKEN, Server
from .api import Api, raw, tree

HOT = "memory/memories/hot"


@pytest.fixture(scope="module")
def project(api: Api) -> str:
    return f"/api/projects/{api.create('memory')}"


def test_a_file_is_an_attachment_that_runs_nothing(api: Api, project: str) -> None:
    page = b"<script>alert(1)</script>"
    api.call("PUT", f"{project}/{HOT}/page.html", 201, data=page)
    answer = api.server.request("GET", f"{project}/{HOT}/page.html")
    assert answer.content == page
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''page.html"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"].replace(" ", "").split(";")


def test_etags(api: Api, project: str) -> None:
    path = f"{project}/{HOT}/tagged"
    put = api.send("PUT", path, data=b"one")
    assert put.status_code == 201 and put.headers["Location"].endswith(f"{HOT}/tagged")
    tag = put.json()["etag"]
    assert put.headers["ETag"] == tag and re.fullmatch(r'"[0-9a-f]{32}"', tag)
    got = api.server.request("GET", path)
    assert got.headers["ETag"] == tag
    again = api.server.request("GET", path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    api.refuse("PUT", path, 412, "precondition_failed", data=b"x", headers={"If-Match": '"no"'})
    api.refuse("PUT", path, 412, "file_exists", data=b"x", headers={"If-None-Match": "*"})
    api.refuse("PUT", path, 400, "invalid_input", data=b"x", headers={"If-None-Match": tag})
    new = f"{project}/{HOT}/new"
    api.refuse("PUT", new, 412, "precondition_failed", data=b"x", headers={"If-Match": "*"})
    api.call("PUT", new, 201, data=b"x", headers={"If-None-Match": "*"})
    two = api.call("PUT", path, 200, data=b"two", headers={"If-Match": f'"other", {tag}'})["etag"]
    assert two != tag and api.server.request("GET", path).content == b"two"
    api.call("PUT", path, 200, data=b"one", headers={"If-Match": "*"})
    # The same bytes have the same tag; that of a directory is none.
    assert api.server.request("GET", path).headers["ETag"] == tag
    assert "ETag" not in api.server.request("GET", f"{project}/{HOT}").headers


def test_two_writers_with_if_match_lose_nothing(api: Api, project: str) -> None:
    path = f"{project}/{HOT}/counter"
    api.call("PUT", path, 201, data=b"0")
    lost = 0
    for _ in range(20):
        both = [api.server.request("GET", path) for _ in range(2)]
        statuses = sorted(
            api.server.request(
                "PUT",
                path,
                data=b"%d" % (int(got.content) + 1),
                headers={"If-Match": got.headers["ETag"]},
            ).status_code
            for got in both
        )
        assert statuses == [200, 412]
        lost += 1
    assert api.server.request("GET", path).content == b"%d" % lost


NAMES = [b"plain", b"a b", b"caf\xc3\xa9.md", b"\xff\xfe", b"new\nline", b"%41", b"?q", b"#h", b"+",
         b"\x01\x7f", b"..x", b"a\\b", b"'\"<>", b"x" * 255]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
def test_any_name(api: Api, project: str, name: bytes) -> None:
    encoded = quote_from_bytes(name, safe="")
    path = f"/{HOT.removeprefix('memory/')}/names/{encoded}"
    made = raw(api.server, "PUT", f"{project}/memory{path}", name)
    assert made.status == 201
    listed = {e["path"]: e for e in api.call("GET", f"{project}/{HOT}/names")["entries"]}
    entry = listed[json.loads(made.body)["path"]]
    assert entry["name"] == name.decode("utf-8", "replace") and entry["size"] == len(name)
    got = raw(api.server, "GET", f"{project}/memory{entry['path']}")
    assert (got.status, got.body) == (200, name)
    assert raw(api.server, "DELETE", f"{project}/memory{entry['path']}").status == 200
    gone = raw(api.server, "GET", f"{project}/memory{entry['path']}")
    assert (gone.status, gone.json()["error"]) == (404, "file_not_found")


WAYS_OUT = ["..", "%2e%2e", "%2e%2e%2fx", "a/../../x", "a%00b", "./x", "%2e", "a//b", "a/%2e%2e/x"]
WAYS_OUT += ["x" * 256, "d/" * 2100 + "x", "../../../etc/passwd", "%2fetc%2fpasswd", "/etc/passwd"]


@pytest.mark.parametrize("path", WAYS_OUT, ids=lambda path: path[:20])
def test_ways_out(api: Api, project: str, path: str) -> None:
    before = tree(api.server.root)
    for method in ("GET", "PUT", "DELETE"):
        answer = raw(api.server, method, f"{project}/{HOT}/{path}", b"x")
        assert answer.status == 400, (method, answer.body)
        assert answer.json()["error"] in ("invalid_path", "bad_request")
    for method in ("GET", "PUT", "DELETE"):
        answer = raw(api.server, method, f"{project}/memory/nowhere/{path}", b"x")
        assert answer.status in (400, 404)
    assert tree(api.server.root) == before


def test_directories(api: Api, project: str) -> None:
    api.call("PUT", f"{project}/{HOT}/d/e/f", 201, data=b"x")
    api.refuse("PUT", f"{project}/{HOT}/d", 400, "is_directory", data=b"x")
    api.refuse("PUT", f"{project}/{HOT}/d/", 400, "is_directory", data=b"x")
    api.refuse("PUT", f"{project}/{HOT}/d/e/f/g", 400, "invalid_path", data=b"x")
    api.refuse("GET", f"{project}/{HOT}/d/e/f/", 400, "invalid_path")
    listing = api.call("GET", f"{project}/{HOT}/d/")
    assert listing == api.call("GET", f"{project}/{HOT}/d")
    assert [(e["name"], e["type"], e["size"]) for e in listing["entries"]] == [
        ("e", "directory", None)
    ]
    api.refuse("DELETE", f"{project}/{HOT}", 400, "invalid_path")
    api.refuse("DELETE", f"{project}/memory/workspace/", 400, "invalid_path")
    api.call("DELETE", f"{project}/{HOT}/d")
    api.refuse("DELETE", f"{project}/{HOT}/d", 404, "file_not_found")
    top = api.call("GET", f"{project}/memory/")
    assert [e["path"] for e in top["entries"]] == ["/memories", "/tmp", "/workspace"]


def test_too_large(api: Api, project: str) -> None:
    path = f"{project}/{HOT}/large"
    api.call("PUT", path, 201, data=bytes(16 << 20))
    api.refuse("PUT", path, 413, "too_large", data=bytes((16 << 20) + 1))
    assert len(api.server.request("GET", path).content) == 16 << 20
    workspace = Path(api.call("GET", project)["workspace_path"])
    with (workspace / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    api.refuse("GET", f"{project}/memory/workspace/sparse", 413, "too_large")
    (workspace / "sparse").unlink()
    os.mkfifo(workspace / "pipe")
    api.refuse("GET", f"{project}/memory/workspace/pipe", 400, "invalid_path")
    api.call("DELETE", path)


def test_a_cookie_alone_does_not_get_a_file_into_a_foreign_page(api: Api, project: str) -> None:
    """As with Jupyter's own `/files/`."""
    url = api.server.url
    api.call("PUT", f"{project}/{HOT}/private", 201, data=b"x")
    browser = requests.Session()
    browser.get(f"{url}/login", params={"token": TOKEN}, timeout=30)
    path = f"{url}{project}/{HOT}/private"
    assert browser.get(path, timeout=30).status_code == 403
    foreign = {"Referer": "http://evil.example/"}
    assert browser.get(path, headers=foreign, timeout=30).status_code == 403
    assert browser.get(path, headers={"Referer": url + "/lab"}, timeout=30).content == b"x"
    token = {"X-XSRFToken": browser.cookies["_xsrf"]}
    assert browser.get(path, headers=token, timeout=30).content == b"x"
    assert browser.put(path, data=b"y", timeout=30).status_code == 403
    assert browser.delete(path, timeout=30).status_code == 403
    assert api.server.request("GET", f"{project}/{HOT}/private").content == b"x"


def test_a_session_s_private_route(api: Api) -> None:
    project_id = api.create("private")
    path = f"/api/projects/{project_id}"
    one, two = (api.server.start_session(project_id) for _ in range(2))
    query = f"?session_id={one['session_id']}"
    api.call("PUT", f"{path}/memory/tmp/note{query}", 201, data=b"of one")
    with api.server.kernel(one["kernel_id"]) as kernel:
        assert kernel.check("print(open('/tmp/note').read())") == "of one\n"
        kernel.check("open('/tmp/said', 'w').write('hello')")
    got = api.server.request("GET", f"{path}/memory/tmp/said{query}")
    assert got.content == b"hello"
    api.refuse("GET", f"{path}/memory/tmp/note", 400, "session_required")
    other = f"?session_id={two['session_id']}"
    api.refuse("GET", f"{path}/memory/tmp/note{other}", 404, "file_not_found")
    routes = {r["prefix"]: r for r in api.call("GET", f"{path}/memory{query}")["routes"]}
    assert routes["/tmp/"]["files"] >= 2 and routes["/tmp/"]["type"] == "state"
    routes = {r["prefix"]: r for r in api.call("GET", f"{path}/memory")["routes"]}
    assert routes["/tmp/"]["files"] is None
    # Another project's session is none of this one's.
    foreign = api.create("foreign")
    api.refuse("GET", f"/api/projects/{foreign}/memory/tmp/note{query}", 404, "session_not_found")
    for session in (one, two):
        api.server.end_session(session)
    api.refuse("GET", f"{path}/memory/tmp/note{query}", 404, "session_not_found")
    api.refuse("GET", f"{path}/memory/tmp/note?session_id=..", 404, "session_not_found")


def test_a_project_s_own_routes(api: Api) -> None:
    routes = {"/notes/": "store", "/docs/": {"type": "filesystem", "root": "repo/docs"}}
    project_id = api.create("routed", agent_backend_routes=routes)
    path = f"/api/projects/{project_id}"
    details = api.call("GET", path)
    assert details["config"]["agent_backend_routes"] == routes
    api.call("PUT", f"{path}/memory/notes/a", 201, data=b"1")
    api.call("PUT", f"{path}/memory/docs/b", 201, data=b"22")
    assert Path(details["workspace_path"], "docs/b").read_bytes() == b"22"
    assert api.server.request("GET", f"{path}/{HOT}/notes/a").content == b"1"
    session = api.server.start_session(project_id)
    with api.server.kernel(session["kernel_id"]) as kernel:
        assert kernel.check("print(open('/memories/hot/notes/a').read())") == "1\n"
    api.server.end_session(session)
    listed = api.call("GET", f"{path}/memory")["routes"]
    found = {r["prefix"]: (r["type"], r["files"]) for r in listed}
    assert found["/notes/"] == ("store", 1) and found["/docs/"] == ("filesystem", 1)


@pytest.mark.parametrize(
    ("routes", "named"),
    [
        ({"/x/": "tape"}, 'agent_backend_routes["/x/"] must be one of filesystem, store, state'),
        ({"x": "store"}, 'agent_backend_routes["x"] is no prefix'),
        ({"/a/../b/": "store"}, 'agent_backend_routes["/a/../b/"] is no prefix'),
        ({"/x/": {"type": "filesystem", "root": "/etc"}}, 'agent_backend_routes["/x/"]["root"]'),
        ({"/x/": {"type": "filesystem", "root": "../.."}}, 'agent_backend_routes["/x/"]["root"]'),
        ({"/x/": {"type": "store", "size": 1}}, 'agent_backend_routes["/x/"]["size"] is unknown'),
        ({"/workspace/": "store"}, 'agent_backend_routes["/workspace/"] is mounted into every'),
    ],
)
def test_routes_that_are_none(api: Api, routes: dict[str, Any], named: str) -> None:
    body = {"user_prefix": "wrong", "agent_backend_routes": routes}
    message = api.refuse("POST", "/api/projects", 400, "invalid_routes", json=body)
    assert message.startswith(named)
    assert not list(api.server.root.glob("wrong-*"))


def test_the_administrator_s_routes_and_directories(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/fact").write_text("42")
    shared = {"/shared/": {"type": "filesystem", "root": str(tmp_path / "shared")}}
    settings = {"allowed_roots": [str(tmp_path)], "agent_backend_routes": shared}
    api = Api(make_server(config=LEAN | {"MemorySettings": settings}))
    one, two = (f"/api/projects/{api.create('admin')}" for _ in range(2))
    assert api.server.request("GET", f"{one}/memory/shared/fact").content == b"42"
    api.call("PUT", f"{two}/memory/shared/more", 201, data=b"x")
    assert api.server.request("GET", f"{one}/memory/shared/more").content == b"x"
    own = {"/mine/": {"type": "filesystem", "root": str(tmp_path / "mine")}}
    api.create("own", agent_backend_routes=own)


def test_writing_is_an_access_and_reading_is_none(api: Api) -> None:
    path = f"/api/projects/{api.create('access')}"

    def accessed() -> str:
        return str(api.call("GET", path)["last_accessed"])

    before = accessed()
    api.call("GET", f"{path}/{HOT}")
    api.call("GET", f"{path}/memory")
    api.call("GET", f"{path}/snapshots")
    assert accessed() == before
    api.call("PUT", f"{path}/{HOT}/a", 201, data=b"x")
    written = accessed()
    api.call("DELETE", f"{path}/{HOT}/a")
    assert before < written < accessed()


# -- snapshots -----------------------------------------------------------------------------


def test_history_diff_and_the_way_back(api: Api) -> None:
    path = f"/api/projects/{api.create('history')}"
    assert api.call("POST", f"{path}/snapshots") == {
        "generation": None, "created": False, "files": 0, "bytes": 0, "skipped": []
    }  # fmt: skip
    api.call("PUT", f"{path}/{HOT}/plan.md", 201, data=b"one\ntwo\nthree\n")
    api.call("PUT", f"{path}/{HOT}/gone", 201, data=b"x")
    api.call("PUT", f"{path}/{HOT}/binary", 201, data=b"\0\1\2")
    first = api.send("POST", f"{path}/snapshots")
    assert first.headers["Location"].endswith(f"{path}/snapshots/1")
    api.refuse("GET", f"{path}/snapshots/1/diff", 409, "no_earlier_snapshot")
    api.call("PUT", f"{path}/{HOT}/plan.md", 200, data=b"one\n2\nthree\n")
    api.call("PUT", f"{path}/{HOT}/binary", 200, data=b"\0\1\2\3")
    api.call("DELETE", f"{path}/{HOT}/gone")
    api.call("PUT", f"{path}/{HOT}/caf%C3%A9", 201, data=b"new")
    api.call("POST", f"{path}/snapshots", 201)

    diff = api.call("GET", f"{path}/snapshots/2/diff")
    assert (diff["from"], diff["to"], diff["more"]) == (1, 2, 0)
    assert [(c["path"], c["name"]) for c in diff["added"]] == [("caf%C3%A9", "café")]
    assert [c["name"] for c in diff["removed"]] == ["gone"]
    binary, plan = diff["changed"]
    assert binary["note"] == "it is not text" and binary["diff"] is None
    assert (binary["before"]["size"], binary["after"]["size"]) == (3, 4)
    assert plan["diff"] == (
        "--- a/plan.md\n+++ b/plan.md\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    )
    back = api.call("GET", f"{path}/snapshots/1/diff?against=2")
    assert [c["name"] for c in back["removed"]] == ["café"]
    same = api.call("GET", f"{path}/snapshots/2/diff?against=2")
    assert not same["added"] + same["removed"] + same["changed"]
    api.refuse("GET", f"{path}/snapshots/2/diff?against=x", 400, "invalid_input")
    api.refuse("GET", f"{path}/snapshots/2/diff?against=7", 404, "snapshot_not_found")

    details = api.call("GET", f"{path}/snapshots/2")
    assert {e["name"]: e["size"] for e in details["entries"]} == {
        "plan.md": 12, "binary": 4, "café": 3
    }  # fmt: skip
    api.call("PUT", f"{path}/{HOT}/later", 201, data=b"not in a snapshot yet")
    restored = api.call("POST", f"{path}/snapshots/1/restore")
    assert (restored["generation"], restored["files"], restored["undo"]) == (1, 3, 3)
    assert not restored["lost"] + restored["recovered"] + restored["damaged"]
    names = [e["name"] for e in api.call("GET", f"{path}/{HOT}")["entries"]]
    assert names == ["binary", "gone", "plan.md"]
    api.call("POST", f"{path}/snapshots/{restored['undo']}/restore")
    assert api.server.request("GET", f"{path}/{HOT}/later").content == b"not in a snapshot yet"
    api.refuse("POST", f"{path}/snapshots/7/restore", 404, "snapshot_not_found")
    for odd in ("0", "-1", "x", "1.5", "%31%2f", "123456789", "99999999"):
        answer = raw(api.server, "GET", f"{path}/snapshots/{odd}")
        assert answer.status == 404, odd


def test_a_restore_is_seen_by_a_running_session(api: Api) -> None:
    project_id = api.create("running")
    path = f"/api/projects/{project_id}"
    session = api.server.start_session(project_id)
    with api.server.kernel(session["kernel_id"]) as kernel:
        kernel.check("open('/memories/hot/a', 'w').write('1')")
        api.call("POST", f"{path}/snapshots", 201)
        kernel.check("open('/memories/hot/a', 'w').write('2'); open('/memories/hot/b', 'w')")
        api.call("POST", f"{path}/snapshots/1/restore")
        assert kernel.check("print(open('/memories/hot/a').read())") == "1\n"
        assert kernel.check("import os; print(os.listdir('/memories/hot'))") == "['a']\n"
        kernel.check("open('/memories/hot/c', 'w').write('still mounted')")
    assert api.server.request("GET", f"{path}/{HOT}/c").content == b"still mounted"
    api.server.end_session(session)


def test_a_damaged_snapshot_is_told(api: Api) -> None:
    project_id = api.create("damaged")
    path = f"/api/projects/{project_id}"
    api.call("PUT", f"{path}/{HOT}/a", 201, data=b"1")
    api.call("POST", f"{path}/snapshots", 201)
    manifest = api.server.root / project_id / ".memories/hot/00000001/manifest"
    manifest.chmod(0o600)
    manifest.write_bytes(manifest.read_bytes().replace(b'"size":1', b'"size":2'))
    api.refuse("GET", f"{path}/snapshots/1", 409, "snapshot_damaged")
    api.refuse("POST", f"{path}/snapshots/1/restore", 409, "snapshot_damaged")
    assert api.server.request("GET", f"{path}/{HOT}/a").content == b"1"
