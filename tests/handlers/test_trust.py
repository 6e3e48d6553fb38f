"""Whom a project's outputs are trusted from: where it comes from, until the user says otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat.v4
import pytest

from ..kernels.helpers import LEAN, Events
from ..projects.git_server import GitServer, make_repository
from ..support.server import Server
from .api import Api


@pytest.fixture(scope="module")
def api(make_server: Callable[..., Server]) -> Api:
    """A server that clones from loopback."""
    config = {"GitClone": {"allowed_schemes": ["http"]}, "RuntimeChoice": {"runtime": "bubblewrap"}}
    return Api(make_server(config=LEAN | config))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a repository with a notebook in it."""
    directory = tmp_path_factory.mktemp("git")
    make_repository(directory / "theirs.git", {"their.ipynb": json.dumps(notebook())})
    with GitServer(directory) as git:
        yield git.url("theirs.git")


def notebook() -> dict[str, Any]:
    html = nbformat.v4.new_output("display_data", data={"text/html": "<script>1</script>"})
    cell = nbformat.v4.new_code_cell("1", outputs=[html], execution_count=1)
    made: dict[str, Any] = nbformat.v4.new_notebook(cells=[cell])
    return made


def trusted(api: Api, project_id: str) -> bool:
    """What details and list say; they agree."""
    details = api.call("GET", f"/api/projects/{project_id}")
    listed = api.call("GET", "/api/projects?limit=1000")["projects"]
    assert [row["trusted"] for row in listed if row["project_id"] == project_id] == [
        details["trusted"]
    ]
    return bool(details["trusted"])


def say(api: Api, project_id: str, value: bool) -> None:
    path = f"/api/projects/{project_id}/trust"
    assert api.call("POST", path, json={"trusted": value})["trusted"] is value


def path_of(project_id: str, name: str) -> str:
    return f"/api/contents/workspaces/{project_id}/repo/{name}"


def cell_of(api: Api, path: str) -> bool:
    """Whether Jupyter says of the notebook's cell that it is trusted."""
    (cell,) = api.server.call("GET", path)["content"]["cells"]
    return bool(cell["metadata"].get("trusted"))


def copy(api: Api, project_id: str) -> str:
    path = f"/api/projects/{project_id}/duplicate"
    return str(api.call("POST", path, 201, json={})["project_id"])


def test_what_was_made_here_is_trusted(api: Api) -> None:
    for project_id in (api.create(), api.create(template="data-analysis")):
        assert trusted(api, project_id)
        assert trusted(api, copy(api, project_id))


def test_what_comes_from_elsewhere_is_not_until_the_user_says_so(api: Api, url: str) -> None:
    cloned = api.create(repo_url=url)
    archive = api.server.request("GET", f"/api/projects/{api.create()}/archive").content
    imported = api.call("POST", "/api/projects/import", 201, data=archive)["project_id"]
    for project_id in (cloned, imported):
        assert not trusted(api, project_id)
        assert not trusted(api, copy(api, project_id))
        with Events(api.server, "project") as events:
            say(api, project_id, True)
            assert trusted(api, project_id)
            assert trusted(api, copy(api, project_id))
            say(api, project_id, False)
            assert not trusted(api, project_id)
            for action in ("trusted", "distrusted"):
                assert events.wait_for(project_id, action)["actor"]


def test_trust_goes_to_the_trash_and_comes_back(api: Api, url: str) -> None:
    for project_id in (api.create(), api.create(repo_url=url)):
        before = trusted(api, project_id)
        api.call("DELETE", f"/api/projects/{project_id}")
        assert api.call("GET", f"/api/projects/{project_id}")["trusted"] is before
        api.call("POST", f"/api/projects/{project_id}/restore")
        assert trusted(api, project_id) is before


def test_a_project_can_not_bring_its_trust_along(api: Api, make_server: Callable[..., Any]) -> None:
    """A directory that somebody unpacked into the root: all in it is what another wrote."""
    project_id = api.create()
    other = Api(make_server(config=LEAN | {"RuntimeChoice": {"runtime": "bubblewrap"}}))
    shutil.copytree(api.server.root / project_id, other.server.root / project_id)
    notebook_at(other.server.root / project_id / "repo/a.ipynb")
    assert other.call("GET", f"/api/projects/{project_id}")["trusted"] is False
    assert not cell_of(other, path_of(project_id, "a.ipynb"))
    say(other, project_id, True)
    assert cell_of(other, path_of(project_id, "a.ipynb"))


def notebook_at(path: Path) -> None:
    path.write_text(json.dumps(notebook()))


# -- Jupyter's own trust of notebooks ------------------------------------------------------


def test_the_project_decides_for_its_notebooks(api: Api, url: str) -> None:
    project_id = api.create(repo_url=url)
    path = path_of(project_id, "their.ipynb")
    assert not cell_of(api, path)
    answer = api.server.request("POST", f"{path}/trust")
    assert answer.status_code == 403 and f"{project_id} is not trusted" in answer.text
    assert not cell_of(api, path)
    say(api, project_id, True)
    assert cell_of(api, path)
    api.server.call("POST", f"{path}/trust", 201)
    say(api, project_id, False)
    assert not cell_of(api, path)


def test_a_notebook_all_of_whose_cells_were_run_is_not_signed(api: Api, url: str) -> None:
    """Lab saves a cell that was just run as trusted; Jupyter would sign such a notebook."""
    project_id = api.create(repo_url=url)
    path = path_of(project_id, "their.ipynb")
    content = notebook()
    content["cells"][0]["metadata"]["trusted"] = True
    body = {"type": "notebook", "format": "json", "content": content}
    api.server.call("PUT", path, json=body)
    assert not cell_of(api, path)
    copied = api.server.call(
        "POST", "/api/contents", 201, json={"copy_from": path.removeprefix("/api/contents/")}
    )
    assert not cell_of(api, f"/api/contents/{copied['path']}")


def test_outside_of_projects_it_is_as_jupyter_does(api: Api) -> None:
    notebook_at(api.server.root_dir / "own.ipynb")
    assert not cell_of(api, "/api/contents/own.ipynb")
    api.server.call("POST", "/api/contents/own.ipynb/trust", 201)
    assert cell_of(api, "/api/contents/own.ipynb")


def test_a_project_that_can_not_be_read_is_not_trusted(api: Api) -> None:
    project_id = api.create()
    notebook_at(api.server.root / project_id / "repo/a.ipynb")
    assert cell_of(api, path_of(project_id, "a.ipynb"))
    file = api.server.root / project_id / ".project_metadata.json"
    whole = file.read_text()
    for damage in (whole[:-10], whole.replace('"trusted_in": "', '"trusted_in": "0')):
        file.write_text(damage)
        assert not cell_of(api, path_of(project_id, "a.ipynb"))
    file.write_text(whole)
    assert cell_of(api, path_of(project_id, "a.ipynb"))
