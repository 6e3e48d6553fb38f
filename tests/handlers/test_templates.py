"""Projects from templates over REST: the shipped ones do what they say, in real containers."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from ..support.server import Server
from .api import Api

TIMEOUT = 8
COMMANDS = {
    "good": "id -u > user; pwd > place; cat given; echo kept > /memories/persistent/note",
    "fails": "echo first; printf 'so it is\\n\\033[31m\\n' >&2; exit 7",
    "silent": "exit 1",
    "loud": "yes 0123456789 | head -c 100000000; echo the end; exit 3",
    "endless": "echo begun; sleep 1000",
    "leaves": "setsid sleep 1000 > /dev/null 2>&1 & exit 0",
    "kills": "kill -9 $PPID; sleep 1000",
    "waits": "touch begun; while [ ! -e go ]; do sleep 0.1; done",
    "network": "python3 -c 'import os; print(os.listdir(\"/sys/class/net\"))' > net",
}


def write(directory: Path, name: str, **said: Any) -> None:
    files = directory / name / "files"
    files.mkdir(parents=True)
    (files / "given").write_text("by the template\n")
    (directory / name / "template.json").write_text(json.dumps({"title": name, **said}))


@pytest.fixture(scope="module")
def api(
    make_server: Callable[..., Server],
    engine: docker.DockerClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Api:
    directory = tmp_path_factory.mktemp("templates")
    for name, command in COMMANDS.items():
        write(directory, name, post_create=command)
    write(directory, "not-allowed", defaults={"container_image": "nobody/allows:this"})
    write(directory, "damaged", titel="x")
    traits = {"template_paths": [str(directory)], "post_create_timeout": TIMEOUT}
    return Api(make_server(config={"ProjectTemplates": traits}))


@pytest.fixture
def nothing_left(api: Api, engine: docker.DockerClient) -> Iterator[None]:
    """No project, no container and no kernel more than before."""

    def there() -> tuple[set[str], set[str], list[Any]]:
        uuid = json.loads((api.server.root / ".cognition/root.json").read_text())["uuid"]
        label = {"label": f"cognition.root={uuid}"}
        containers = {c.id for c in engine.containers.list(all=True, filters=label)}
        places = {str(p) for p in api.server.root.glob("*/*") if ".cognition" not in str(p)}
        return places, containers, api.server.call("GET", "/api/kernels")

    before = there()
    yield
    assert there() == before


def make(api: Api, name: str, **fields: Any) -> dict[str, Any]:
    body = {"user_prefix": "made", "template": name, **fields}
    details: dict[str, Any] = api.call("POST", "/api/projects", 201, json=body)
    return details


def refuse(api: Api, name: str, status: int, code: str, **fields: Any) -> str:
    body = {"user_prefix": "made", "template": name, **fields}
    return api.refuse("POST", "/api/projects", status, code, json=body)


def output(api: Api, details: dict[str, Any], code: str) -> str:
    """What code says in a session of the project, with no network."""
    session = api.server.start_session(details["project_id"], network_mode="OFF")
    try:
        with api.server.kernel(session["kernel_id"]) as kernel:
            return str(kernel.check(code))
    finally:
        api.server.end_session(session)


def test_they_are_listed(api: Api) -> None:
    rows = {row["name"]: row for row in api.call("GET", "/api/templates")["templates"]}
    assert {"empty", "python-package", "data-analysis", "good"} <= rows.keys()
    assert rows["good"]["post_create"] == COMMANDS["good"] and rows["good"]["broken"] is None
    assert "titel" in rows["damaged"]["broken"] or "title" in rows["damaged"]["broken"]
    assert "site-packages" not in str(rows)


def test_the_empty_one_is_empty(api: Api) -> None:
    details = make(api, "empty")
    assert not [*Path(details["workspace_path"]).iterdir()]
    assert details["config"]["template"] == "empty" and details["sessions"] == []


def test_the_package_s_tests_pass_in_a_session(api: Api) -> None:
    details = make(api, "python-package", tags=["mine"])
    assert details["tags"] == ["mine"] and details["status"] == "idle"
    said = output(
        api, details, "!(python3 -m pytest -q --color=no; git status --short --branch) | cat"
    )
    assert "4 passed" in said and "No commits yet on main" in said


def test_the_notebook_runs_from_top_to_bottom_in_a_session(api: Api) -> None:
    details = make(api, "data-analysis")
    assert details["tags"] == ["data"]
    notebook = json.loads((Path(details["workspace_path"]) / "analysis.ipynb").read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert not any(c.get("outputs") for c in notebook["cells"])
    said = output(api, details, "\n".join(cells[:-1]) + "\n" + cells[-1] + "\nprint('to the end')")
    assert "28 rows" in said and "harbour" in said and said.endswith("to the end\n")


def test_the_command_runs_in_a_container_on_the_new_project(api: Api, nothing_left: None) -> None:
    details = make(api, "good")
    project = Path(details["workspace_path"]).parent
    assert (project / "repo/place").read_text() == "/workspace\n"
    assert (project / "repo/user").read_text() != "0\n"
    assert (project / ".memories/persistent/note").read_text() == "kept\n"
    (record,) = details["sessions"]
    assert record["reason"] == "client" and details["active_sessions"] == 0
    assert details["statistics"]["total_sessions"] == 1
    api.call("DELETE", f"/api/projects/{details['project_id']}?permanent=true")


def test_it_has_the_project_s_network_mode(api: Api) -> None:
    details = make(api, "network")
    assert (Path(details["workspace_path"]) / "net").read_text() == "['lo']\n"
    assert details["sessions"][0]["network_mode"] == "OFF"


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fails", "fails ended with status 7: first so it is [31m."),
        ("silent", "silent ended with status 1."),
        ("loud", "the end."),
        ("endless", f"endless was not done within {TIMEOUT} s: begun."),
        ("kills", "kills could not be run:"),
    ],
)
def test_when_the_command_fails_there_is_no_project(api: Api, name: str, said: str) -> None:
    message = refuse(api, name, 502, "post_create_failed")
    assert said in message and len(message) < 500


def test_what_the_command_leaves_running_ends_with_its_container(
    api: Api, nothing_left: None
) -> None:
    details = make(api, "leaves")
    api.call("DELETE", f"/api/projects/{details['project_id']}?permanent=true")


@pytest.mark.usefixtures("nothing_left")
def test_what_can_t_be_used_makes_nothing(api: Api) -> None:
    assert "good" in refuse(api, "nothing", 400, "unknown_template")
    for name in ("../good", "good/..", "/etc", ".", "good "):
        refuse(api, name, 400, "unknown_template")
    refuse(api, "g\0od", 400, "invalid_input")
    refuse(api, "damaged", 409, "template_broken")
    refuse(api, "not-allowed", 403, "image_not_allowed")
    refuse(api, "empty", 400, "invalid_input", repo_url="https://example.org/a.git")


def begun(api: Api, before: set[Path]) -> Path:
    """The project whose command is at work."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in {*api.server.root.glob("made-*")} - before:
            if (path / "repo/begun").exists():
                return path
        time.sleep(0.05)
    raise AssertionError("no command has begun")


def test_a_project_that_is_deleted_while_its_command_runs(api: Api, nothing_left: None) -> None:
    before = {*api.server.root.glob("made-*")}
    said: list[str] = []
    work = threading.Thread(
        target=lambda: said.append(refuse(api, "waits", 502, "post_create_failed"))
    )
    work.start()
    path = begun(api, before)
    other = Api(api.server)
    other.refuse("DELETE", f"/api/projects/{path.name}", 409, "active_sessions")
    # Whose request removes it is open: the command's end takes it back, too.
    answer = other.send("DELETE", f"/api/projects/{path.name}?force=true&permanent=true")
    assert answer.status_code in (200, 404)
    work.join(60)
    assert said and not path.exists()


def waiting(server: Server, tmp_path: Path) -> Path:
    """A server with a template whose command has begun; the project it is at work in."""
    write(tmp_path, "waits", post_create=COMMANDS["waits"])
    server.config = {"ProjectTemplates": {"template_paths": [str(tmp_path)]}}
    server.start()
    api = Api(server)

    def ask() -> None:
        body = {"user_prefix": "made", "template": "waits"}
        with contextlib.suppress(requests.ConnectionError):
            server.request("POST", "/api/projects", json=body)

    threading.Thread(target=ask, daemon=True).start()
    return begun(api, set())


def containers(engine: docker.DockerClient, project: Path) -> list[Any]:
    label = {"label": f"cognition.project={project.name}"}
    return [*engine.containers.list(all=True, filters=label)]


def test_a_server_that_stops_while_a_command_runs_takes_the_project_back(
    make_server: Callable[..., Server], engine: docker.DockerClient, tmp_path: Path
) -> None:
    server = make_server(start=False)
    project = waiting(server, tmp_path)
    assert containers(engine, project)
    server.stop()
    assert not project.exists() and not containers(engine, project)
    assert not [*server.root.glob(".trash/*")] and "Traceback" not in server.log.read_text()


def test_a_server_that_is_killed_while_a_command_runs(
    make_server: Callable[..., Server], engine: docker.DockerClient, tmp_path: Path
) -> None:
    server = make_server(start=False)
    project = waiting(server, tmp_path)
    server.kill()
    server.start()
    api, path = Api(server), f"/api/projects/{project.name}"
    deadline = time.monotonic() + 60
    while api.call("GET", path)["active_sessions"] and time.monotonic() < deadline:
        time.sleep(0.1)
    details = api.call("GET", path)
    assert [s["reason"] for s in details["sessions"]] == ["server_stopped"]
    assert details["config"]["template"] == "waits" and (project / "repo/given").exists()
    assert not containers(engine, project)


def test_where_nothing_can_run_it_nothing_is_made(make_server: Callable[..., Server]) -> None:
    dead = {"DockerRuntime": {"base_url": "unix:///nowhere/docker.sock"}}
    server = make_server(config={"RuntimeChoice": {"runtime": "docker"}, **dead})
    api = Api(server)
    refuse(api, "python-package", 503, "runtime_unavailable")
    assert api.call("GET", "/api/projects") == {"projects": [], "total": 0}
    assert not [*server.root.glob("*-*")]
    make(api, "empty")
