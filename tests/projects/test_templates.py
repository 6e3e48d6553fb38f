"""Templates on disk: which there are, what is copied of them, and what is refused."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.exceptions import CognitionError, Conflict, InvalidInput, RuntimeUnavailable
from cognition_jupyter.models import CreateProject
from cognition_jupyter.projects.template_files import MAX_DEPTH
from cognition_jupyter.projects.templates import ProjectTemplates

from .store_support import get, leftovers, on_disk, opened, projects_of, run

SHIPPED = ["data-analysis", "empty", "python-package"]
NOBODYS = [
    "nothing",
    "../mine",
    "./mine",
    "mine/",
    "mine/files",
    "/etc",
    "..",
    ".",
    "mine\nmine",
    "Mine",
]


def write(directory: Path, name: str = "mine", **said: Any) -> Path:
    template = directory / name
    (template / "files").mkdir(parents=True)
    (template / "template.json").write_text(json.dumps({"title": "Mine", **said}))
    return template


def templates(*paths: Path, **traits: Any) -> ProjectTemplates:
    return ProjectTemplates(template_paths=[*map(str, paths)], **traits)


def names(found: ProjectTemplates) -> list[str]:
    return [template.name for template in run(found.all())]


def create(root: Path, found: ProjectTemplates, name: str = "mine", **fields: Any) -> Path:
    """A project made from the template; its directory."""
    with opened(root) as store:
        request = CreateProject(user_prefix="t", template=name, **fields)
        details = run(projects_of(store, found).create(request))
        return store.paths(details["project_id"]).project


def broken(found: ProjectTemplates, name: str = "mine") -> str:
    """The reason with which it is listed, and with which its use is refused."""
    reason = next(template.broken for template in run(found.all()) if template.name == name)
    assert reason is not None
    with pytest.raises(Conflict) as caught:
        run(found.get(name))
    assert caught.value.code == "template_broken" and reason in caught.value.message
    return str(reason)


def test_three_ship_and_all_are_whole() -> None:
    found = run(ProjectTemplates().all())
    assert [template.name for template in found] == SHIPPED
    assert not any(template.broken for template in found)


def test_the_first_path_wins_and_the_shipped_ones_come_last(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "empty", title="Of one")
    write(two, "empty", title="Of two")
    write(two, "mine")
    found = templates(one, two)
    assert names(found) == sorted([*SHIPPED, "mine"])
    assert run(found.get("empty")).title == "Of one"


def test_a_path_that_is_not_there_hides_nothing(tmp_path: Path) -> None:
    assert names(templates(tmp_path / "nothing")) == SHIPPED


def test_one_that_can_t_be_looked_at_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    mine = [f"mine-{number}" for number in range(8)]  # in an order that the disk chooses
    for name in mine:
        write(tmp_path, name)
    found = templates(tmp_path)
    assert names(found) == sorted([*SHIPPED, *mine, "circle"])
    assert "symbolic link" in broken(found, "circle")


@pytest.mark.parametrize("path", ["/tmp/a\0b", "/dev/null"])
def test_a_path_that_is_none_hides_nothing(path: str) -> None:
    assert names(templates(Path(path))) == SHIPPED


def test_what_is_no_template_is_not_listed(tmp_path: Path) -> None:
    write(tmp_path, ".hidden")
    write(tmp_path, "a b")
    write(tmp_path, "x" * 65)
    (tmp_path / "README").write_text("about them")
    assert names(templates(tmp_path)) == SHIPPED


@pytest.mark.parametrize("name", NOBODYS)
def test_an_unknown_name_is_refused_with_those_there_are(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        run(templates(tmp_path).get(name))
    assert caught.value.code == "unknown_template"
    assert caught.value.message.endswith("there are: data-analysis, empty, mine, python-package.")
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "EOF"),
        ("[]", "dictionary"),
        ("{}", "title"),
        ('{"title": ""}', "title"),
        ('{"title": "a", "postcreate": "true"}', "postcreate"),
        ('{"title": "a", "post_create": ""}', "post_create"),
        ('{"title": "a", "post_create": ["true"]}', "post_create"),
        ('{"title": "a", "defaults": {"network_mode": "on"}}', "defaults.network_mode"),
        ('{"title": "a", "defaults": {"repo_url": "x"}}', "defaults.repo_url"),
        ('{"title": "a", "description": "\\u0000"}', "description"),
        ("[" * 100_000, "template.json can't be read"),
        ('{"title": "' + "a" * 70_000 + '"}', "too large"),
    ],
)
def test_a_wrong_description_is_listed_with_its_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    (write(tmp_path) / "template.json").write_text(text)
    assert reason in broken(templates(tmp_path))
    assert run(templates(tmp_path).get("empty")).title == "Empty"


def test_descriptions_that_are_no_files(tmp_path: Path) -> None:
    (write(tmp_path, "none") / "template.json").unlink()
    (write(tmp_path, "fifo") / "template.json").unlink()
    os.mkfifo(tmp_path / "fifo/template.json")
    (write(tmp_path, "link") / "template.json").unlink()
    (tmp_path / "link/template.json").symlink_to("/etc/passwd")
    found = templates(tmp_path)
    assert "No such file" in broken(found, "none")
    assert "not a regular file" in broken(found, "fifo")
    assert "symbolic link" in broken(found, "link")


def test_a_template_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere")
    (tmp_path / "paths").mkdir()
    (tmp_path / "paths/mine").symlink_to(tmp_path / "elsewhere/mine")
    assert "symbolic link" in broken(templates(tmp_path / "paths"))


# -- files ---------------------------------------------------------------------------------


def test_files_come_with_their_modes_and_links_as_links(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the server")
    files = write(tmp_path / "t") / "files"
    (files / "bin").mkdir()
    (files / "bin/run").write_text("#!/bin/sh\n")
    (files / "bin/run").chmod(0o6755)
    (files / "bin").chmod(0o3775)
    (files / "plain").write_text("p")
    (files / "plain").chmod(0o444)
    (files / "out").symlink_to(secret)
    (files / "folder").symlink_to("/etc")
    (files / "nowhere").symlink_to("nothing")
    (files / "line\nbreak").write_bytes(b"\0")
    os.link(files / "plain", files / "second name")
    repo = create(tmp_path / "root", templates(tmp_path / "t")) / "repo"
    assert sorted(p.name for p in repo.iterdir()) == sorted(p.name for p in files.iterdir())
    assert stat.S_IMODE((repo / "bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((repo / "bin").stat().st_mode) == 0o775
    assert stat.S_IMODE((repo / "plain").stat().st_mode) == 0o644
    assert (repo / "plain").stat().st_nlink == 1
    for link in ("out", "folder", "nowhere"):
        assert (repo / link).readlink() == (files / link).readlink()
    assert (repo / "line\nbreak").read_bytes() == b"\0"


def test_without_files_the_workspace_is_empty(tmp_path: Path) -> None:
    (write(tmp_path / "t") / "files").rmdir()
    assert not [*(create(tmp_path / "root", templates(tmp_path / "t")) / "repo").iterdir()]


def test_what_python_has_compiled_is_left_out(tmp_path: Path) -> None:
    files = write(tmp_path / "t") / "files"
    (files / "src/__pycache__").mkdir(parents=True)
    (files / "src/__pycache__/a.pyc").touch()
    repo = create(tmp_path / "root", templates(tmp_path / "t", max_entries=1)) / "repo"
    assert [path.name for path in repo.rglob("*")] == ["src"]


def refused(tmp_path: Path, code: str = "template_broken", **traits: Any) -> str:
    """No project can be made of it, and nothing is left; the sentence."""
    root = tmp_path / "root"
    with pytest.raises(CognitionError) as caught:
        create(root, templates(tmp_path / "t", **traits))
    assert caught.value.code == code
    assert not on_disk(root) and not leftovers(root)
    return caught.value.message


def test_special_files_are_refused(tmp_path: Path) -> None:
    files = write(tmp_path / "t") / "files"
    (files / "a").mkdir()
    os.mkfifo(files / "a/pipe")
    assert "'a/pipe' is not a file" in refused(tmp_path)


def test_files_that_are_a_link_are_refused(tmp_path: Path) -> None:
    template = write(tmp_path / "t")
    (template / "files").rmdir()
    (template / "files").symlink_to("/etc")
    assert "files/" in refused(tmp_path)


def test_what_is_too_much_is_refused(tmp_path: Path) -> None:
    files = write(tmp_path / "t") / "files"
    for number in range(5):
        (files / f"f{number}").write_bytes(b"x" * 100)
    assert "5 entries" not in refused(tmp_path, max_entries=4)
    assert "too large" in refused(tmp_path, max_bytes=499)
    create(tmp_path / "other", templates(tmp_path / "t", max_entries=5, max_bytes=500))
    with (files / "f0").open("r+b") as file:
        file.truncate(1 << 40)  # has no blocks, and would fill the disk
    assert "too large" in refused(tmp_path, max_bytes=1 << 20)


def test_a_tree_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    files = write(tmp_path / "t") / "files"
    files.joinpath(*["d"] * (MAX_DEPTH + 1)).mkdir(parents=True)
    assert "in each other" in refused(tmp_path)


# -- metadata ------------------------------------------------------------------------------

DEFAULTS = {
    "network_mode": "ON",
    "container_image": "lab:1",
    "agent_model": "m",
    "keep_packages": False,
    "tags": ["x"],
    "description": "d",
    "cleanup_after_days": 9,
}


def made(tmp_path: Path, **fields: Any) -> dict[str, Any]:
    write(tmp_path / "t", defaults=DEFAULTS)
    project = create(tmp_path / "root", templates(tmp_path / "t"), **fields)
    with opened(tmp_path / "root") as store:
        metadata = get(store, project.name)
    return metadata.config.model_dump() | metadata.model_dump()


def test_the_template_says_what_the_request_does_not(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert {name: found[name] for name in DEFAULTS} == DEFAULTS
    assert found["template"] == "mine"


def test_the_request_wins_also_with_null_and_the_usual_value(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "network_mode": "OFF",
        "container_image": None,
        "agent_model": None,
        "keep_packages": True,
        "tags": [],
        "description": "",
        "cleanup_after_days": None,
    }
    found = made(tmp_path, **fields)
    assert {name: found[name] for name in fields} == fields


def test_a_repository_beside_a_template_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t")
    with pytest.raises(InvalidInput, match="not both"):
        create(tmp_path / "root", templates(tmp_path / "t"), repo_url="https://example.org/a.git")


def test_a_command_without_anybody_who_could_run_it_makes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "t", post_create="true")
    with pytest.raises(RuntimeUnavailable, match="can't be run here"):
        create(tmp_path / "root", templates(tmp_path / "t"))
    assert not on_disk(tmp_path / "root")
