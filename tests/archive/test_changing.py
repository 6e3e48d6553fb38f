"""Projects that change or vanish while they are read, transfers that end early, full disks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import datetime

import pytest
from traitlets.config import Config

from cognition_jupyter.archive.layout import header_of
from cognition_jupyter.archive.source import Choice, Found, Source
from cognition_jupyter.archive.write import write_archive
from cognition_jupyter.core import Cognition
from cognition_jupyter.events import Event
from cognition_jupyter.exceptions import CognitionError, StorageFull
from cognition_jupyter.models import CreateProject, DuplicateProject, utcnow

from ..memory.snapshot_support import mounted
from ..projects.store_support import snapshot
from .archive_support import Craft, Place, exported, in_pieces, metadata, on_its_way
from .hostile import good

NOISE = 6 << 20  # more than fits into the pipes


@pytest.fixture
def place() -> Iterator[Place]:
    with Place(Archives={"max_transfers": 1, "max_bytes": 100 << 20}) as made:
        yield made


async def noisy(cognition: Cognition) -> str:
    """A project whose archive is longer than what is read ahead of a client."""
    made = await cognition.store.create(CreateProject(user_prefix="noisy"))
    repo = cognition.store.paths(made.project_id).repo
    for number in range(6):
        (repo / f"noise-{number}").write_bytes(os.urandom(NOISE // 6))
    return made.project_id


def archive_of(cognition: Cognition, project_id: str, items: Iterator[Found]) -> bytes:
    pieces: list[bytes] = []
    private = cognition.store.directory.private
    write_archive(header_of(metadata()), items, pieces.append, private, 1 << 30)
    return b"".join(pieces)


def test_a_file_that_changes_while_it_is_read_keeps_its_place_and_is_named(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        made = await cognition.store.create(CreateProject(user_prefix="busy"))
        paths = cognition.store.paths(made.project_id)
        for name in ("shrinks", "grows", "goes", "stays"):
            (paths.repo / name).write_bytes(b"x" * 100_000)

        def changed() -> Iterator[Found]:
            for found in Source(paths, Choice()).items():
                if found.name == "repo/shrinks":
                    os.truncate(paths.repo / "shrinks", 10)
                elif found.name == "repo/grows":
                    with (paths.repo / "grows").open("ab") as file:
                        file.write(b"more")
                elif found.name == "repo/goes":
                    (paths.repo / "goes").unlink()
                yield found

        pieces: list[bytes] = []
        private = cognition.store.directory.private
        report, size = write_archive(
            header_of(metadata()), changed(), pieces.append, private, 1 << 30
        )
        archive = b"".join(pieces)
        assert len(archive) == size
        notes = dict(note.split(": ", 1) for note in report.notes)
        assert set(notes) == {"repo/shrinks", "repo/grows", "repo/goes"}
        assert "from byte 10 on it is zeros" in notes["repo/shrinks"]
        new = await cognition.archives.take(in_pieces(archive, 5000))
        repo = cognition.store.paths(new.project_id).repo
        assert (repo / "shrinks").read_bytes() == b"x" * 10 + bytes(99_990)
        assert (repo / "grows").read_bytes() == (repo / "stays").read_bytes() == b"x" * 100_000

    place.within(run)


def test_a_name_that_is_listed_twice_is_taken_once(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        made = await cognition.store.create(CreateProject(user_prefix="twice"))
        paths = cognition.store.paths(made.project_id)
        (paths.repo / "d").mkdir()
        (paths.repo / "d" / "a").write_text("a")

        class Twice(Source):
            """Reads a file system whose directories list everything twice."""

            def _all(self) -> Iterator[Found]:
                for found in super()._all():
                    yield found
                    if found.content is None:
                        yield found
                yield found._replace(name="repo/gone/x")

        items = Twice(paths, Choice()).items()
        archive = archive_of(cognition, made.project_id, items)
        new = await cognition.archives.take(in_pieces(archive, 5000))
        assert (cognition.store.paths(new.project_id).repo / "d" / "a").read_text() == "a"

    place.within(run)


@pytest.mark.parametrize("how", ["trash", "for good"])
def test_a_project_that_is_deleted_meanwhile_gives_no_whole_archive(place: Place, how: str) -> None:
    async def run(cognition: Cognition) -> None:
        project_id = await noisy(cognition)
        pieces = []
        with pytest.raises(CognitionError) as caught:
            async with aclosing(cognition.archives.export(project_id)) as archive:
                async for piece in archive:
                    if not pieces and how == "trash":
                        await cognition.store.trash.put(project_id)
                    elif not pieces:
                        await cognition.removal.delete(project_id)
                    pieces.append(piece)
        assert caught.value.code == "deleted_meanwhile"
        with pytest.raises(CognitionError, match="cut short"):
            await cognition.archives.take(in_pieces(b"".join(pieces), 5000))

    place.within(run)
    assert on_its_way(place.root) == []


def test_who_stops_reading_frees_the_transfer(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        project_id = await noisy(cognition)
        for _ in range(3):
            async with aclosing(cognition.archives.export(project_id)) as archive:
                async for _piece in archive:
                    break
        assert await exported(cognition, project_id)

    place.within(run)
    assert not [path for path in (place.root / ".cognition").iterdir() if path.name[:3] == "tmp"]


def test_an_export_that_is_broken_off_is_told_too(place: Place) -> None:
    """Whoever leaves before the last byte has the rest."""

    async def run(cognition: Cognition) -> None:
        project_id = await noisy(cognition)
        told: list[Event] = []
        cognition.events.subscribe(told.append)
        async with aclosing(cognition.archives.export(project_id)) as archive:
            first = await anext(archive)
        data = {"project_id": project_id, "bytes": len(first), "complete": False}
        assert [(event.action, event.data) for event in told] == [("exported", data)]
        whole = await exported(cognition, project_id)
        assert told[-1].data == {"project_id": project_id, "bytes": len(whole)}

    place.within(run)


def test_a_copy_has_the_trust_that_its_original_has_when_it_is_done(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        store = cognition.store
        made = await store.create(CreateProject(user_prefix="busy"), trusted=True)
        assert store.is_trusted(
            await cognition.archives.duplicate(made.project_id, DuplicateProject())
        )
        file = store.paths(made.project_id).project / ".project_metadata.json"
        read = []

        def clock() -> datetime:
            """Asked when the copy begins: its original has been read."""
            read.append(file.read_text())
            file.write_text(read[-1].replace(f'"{store.directory.uuid}"', "null"))
            return utcnow()

        store.now = clock
        copied = await cognition.archives.duplicate(made.project_id, DuplicateProject())
        assert store.directory.uuid in read[0]
        assert not store.is_trusted(copied)
        assert not store.is_trusted(await store.get(copied.project_id))

    place.within(run)


def test_no_more_transfers_than_may_be(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        project_id = await noisy(cognition)
        async with aclosing(cognition.archives.export(project_id)) as archive:
            await anext(archive)
            for call in (
                exported(cognition, project_id),
                cognition.archives.take(in_pieces(good().whole(), 5000)),
                cognition.archives.duplicate(project_id, DuplicateProject()),
            ):
                with pytest.raises(CognitionError) as caught:
                    await call
                assert caught.value.code == "too_many_transfers"
        await cognition.archives.duplicate(project_id, DuplicateProject())

    place.within(run)


def test_a_client_that_stalls_is_given_up() -> None:
    async def never() -> AsyncIterator[bytes]:
        yield good().whole()[:200]
        await asyncio.Event().wait()

    async def run(cognition: Cognition) -> None:
        project_id = await noisy(cognition)
        with pytest.raises(CognitionError) as caught:
            await cognition.archives.take(never())
        assert caught.value.code == "transfer_stalled"
        async with aclosing(cognition.archives.export(project_id)) as archive:
            await anext(archive)
            await asyncio.sleep(1)  # as long as nobody reads
            with pytest.raises(CognitionError) as caught:
                async for _piece in archive:
                    pass
            assert caught.value.code == "transfer_stalled"

    with Place(Archives={"stall_timeout": 0.3}) as place:
        place.within(run)
        assert on_its_way(place.root) == []


@pytest.mark.parametrize("ended", ["cancelled", "closed"])
def test_an_import_that_is_ended_leaves_nothing(place: Place, ended: str) -> None:
    async def slowly(half: asyncio.Event) -> AsyncIterator[bytes]:
        archive = good().add("repo/noise", os.urandom(1 << 20)).whole()
        for at in range(0, len(archive) // 2, 1000):  # more pieces than the pipe holds
            yield archive[at : at + 1000]
        half.set()
        await asyncio.Event().wait()

    async def run() -> None:
        half = asyncio.Event()
        cognition = Cognition(place.directory, config=Config(place.config))
        cognition.store.root = str(place.root)
        cognition.open()
        taking = asyncio.ensure_future(cognition.archives.take(slowly(half)))
        await half.wait()
        assert on_its_way(place.root) != []
        if ended == "cancelled":
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking
        await cognition.close()
        if ended == "closed":
            with pytest.raises(CognitionError) as caught:
                await taking
            assert caught.value.code == "transfer_ended"

    asyncio.run(run())
    assert on_its_way(place.root) == []
    assert not list(place.root.glob("*-*"))


def test_what_is_too_large_is_said_before_the_first_byte(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        made = await cognition.store.create(CreateProject(user_prefix="huge"))
        with (cognition.store.paths(made.project_id).repo / "hole").open("wb") as file:
            file.truncate(1 << 40)
        for call in (
            exported(cognition, made.project_id),
            cognition.archives.duplicate(made.project_id, DuplicateProject()),
        ):
            with pytest.raises(CognitionError) as caught:
                await call
            assert caught.value.code == "archive_too_large" and caught.value.status == 413

    place.within(run)
    assert on_its_way(place.root) == []


def test_on_a_full_disk_nothing_stays() -> None:
    with mounted("size=4m") as small, Place() as place:
        place.root = small / "workspaces"
        archive = good().add("repo/noise", os.urandom(8 << 20)).whole()
        kept = place.take(good().whole())
        before = snapshot(small)
        with pytest.raises(StorageFull, match="file system is full"):
            place.take(archive)
        assert snapshot(small) == before

        async def duplicate(cognition: Cognition) -> None:
            repo = cognition.store.paths(kept).repo
            (repo / "half").write_bytes(os.urandom(2_500_000))
            with pytest.raises(StorageFull):
                await cognition.archives.duplicate(kept, DuplicateProject())
            (repo / "half").unlink()

        place.within(duplicate)
        assert on_its_way(place.root) == []
        assert place.take(Craft().repo().whole()) != kept


def test_a_manifest_that_finds_no_room_is_said(place: Place) -> None:
    with mounted("size=4m") as small:
        place.root = small / "workspaces"

        async def run(cognition: Cognition) -> None:
            made = await cognition.store.create(CreateProject(user_prefix="full"))
            repo = cognition.store.paths(made.project_id).repo
            for number in range(400):
                (repo / f"{number:0200}").touch()
            left = os.statvfs(small)
            (repo / "rest").write_bytes(bytes(left.f_bavail * left.f_frsize - 20_000))
            with pytest.raises(StorageFull, match="The archive was not made"):
                await exported(cognition, made.project_id)
            os.unlink(repo / "rest")
            assert await exported(cognition, made.project_id)

        place.within(run)
