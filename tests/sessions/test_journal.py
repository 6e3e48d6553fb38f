"""The journal and the stream over it: numbers without holes, whatever breaks."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cognition_jupyter.sessions.events import dumps
from cognition_jupyter.sessions.growth import Growth
from cognition_jupyter.sessions.journal import (
    LONGEST_LINE,
    EventsGone,
    Journal,
    Reader,
    line_of,
    prune,
    read_events,
    seq_of,
)
from cognition_jupyter.sessions.stream import PENDING_BYTES, JournalFailed, SessionStream

from ..memory.snapshot_support import mounted


def write(journal: Journal, first: int, last: int, text: str = "x") -> None:
    for seq in range(first, last + 1):
        journal.append([line_of(seq, dumps({"time": "t", "event": text}))])


def numbers(journal: Journal, since: int, most: int = 1 << 18) -> list[int]:
    reader, found = Reader(journal, since), []
    while lines := reader.read(most):
        found += [seq for seq, _ in lines]
    reader.close()
    return found


def test_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "s")
    assert journal.last() == (0, b"") and numbers(journal, 0) == []
    write(journal, 1, 3, 'a "quote", a new\nline, \ud800 and \u2028')
    lines = journal.current.read_bytes().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3] and all(
        map(bytes.isascii, lines)
    )
    assert journal.last() == (3, lines[2])
    assert numbers(journal, 0) == [1, 2, 3] and numbers(journal, 2) == [3]
    assert numbers(journal, 3) == numbers(journal, 7) == []
    assert journal.current.stat().st_mode & 0o777 == 0o600


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400), first=st.integers(1, 1000))
def test_what_a_killed_writer_left_is_cut_off(
    tmp_path_factory: pytest.TempPathFactory, cut: int, first: int
) -> None:
    journal = Journal(tmp_path_factory.mktemp("j"), "s")
    write(journal, first, first + 4)
    whole = journal.current.read_bytes()
    part = whole[: len(whole) - cut]
    journal.current.write_bytes(part)
    kept = part[: part.rfind(b"\n") + 1]
    seq, _ = journal.last()
    assert journal.current.read_bytes() == kept
    assert seq == (seq_of(kept.splitlines()[-1]) if kept else 0)
    write(journal, seq + 1, seq + 2)
    assert numbers(journal, seq) == [seq + 1, seq + 2]


def test_long_lines_and_small_pieces(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "s")
    write(journal, 1, 3, "x" * 600_000)
    assert journal.last()[0] == 3
    assert numbers(journal, 0, 1000) == [1, 2, 3]


def test_full_files_are_turned_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "s", segment_bytes=1000)
    write(journal, 1, 60)
    assert journal.older.exists()
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert total < 2200 and len(list(tmp_path.iterdir())) <= 2
    first = seq_of(journal.older.read_bytes())
    assert first > 1 and journal.last()[0] == 60
    assert numbers(journal, first - 1) == [*range(first, 61)]
    for since in (0, first - 2):
        with pytest.raises(EventsGone):
            numbers(journal, since)


def test_a_reader_beside_a_writer(tmp_path: Path) -> None:
    """Each event once and in order, across many turns of the file."""
    journal = Journal(tmp_path, "s", segment_bytes=20_000)
    writer = threading.Thread(target=write, args=(journal, 1, 3000))
    reader, found = Reader(journal, 0), []
    writer.start()
    while not found or found[-1] < 3000:
        found += [seq for seq, _ in reader.read(500)]
    writer.join()
    reader.close()
    assert found == [*range(1, 3001)]


def test_a_reader_that_is_overtaken_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "s", segment_bytes=500)
    write(journal, 1, 5)
    reader = Reader(journal, 0)
    assert reader.read(50)[0][0] == 1
    write(journal, 6, 200)
    with pytest.raises(EventsGone, match="not kept any more"):
        while reader.read():
            pass
    reader.close()


def test_a_reader_goes_on_after_two_turns_of_the_files(tmp_path: Path) -> None:
    """Its own file is gone by then, and the next is the older one."""
    journal = Journal(tmp_path, "s", segment_bytes=300)
    write(journal, 1, 1)
    reader, seq = Reader(journal, 0), 1
    found = [seq for seq, _ in reader.read()]
    for _ in range(2):
        inode = journal.older.stat().st_ino if journal.older.exists() else 0
        while not journal.older.exists() or journal.older.stat().st_ino == inode:
            seq += 1
            write(journal, seq, seq)
    assert not journal.current.exists()
    for more in (0, 2):
        write(journal, seq + 1, seq + more)
        seq += more
        while lines := reader.read():
            found += [number for number, _ in lines]
        assert found == [*range(1, seq + 1)]
    reader.close()


def test_no_line_is_written_that_could_not_be_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "s", segment_bytes=4 * LONGEST_LINE)
    write(journal, 1, 1)
    room = LONGEST_LINE - len(line_of(2, dumps({"time": "t", "event": ""})))
    size = journal.current.stat().st_size
    with pytest.raises(OSError, match="too large") as caught:
        write(journal, 2, 2, "x" * (room + 1))
    assert caught.value.errno == errno.EFBIG and journal.current.stat().st_size == size
    write(journal, 2, 2, "x" * room)
    write(journal, 3, 3)
    assert numbers(journal, 0) == [1, 2, 3] and journal.last()[0] == 3


def test_a_disk_that_is_full_leaves_no_part_of_a_line() -> None:
    with mounted("size=64k") as point:
        journal = Journal(point, "s")
        write(journal, 1, 3)
        size = journal.current.stat().st_size
        with pytest.raises(OSError, match="No space"):
            journal.append([b"x" * 100_000 + b"\n"])
        assert journal.current.stat().st_size == size
        write(journal, 4, 4)
        assert numbers(journal, 0) == [1, 2, 3, 4]


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "s.jsonl").symlink_to(tmp_path / "target")
    journal = Journal(tmp_path, "s")
    for work in (journal.last, lambda: journal.append([b"x\n"]), lambda: read_events(journal, 0)):
        with pytest.raises(OSError):
            work()
    assert (tmp_path / "target").read_text() == "mine"


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for number in range(8):
        journal = Journal(tmp_path, f"s{number}")
        write(journal, 1, 1)
        journal.older.write_bytes(b"")
        for path in (journal.current, journal.older):
            os.utime(path, (number, number))
    (tmp_path / "other").write_text("not ours")
    prune(tmp_path, {"s0"}, keep=3)
    assert {p.name for p in tmp_path.iterdir()} == {
        f"{name}{end}" for name in ("s0", "s6", "s7") for end in (".jsonl", ".1.jsonl")
    } | {"other"}


def test_journals_of_live_sessions_stay(tmp_path: Path) -> None:
    for number in range(8):
        journal = Journal(tmp_path, f"s{number}")
        write(journal, 1, 1)
        os.utime(journal.current, (number, number))
    # Most live sessions are of other projects.
    staying = {"new", "s0", "s1", "s3", *(f"elsewhere{n}" for n in range(9))}
    prune(tmp_path, staying, keep=5)
    assert {p.stem for p in tmp_path.iterdir()} == {"s0", "s1", "s3", "s6", "s7"}
    prune(tmp_path, staying, keep=2)
    assert {p.stem for p in tmp_path.iterdir()} == {"s0", "s1", "s3"}


# -- the stream ----------------------------------------------------------------------------


def run(work: Any) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


async def opened(directory: Path, **options: Any) -> SessionStream:
    return await SessionStream.open("s", Journal(directory, "s", **options))


def seqs(lines: list[bytes]) -> list[int]:
    return [json.loads(line)["seq"] for line in lines]


def test_followers_fast_slow_and_late(tmp_path: Path) -> None:
    async def body() -> None:
        stream = await opened(tmp_path)

        async def follow(since: int, pause: float) -> list[int]:
            follower, found = stream.follow(since), []
            while lines := await follower.next():
                found += seqs(lines)
                await asyncio.sleep(pause)
            await follower.close()
            return found

        readers = [asyncio.ensure_future(follow(0, pause)) for pause in (0, 0.01, 0.05)]
        for number in range(200):
            await stream.emit("tool_output", chunk="x" * 20_000, number=number)
        late = asyncio.ensure_future(follow(150, 0))
        await stream.flushed()
        await stream.close()
        for reader in readers:
            assert await reader == [*range(1, 201)]
        assert await late == [*range(151, 201)]
        assert await follow(0, 0) == [*range(1, 201)]

    run(body())


def test_what_is_recent_is_read_from_memory_as_from_the_files(tmp_path: Path) -> None:
    async def body() -> None:
        stream = await opened(tmp_path)
        assert stream.recent(0) == []
        for number in range(100):
            await stream.emit("tool_output", chunk="x" * 50_000, number=number)
        await stream.flushed()
        assert stream.recent(0) is None and stream.recent(100) == stream.recent(10**15) == []
        since = 90
        while since < 100:
            found = stream.recent(since)
            assert found and sum(map(len, found)) < 400_000
            others, _ = read_events(stream.journal, since)
            assert all(one == other for one, other in zip(found, others, strict=False)) and others
            since = seqs(found)[-1]
        again = await opened(tmp_path)  # the next server has nothing in memory
        assert again.recent(99) is None and again.recent(100) == []

    run(body())


def test_growth_is_told_at_once_then_seldom_and_at_last(tmp_path: Path) -> None:
    async def body() -> None:
        stream = await opened(tmp_path)
        told: list[int] = []
        growth = Growth(lambda: told.append(stream.last_seq), pause=0.5)
        stream.on_written = growth.note
        await stream.emit("done")
        await stream.flushed()
        assert told == [1]  # not before it can be read
        for _ in range(500):
            await stream.emit("done")
            await stream.flushed()
        while told[-1] < 501:  # noqa: ASYNC110 - that is what is waited for
            await asyncio.sleep(0.01)
        assert told == sorted({*told}) and len(told) < 250

    run(body())


def test_nobody_sees_what_is_not_written(tmp_path: Path) -> None:
    async def body() -> None:
        stream = await opened(tmp_path)
        follower = stream.follow(0)
        stream.put("ping")
        assert stream.last_seq == 0
        assert seqs(await follower.next()) == [1]
        assert seq_of(stream.journal.current.read_bytes()) == 1

    run(body())


def test_it_goes_on_where_the_last_server_stopped(tmp_path: Path) -> None:
    async def body() -> None:
        first = await opened(tmp_path)
        for _ in range(3):
            await first.emit("done")
        await first.flushed()
        second = await opened(tmp_path)
        assert second.last_seq == 3 and second.left_open
        await second.emit("session_ended", reason="client")
        await second.flushed()
        third = await opened(tmp_path)
        assert third.last_seq == 4 and not third.left_open

    run(body())


def test_who_makes_events_waits_for_the_disk(tmp_path: Path) -> None:
    async def body() -> None:
        stream = await opened(tmp_path)
        for _ in range(50):
            await stream.emit("tool_output", chunk="x" * 200_000)
            assert stream._pending_bytes <= PENDING_BYTES
        assert sum(len(line) for _, line in stream._tail) < 2 << 20
        await stream.close()

    run(body())


def test_a_full_disk_is_told_and_leaves_no_hole() -> None:
    with mounted("size=256k") as point:

        async def body() -> None:
            stream = await opened(point)
            await stream.emit("done")
            await stream.flushed()
            stream.put("tool_output", chunk="x" * 400_000)
            with pytest.raises(JournalFailed, match="No space"):
                await stream.flushed()
            await stream.emit("done")
            await stream.flushed()
            assert stream.last_seq == 2 and numbers(stream.journal, 0) == [1, 2]
            await stream.close()

        run(body())
