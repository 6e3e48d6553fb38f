"""The site has every trait, route, event and command, found here another way; its links work.

All tests of built pages are in this file: each process that runs tests of it would build them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

import cognition_jupyter
from cognition_jupyter.cli import CognitionCommand
from cognition_jupyter.cli.base import Command

from ..handlers.contract import described, served
from .site import Site, rows

PACKAGE = Path(cognition_jupyter.__file__).parent
SOURCES = [path for path in PACKAGE.rglob("*.py") if "templates" not in path.parts]
SCHEMAS = sorted((PACKAGE / "event_schemas").glob("*/*.yaml"))


def classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield path, node


def traits(commands: bool) -> set[str]:
    """Whatever the sources tag with `config=True`, of commands or of everything else."""
    return {
        f"{owner.name}.{ast.unparse(node.targets[0])}"
        for path, owner in classes()
        if ("cli" in path.parts) is commands
        for node in owner.body
        if isinstance(node, ast.Assign) and ".tag(config=True)" in ast.unparse(node.value)
    }


def test_every_trait(site: Site) -> None:
    terms = {
        term.removeprefix("c."): about for term, about in site.page("configuration").terms().items()
    }
    assert set(terms) == traits(commands=False)
    for term, about in terms.items():
        kind, _, text = about.partition(" default ")
        assert kind and len(text.split()) > 3, f"{term}: {about}"


def test_every_environment_variable(site: Site) -> None:
    named = {row[0] for row in rows(site.page("configuration").section("environment-variables"))}
    read = set()
    for path in SOURCES:
        read |= set(re.findall(r'environment_default\(\s*"\w+",\s*"([A-Z_]+)"', path.read_text()))
    assert len(read) >= 9 and read <= named


def test_every_route(site: Site) -> None:
    headings = site.page("openapi").headings()
    documented = {
        (verb.lower(), re.sub(r"\{\w+\}", "{}", path))
        for verb, path in (heading.split(" ") for heading in headings if " /" in heading)
    }
    assert documented == served()
    assert "The WebSocket /ws" in site.page("websocket").headings()


def test_every_parameter_and_status_of_a_route(site: Site) -> None:
    page = site.page("openapi")
    for operation in described().values():
        section = page.section(f"rest-{operation['operationId'].replace('_', '-')}")
        firsts = {row[0] for row in rows(section)}
        assert set(operation["responses"]) <= firsts
        assert {p["name"] for p in operation.get("parameters", ()) if "name" in p} <= firsts


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.parent.name)
def test_every_event(path: Path, site: Site) -> None:
    schema = yaml.safe_load(path.read_text())
    page = site.page("events")
    section = page.article.find("code", string=schema["$id"]).find_parent("section")
    fields = {row[0]: row for row in rows(section)}
    assert set(schema["properties"]) <= set(fields)
    for name, field in schema["properties"].items():
        assert all(fields[name]), f"{name} has no type or no description"
        for value in field.get("enum", ()):
            assert value in fields[name][1]


def test_every_command(site: Site) -> None:
    named = {
        node.value.value
        for path, owner in classes()
        if "cli" in path.parts
        for node in owner.body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "name"
        and isinstance(node.value, ast.Constant)
    }
    typed = {
        name.replace("jupyter-", "jupyter ", 1)
        .replace("cognition-", "cognition ", 1)
        .replace("-", " ")
        for name in named
    }
    headings = {text for text in site.page("commands").headings() if text.startswith("jupyter ")}
    assert len(named) > 10 and headings == typed


def test_every_option_of_a_command(site: Site) -> None:
    page, reached = site.page("commands"), set()
    for command in tree():
        app = command()
        section = page.section(f"command-{app.name}").get_text(" ")
        shared = page.section("options-of-all-commands").get_text(" ")
        for key, (setting, _) in app.flags.items():
            reached |= {f"{owner}.{name}" for owner, names in setting.items() for name in names}
            assert spelled(key) in section + shared
        for key, target in app.aliases.items():
            reached.add(target if isinstance(target, str) else target[0])
            assert spelled(key) in section + shared
    said = page.article.get_text(" ")
    assert {one for one in traits(commands=True) if f"--{one}" not in said} <= reached


def tree(command: type[Command] = CognitionCommand) -> Iterator[type[Command]]:
    yield command
    for below, _ in command().subcommands.values():
        yield from tree(below)


def spelled(key: str | tuple[str, ...]) -> str:
    name = key if isinstance(key, str) else key[-1]
    return f"-{name}" if len(name) == 1 else f"--{name}"


def test_links_of_the_site(site: Site) -> None:
    pages = {page.path.resolve(): page for page in site.pages()}
    found = 0
    for page in pages.values():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (
                (page.path.parent / unquote(parts.path)).resolve()
                if parts.path
                else page.path.resolve()
            )
            assert target.exists(), f"{page.path.name}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{page.path.name}: {link}"
            found += 1
    assert found > 500


def test_nothing_of_it_needs_a_network(site: Site) -> None:
    for page in site.pages():
        foreign = [str(tag) for tag in page.loaded() if "//" in str(tag)]
        assert not foreign, f"{page.path.name}: {foreign}"
