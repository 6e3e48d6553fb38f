"""Virtual paths: any name a file can have, no way up, and the form that URLs carry."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognition_jupyter.exceptions import InvalidInput
from cognition_jupyter.memory.paths import decode_path, encode_path, join_path, shown, split_path

from .memory_support import fails

NAMES = st.binary(min_size=1, max_size=255).filter(
    lambda name: not set(b"/\0") & set(name) and name not in (b".", b"..")
)


# -- virtual paths ---------------------------------------------------------------------------


@given(st.lists(NAMES, max_size=8))
def test_any_name_of_a_file_can_be_said(names: list[bytes]) -> None:
    parts = tuple(map(os.fsdecode, names))
    path = join_path(*parts)
    assert split_path(path) == parts
    encoded = encode_path(path)
    assert encoded.isascii() and encoded.isprintable() and " " not in encoded
    assert decode_path(encoded) == path
    shown(path).encode()  # can be logged


@given(st.text(max_size=30))
def test_what_is_decoded_is_a_path_or_refused(text: str) -> None:
    try:
        os.fsencode(decode_path(text))
    except InvalidInput as error:
        assert error.code == "invalid_path"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "workspace/x",
        "//",
        "/a//b",
        "/a//",
        "/./a",
        "/a/.",
        "/a/./",
        "/..",
        "/a/../b",
        "/a/..",
        "/a\0b",
        "/" + "n" * 256,
        "/" + "é" * 128,
        "/a" * 2048,
        "/\ud800",
        b"/bytes",
        None,
        7,
    ],
)
def test_what_is_no_virtual_path_is_refused(path: Any) -> None:
    with fails("invalid_path", 400):
        split_path(path)


def test_dots_within_names_are_names() -> None:
    assert split_path("/a/..b/...") == ("a", "..b", "...")
    assert split_path("/" + "n" * 255 + "/") == ("n" * 255,)
    assert split_path("/") == ()


@pytest.mark.parametrize("text", ["/a%", "/a%2", "/%zz", "/\ud800"])
def test_what_is_no_encoded_path_is_refused(text: str) -> None:
    with fails("invalid_path"):
        decode_path(text)
