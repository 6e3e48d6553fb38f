"""The operations on a project's memory, as a session, a script or an agent uses them."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cognition_jupyter.memory import lines
from cognition_jupyter.memory.operations import Operations
from cognition_jupyter.memory.project_memory import ProjectMemory
from cognition_jupyter.memory.shapes import etag_of

from .memory_support import SESSION, Place, fails, place

HOT = "/memories/hot"


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as made:
        yield made


@pytest.fixture
def now(here: Place) -> Operations:
    return here.now()


# -- reading ---------------------------------------------------------------------------------


def test_parts_of_a_file(now: Operations) -> None:
    written = now.write(f"{HOT}/x", b"0123456789")
    whole = now.read(f"{HOT}/x")
    assert (whole.data, whole.size, whole.etag) == (b"0123456789", 10, written.etag)
    assert whole.etag == etag_of(b"0123456789")
    assert whole.modified_at is not None and whole.modified_at.endswith("Z")
    for offset, limit, data in ((3, None, b"3456789"), (3, 2, b"34"), (9, 9, b"9"), (99, 1, b"")):
        part = now.read(f"{HOT}/x", offset, limit)
        assert (part.data, part.etag, part.offset) == (data, None, offset)
    assert now.read(f"{HOT}/x", 0, 10).etag == written.etag
    assert now.read(f"{HOT}/x", 0, 9).etag is None
    for wrong in ((-1, None), (0, -1)):
        with fails("invalid_input"):
            now.read(f"{HOT}/x", *wrong)


def test_lines_of_a_text(now: Operations) -> None:
    now.write(f"{HOT}/x", "eins\nzwei\r\ndrei\x0cvier\nfünf")
    text = now.read_text(f"{HOT}/x")
    assert (text.total_lines, text.start_line, text.end_line, text.next_offset) == (4, 1, 4, None)
    assert text.text == "eins\nzwei\r\ndrei\x0cvier\nfünf"
    text = now.read_text(f"{HOT}/x", 1, 2)
    assert (text.text, text.start_line, text.end_line, text.next_offset) == (
        "zwei\r\ndrei\x0cvier\n",
        2,
        3,
        3,
    )
    assert now.read_text(f"{HOT}/x", 3).text == "fünf"
    nothing = now.read_text(f"{HOT}/x", 1, 0)
    assert (nothing.text, nothing.start_line, nothing.next_offset) == ("", None, 1)
    for offset in (4, 99):
        with fails("invalid_input"):
            now.read_text(f"{HOT}/x", offset)
    now.write(f"{HOT}/empty", "")
    assert now.read_text(f"{HOT}/empty").total_lines == 0
    now.write(f"{HOT}/binary", b"\xff\xfe")
    with fails("not_text"):
        now.read_text(f"{HOT}/binary")


def test_a_text_of_very_many_lines(now: Operations) -> None:
    now.write(f"{HOT}/x", b"\n" * (4 << 20))
    began = time.thread_time()
    text = now.read_text(f"{HOT}/x", 3_000_000, 10)
    assert (text.text, text.start_line, text.total_lines) == ("\n" * 10, 3_000_001, 4 << 20)
    assert time.thread_time() - began < 2


def test_times_that_have_no_name(here: Place, now: Operations) -> None:
    now.write(f"{HOT}/x", b"x")
    for seconds in (-(2**40), 2**40, 2**33):
        os.utime(here.hot / "x", (seconds, seconds))
        entry = now.ls(HOT).entries[0]
        assert entry.modified_at is None or entry.modified_at.endswith("Z")


# -- writing ---------------------------------------------------------------------------------


def test_if_match_and_create_only(now: Operations) -> None:
    first = now.write(f"{HOT}/a/x", "1", create_only=True)
    assert first.created
    with fails("file_exists", 412):
        now.write(f"{HOT}/a/x", "2", create_only=True)
    second = now.write(f"{HOT}/a/x", "2", if_match=first.etag)
    assert not second.created
    with fails("precondition_failed", 412):
        now.write(f"{HOT}/a/x", "3", if_match=first.etag)
    with fails("precondition_failed"):
        now.write(f"{HOT}/a/x", "3", if_match=f"W/{second.etag}")
    assert now.write(f"{HOT}/a/x", "2", if_match=f'"0", {second.etag}').etag == second.etag
    now.write(f"{HOT}/a/x", "4", if_match="*")
    for tag in ("*", first.etag):
        with fails("precondition_failed"):
            now.write(f"{HOT}/a/new", "1", if_match=tag)
    with fails("precondition_failed"):
        now.edit(f"{HOT}/a/x", "4", "5", if_match=first.etag)
    assert now.edit(f"{HOT}/a/x", "4", "5", if_match=etag_of(b"4")).etag == etag_of(b"5")
    assert now.edit(f"{HOT}/a/x", "5", "6", if_match="*").replacements == 1
    assert [entry.path for entry in now.ls(f"{HOT}/a").entries] == [f"{HOT}/a/x"]


def test_edits(now: Operations) -> None:
    now.write(f"{HOT}/x", "one two two\r\nthree\r\n")
    with fails("text_not_found"):
        now.edit(f"{HOT}/x", "four", "x")
    with fails("text_not_unique"):
        now.edit(f"{HOT}/x", "two", "2")
    assert now.edit(f"{HOT}/x", "two", "2", replace_all=True).replacements == 2
    # Lines keep the ends that they have.
    assert now.edit(f"{HOT}/x", "2 2\nthree\n", "2\n3\n").replacements == 1
    assert now.read_bytes(f"{HOT}/x") == b"one 2\r\n3\r\n"
    for old, new in (("", "x"), ("x", "x")):
        with fails("invalid_input"):
            now.edit(f"{HOT}/x", old, new)
    with fails("invalid_input"):
        now.edit(f"{HOT}/x", "one", "\udcff")
    with fails("file_not_found"):
        now.edit(f"{HOT}/y", "one", "two")


@pytest.mark.parametrize(
    ("data", "old", "new", "expected"),
    [
        (b"a\r\nfoo\r\n", "foo", "foo\nbar", b"a\r\nfoo\r\nbar\r\n"),
        (b"a\r\nfoo\r\n", "foo\n", "bar\n", b"a\r\nbar\r\n"),
        (b"a\r\nfoo\r\n", "\nfoo", "\nb\nc", b"a\r\nb\r\nc\r\n"),
        (b"a\r\nfoo\r\n", "foo", "foo\r\nbar", b"a\r\nfoo\r\nbar\r\n"),
        (b"a\nfoo\n", "foo", "foo\nbar", b"a\nfoo\nbar\n"),
        (b"foo", "foo", "foo\nbar", b"foo\nbar"),
        # Where lines end in both ways, as what is replaced does.
        (b"a\r\nfoo\n", "foo", "foo\nbar", b"a\r\nfoo\nbar\n"),
        (b"a\r\nfoo\n", "foo\n", "foo\nbar\n", b"a\r\nfoo\nbar\n"),
        (b"a\r\nfoo\n", "a\n", "a\nb\n", b"a\r\nb\r\nfoo\n"),
    ],
)
def test_an_edit_keeps_to_the_lines_ends_of_the_file(
    now: Operations, data: bytes, old: str, new: str, expected: bytes
) -> None:
    now.write(f"{HOT}/x", data)
    now.edit(f"{HOT}/x", old, new)
    assert now.read_bytes(f"{HOT}/x") == expected


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"a", b"b", b"aa", b"ab" * 20_000, b"a" * 70_000]), max_size=8),
    st.sampled_from([b"a", b"aa", b"aba", b"aaab", b"b" * 3, b"a" * 40_000]),
    st.sampled_from([b"", b"x", b"ab"]),
)
def test_replacing_in_steps_is_as_replacing_at_once(
    pieces: list[bytes], old: bytes, new: bytes
) -> None:
    data = b"".join(pieces)
    assert lines.count(data, old) == data.count(old)
    assert lines.replace(data, old, new) == data.replace(old, new)


def test_what_is_in_the_way_is_said(now: Operations) -> None:
    now.write(f"{HOT}/file", b"x")
    now.write(f"{HOT}/folder/file", b"x")
    with fails("invalid_path"):
        now.write(f"{HOT}/file/x", b"x")
    with fails("invalid_path"):
        now.read(f"{HOT}/file/x")
    with fails("invalid_path"):
        now.ls(f"{HOT}/file")
    with fails("is_directory"):
        now.write(f"{HOT}/folder", b"x")
    with fails("is_directory"):
        now.edit(f"{HOT}/folder", "a", "b")
    with fails("is_directory"):
        now.write(f"{HOT}/new/", b"x")
    with fails("file_not_found"):
        now.delete(f"{HOT}/nothing")
    with fails("invalid_path"):
        now.read(f"{HOT}/../hot/file")
    now.delete(f"{HOT}/folder/")
    assert [entry.path for entry in now.ls(HOT).entries] == [f"{HOT}/file"]


def test_unfinished_files_of_a_killed_server_are_not_shown(here: Place, now: Operations) -> None:
    (here.hot / ".cognition-0123456789abcdef.tmp").write_text("needle")
    assert now.ls(HOT).entries == ()
    assert now.glob("**/.*").files == ()
    assert now.grep("needle").matches == ()


# -- batches and coroutines ------------------------------------------------------------------


def test_uploads_and_downloads_fail_one_by_one(here: Place) -> None:
    now = here.now(file_bytes=100, batch_bytes=150)
    (here.hot / "folder").mkdir()
    (here.hot / "link").symlink_to(here.outside / "passwd")
    items = now.upload(
        [
            (f"{HOT}/a", b"x" * 80),
            (f"{HOT}/folder", b"x"),
            ("relative", b"x"),
            (f"{HOT}/big", b"x" * 101),
            (f"{HOT}/link", b"x"),
            ("/nowhere/x", b"x"),
            (f"{HOT}/b", b"y" * 80),
        ]
    )
    assert [item.error for item in items] == [
        None,
        "is_directory",
        "invalid_path",
        "too_large",
        "invalid_path",
        "file_not_found",
        None,
    ]
    names = ("a", "nothing", "folder", "link", "b", "a")
    items = now.download([f"{HOT}/{name}" for name in names])
    assert [item.error for item in items] == [
        None,
        "file_not_found",
        "is_directory",
        "invalid_path",
        "too_large",
        "too_large",
    ]
    assert items[0].content == b"x" * 80 and items[1].content is None
    assert all(item.message is None or item.message.endswith(".") for item in items)


def test_the_coroutines_do_the_same(here: Place) -> None:
    memory = here.memory().for_session(SESSION)

    async def use() -> None:
        written = await memory.write(f"{HOT}/a/x", "one two")
        assert (await memory.read(f"{HOT}/a/x")).etag == written.etag
        assert (await memory.read_text(f"{HOT}/a/x")).text == "one two"
        assert (await memory.edit(f"{HOT}/a/x", "one", "1")).replacements == 1
        assert len((await memory.ls(f"{HOT}/a")).entries) == 1
        assert len((await memory.glob("x")).files) == 1
        assert len((await memory.grep("two", max_count=5)).matches) == 1
        assert (await memory.upload([("/tmp/y", b"y")]))[0].error is None
        assert (await memory.download(["/tmp/y"]))[0].content == b"y"
        assert (await memory.usage("/tmp/")).files == 1
        await memory.delete(f"{HOT}/a")
        with fails("file_not_found"):
            await memory.read(f"{HOT}/a/x")
        many = [memory.write(f"/workspace/{n}", f"{n}") for n in range(40)]
        assert all(result.created for result in await asyncio.gather(*many))

    asyncio.run(use())
    # Each operation exists in both forms with the same parameters.
    for name, method in inspect.getmembers(Operations, inspect.isfunction):
        if not name.startswith("_") and name != "read_bytes":
            blocking = list(inspect.signature(method).parameters)
            assert list(inspect.signature(getattr(ProjectMemory, name)).parameters) == blocking
