"""What the pages say of the code is so, and their links lead somewhere, as files on GitHub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from cognition_jupyter.app import CognitionApp
from cognition_jupyter.cli import CognitionCommand

from ..handlers.contract import described, resolve
from .conftest import CHECKOUT

CLASSES = {one.__name__: one for one in CognitionApp.classes}
SOURCES = [
    CHECKOUT / "README.md",
    CHECKOUT / "PYPI.md",
    *sorted((CHECKOUT / "docs").glob("*.md")),
]
PAGES = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)


def anchors(path: Path) -> set[str]:
    """The headings' addresses, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings}


@PAGES
def test_links_in_the_sources(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        assert target.exists(), f"{path.name}: {link}"
        if parts.fragment:
            assert parts.fragment in anchors(target), f"{path.name}: {link}"


@PAGES
def test_traits_that_are_named_exist(path: Path) -> None:
    for owner, name in re.findall(r"\b([A-Z]\w+)\.([a-z_]+)\b", path.read_text()):
        known = CLASSES[owner].class_trait_names(config=True) if owner in CLASSES else [name]
        assert name in known, f"{path.name}: {owner}.{name}"


@PAGES
def test_numbers_behind_traits_are_their_defaults(path: Path) -> None:
    named = re.findall(r"`(\w+)\.(\w+)`\s+\(([\d,]+)(?: seconds)?\)", path.read_text())
    for owner, name, number in named:
        default = CLASSES[owner].class_traits()[name].default_value_repr()
        assert float(default) == float(number.replace(",", "")), f"{path.name}: {owner}.{name}"


@PAGES
def test_commands_that_are_named_exist(path: Path) -> None:
    for words in re.findall(r"\bjupyter cognition((?: [a-z]+)+)", path.read_text()):
        command = CognitionCommand()
        for word in words.split():
            if not command.subcommands:
                break  # an argument, or the sentence goes on
            assert word in command.subcommands, f"{path.name}: jupyter cognition{words}"
            command = command.subcommands[word][0]()


def test_rest_names_every_call_and_error_code() -> None:
    page = (CHECKOUT / "docs/rest.md").read_text()
    calls = set()
    for first in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE):
        for path in re.findall(r"/(?:[\w/.-]|\{[\w ]+\})+", first):
            verbs = re.findall(r"\b[A-Z]{3,}\b", first)
            calls |= {(verb.lower(), re.sub(r"\{.*?\}", "{}", path)) for verb in verbs}
    assert calls == {(verb, re.sub(r"\{.*?\}", "{}", path)) for verb, path in described()}
    for operation in described().values():
        for status, response in operation["responses"].items():
            for code in codes(response):
                rows = [line for line in page.splitlines() if line.startswith(f"| {status} |")]
                assert len(rows) == 1 and f"`{code}`" in rows[0], f"{status} {code}"


@PAGES
def test_statuses_that_are_named_go_with_their_codes(path: Path) -> None:
    known = set()
    for operation in described().values():
        for status, response in operation["responses"].items():
            known |= {(status, code) for code in codes(response)}
    assert set(re.findall(r"\b([45]\d\d)\s+`(\w+)`", path.read_text())) <= known


def codes(response: dict[str, Any]) -> list[str]:
    content = resolve(response).get("content", {}).get("application/json", {})
    error = content.get("schema", {}).get("properties", {}).get("error", {})
    found: list[str] = error.get("enum", [])
    return found
