"""Hostile archives: each is refused with its sentence, and nothing of it stays anywhere."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator

import pytest

from cognition_jupyter.core import Cognition
from cognition_jupyter.exceptions import CognitionError

from ..projects.store_support import leftovers, snapshot
from .archive_support import Craft, Place, in_pieces
from .hostile import LIMITS, good
from .hostile_cases import CASES


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with Place(**LIMITS) as made:
        made.take(good().whole())
        yield made


def test_there_are_more_than_twenty() -> None:
    assert len(CASES) > 100


@pytest.mark.parametrize("name", CASES)
def test_refused_by_name(place: Place, name: str) -> None:
    sentence, archive = CASES[name]
    before = snapshot(place.directory)
    for piece in (1 << 16, 1 << 30):
        with pytest.raises(CognitionError) as caught:
            place.take(archive, piece)
        message = caught.value.message
        assert sentence in message and message.endswith("."), message
        assert caught.value.status in (400, 403)
        assert message.isprintable() and len(message) < 1000
    assert snapshot(place.directory) == before
    assert leftovers(place.root) == []


def test_what_is_good_is_taken_without_rights_that_are_not_the_owner_s(place: Place) -> None:
    archive = Craft().repo().add("repo/tool", b"#!/bin/sh\n", mode=0o6755).whole()
    project_id = place.take(archive)
    assert (place.paths(project_id).repo / "tool").stat().st_mode & 0o7777 == 0o755


def test_names_that_mean_something_elsewhere_mean_nothing_inside(place: Place) -> None:
    made = Craft().directory("memories/hot").add("memories/hot/manifest", b"{}").repo()
    for name in (".project_metadata.json", "manifest.jsonl", "cognition-project.json", ".git"):
        made.add(f"repo/{name}", b"{}")
    made.directory("repo/repo").link("repo/repo/repo", "../..").directory("repo/.cognition")
    project_id = place.take(made.whole())
    names = {path.name for path in place.paths(project_id).repo.iterdir()}
    assert ".project_metadata.json" in names and "repo" in names


@pytest.mark.parametrize("size", [1, 100, 1000])
def test_cut_anywhere_nothing_stays(place: Place, size: int) -> None:
    archive = good().whole()
    before = snapshot(place.directory)

    async def all_cuts(cognition: Cognition) -> None:
        for end in range(0, len(archive), 23):
            with pytest.raises(CognitionError, match="cut short"):
                await cognition.archives.take(in_pieces(archive[:end], size))

    place.within(all_cuts)
    assert snapshot(place.directory) == before
    assert leftovers(place.root) == []


def test_a_byte_that_is_flipped_anywhere_is_noticed_or_harmless(place: Place) -> None:
    archive = good().whole()
    refused = 0

    async def all_flips(cognition: Cognition) -> None:
        nonlocal refused
        for at in range(10, len(archive), 11):  # the first ten say a time and a system
            bad = bytearray(archive)
            bad[at] ^= 0x10
            try:
                await cognition.archives.take(in_pieces(bytes(bad), 1 << 16))
            except CognitionError:
                refused += 1
            else:  # one run of zeros can be written in several ways
                assert gzip.decompress(bad) == gzip.decompress(archive), at

    place.within(all_flips)
    assert refused > 30


def test_a_source_that_fails_leaves_nothing(place: Place) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield good().whole()[:300]
        raise ConnectionResetError("gone")

    async def breaks(cognition: Cognition) -> None:
        with pytest.raises(ConnectionResetError):
            await cognition.archives.take(broken())

    before = snapshot(place.directory)
    place.within(breaks)
    assert snapshot(place.directory) == before
    assert leftovers(place.root) == []
