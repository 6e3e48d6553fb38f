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

SOURCES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
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
    known = {one.__name__: set(one.class_trait_names(config=True)) for one in CognitionApp.classes}
    for owner, name in re.findall(r"\b([A-Z]\w+)\.([a-z_]+)\b", path.read_text()):
        assert owner not in known or name in known[owner], f"{path.name}: {owner}.{name}"


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
    for (_, path), operation in described().items():
        last = re.sub(r"\{\w+\}", "{}", path).rstrip("/{}").rpartition("/")[2]
        assert last in page, path
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
