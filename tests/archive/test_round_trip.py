"""Out of one root and into another: byte for byte, whatever the names, modes and depths."""

from __future__ import annotations

import gzip
import json
import os
import socket
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from cognition_jupyter.archive.layout import MANIFEST, Report, header_of
from cognition_jupyter.core import Cognition
from cognition_jupyter.exceptions import CognitionError
from cognition_jupyter.models import CreateProject, DuplicateProject, Metadata

from ..memory.snapshot_support import flip_byte, picture
from ..projects.store_support import leftovers, session, snapshot
from .archive_support import Craft, Place, exported, in_pieces, metadata, on_its_way, whole_picture

DEPTH = 1500


@pytest.fixture
def place() -> Iterator[Place]:
    with Place() as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[Place]:
    with Place() as made:
        yield made


def odd_tree(top: Path) -> None:
    """What trees of hostile or merely unusual people hold."""
    raw = os.fsencode(top)
    (top / "plain.txt").write_text("plain\n")
    (top / "empty").touch()
    (top / "empty directory").mkdir()
    for name in (b"\xff\xfe not utf-8", "ünïcode ☃".encode(), b"new\nline", b"-rf", b"a=b", b"\\n"):
        Path(os.fsdecode(raw + b"/" + name)).write_bytes(name)
    Path(os.fsdecode(raw + b"/17 hdrcharset=\xff\n")).write_bytes(b"x")
    (top / "1 GNU.sparse.major=1\n2 path=evil\n").write_bytes(b"x")
    (top / ("n" * 255)).write_bytes(b"long")
    for number in range(3):
        (top / f"noise {number}").write_bytes(os.urandom(70_000 + number))
    with (top / "hole").open("wb") as file:
        file.write(b"begin")
        file.truncate(3 << 20)
    (top / "tool").write_bytes(b"#!/bin/sh\n")
    (top / "tool").chmod(0o755)
    (top / "secret").write_bytes(b"s")
    (top / "secret").chmod(0 if os.geteuid() == 0 else 0o400)  # a picture reads it, too
    (top / "old").write_bytes(b"o")
    os.utime(top / "old", ns=(0, -1_500_000_001))
    os.utime(top / "empty", ns=(0, 1_234_567_890_123_456_789))
    for name, target in {
        "absolute": "/etc/passwd",
        "up": "../../../../etc",
        "nowhere": "no/such/thing",
        "loop": "loop",
        "long link": "x/" * 1000 + "y",
    }.items():
        (top / name).symlink_to(target)
    Path(os.fsdecode(raw + b"/bytes")).symlink_to(os.fsdecode(b"\xff/\xfe"))
    (top / "closed").mkdir()
    (top / "closed" / "inside").write_bytes(b"i")
    (top / "closed").chmod(0o500)
    deep(top / "deep", DEPTH if top.name == "repo" else 40)


def deep(top: Path, depth: int) -> None:
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    bottom = os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=fd)
    os.write(bottom, b"bottom")
    os.close(bottom)
    os.close(fd)


async def make(cognition: Cognition) -> Metadata:
    made = await cognition.store.create(
        CreateProject(
            user_prefix="odd",
            description="Odd names\nand ☃",
            tags=["a", "b"],
            agent_model="m:x",
            keep_packages=False,
            cleanup_after_days=7,
            agent_backend_routes={"/notes/": "store"},
        )
    )
    paths = cognition.store.paths(made.project_id)
    for part in (paths.repo, paths.persistent, paths.deps):
        odd_tree(part)
    memory = await cognition.memories.of(made.project_id)
    await memory.write("/memories/hot/notes/plan.md", "the plan")
    odd_tree(cognition.ram.hot(made.project_id))
    (paths.logs / "0123-abc.jsonl").write_text('{"seq": 1}\n')

    def use(metadata: Metadata) -> None:
        metadata.statistics.total_sessions = 5
        metadata.statistics.total_duration_seconds = 1.5
        metadata.pinned = True
        metadata.sessions.append(session("s"))

    await cognition.store.change(made.project_id, use)
    return await cognition.store.get(made.project_id)


async def hot_picture(cognition: Cognition, project_id: str) -> object:
    await cognition.hot.ensure(project_id)
    return picture(cognition.ram.hot(project_id))


def test_everything_comes_back_elsewhere(place: Place, elsewhere: Place) -> None:
    async def out(cognition: Cognition) -> tuple[Metadata, bytes, object]:
        made = await make(cognition)
        hot = await hot_picture(cognition, made.project_id)
        return made, await exported(cognition, made.project_id, deps=True, logs=True), hot

    async def back(cognition: Cognition) -> tuple[Metadata, object, bytes]:
        made = await cognition.archives.take(in_pieces(archive, 1000))
        again = await exported(cognition, made.project_id, deps=True, logs=True)
        return made, await hot_picture(cognition, made.project_id), again

    old, archive, hot = place.within(out)
    new, hot_there, again = elsewhere.within(back)
    before, after = place.paths(old.project_id), elsewhere.paths(new.project_id)
    assert whole_picture(after) == whole_picture(before)
    assert hot_there == hot
    assert picture(after.logs) == picture(before.logs)
    kept = {"config", "tags", "description", "cleanup_after_days", "statistics", "user_prefix"}
    assert new.model_dump(include=kept) == old.model_dump(include=kept)
    assert new.project_id != old.project_id
    assert not new.sessions and not new.pinned and new.extended_until is None
    assert on_its_way(elsewhere.root) == []
    for part in after.mounted:
        assert part.stat().st_uid == (1000 if os.geteuid() == 0 else os.geteuid())
        assert {p.lstat().st_uid for p in part.iterdir()} == {part.stat().st_uid}
    # The same project gives the same archive but for what its header says
    # (of which only the order is the disk's).
    first, second = (
        {str(line.get("path")): line for line in lines_of(a)} for a in (archive, again)
    )
    for lines in (first, second):
        del lines["cognition-project.json"]
    assert first == second


def part_of(line: dict[str, object]) -> str:
    return str(line.get("path")).partition("/")[0]


def lines_of(archive: bytes) -> list[dict[str, object]]:
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        file = tar.extractfile(MANIFEST)
        assert file is not None
        return [json.loads(line) for line in file.read().splitlines()]


def test_any_tar_reads_it(place: Place, tmp_path: Path) -> None:
    async def out(cognition: Cognition) -> tuple[str, bytes]:
        made = await make(cognition)
        return made.project_id, await exported(cognition, made.project_id)

    project_id, archive = place.within(out)
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        assert tar.getnames()[0] == "cognition-project.json"
        assert tar.getnames()[-1] == MANIFEST
        assert {name.partition("/")[0] for name in tar.getnames()} == {
            "cognition-project.json",
            "memories",
            "repo",
            MANIFEST,
        }, "packages and journals only when they are asked for"
        member = tar.extractfile("repo/plain.txt")
        assert member is not None and member.read() == b"plain\n"
        assert {(i.uid, i.gid, i.uname, i.gname) for i in tar.getmembers()} == {(0, 0, "", "")}
    assert str(place.directory).encode() not in gzip.decompress(archive)
    assert project_id.encode() in gzip.decompress(archive)


def test_without_hot_memory_there_is_none(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        made = await cognition.store.create(CreateProject(user_prefix="cold"))
        archive = await exported(cognition, made.project_id)
        assert not any(part_of(line) == "memories/hot" for line in lines_of(archive))
        new = await cognition.archives.take(in_pieces(archive, 99))
        assert not list(cognition.store.paths(new.project_id).snapshots.iterdir())
        assert await cognition.hot.in_ram() == []

    place.within(run)


def test_what_is_in_ram_only_is_in_it(place: Place, elsewhere: Place) -> None:
    async def out(cognition: Cognition) -> bytes:
        made = await cognition.store.create(CreateProject(user_prefix="ram"))
        memory = await cognition.memories.of(made.project_id)
        await memory.write("/memories/hot/a", "first")
        await cognition.memories.snapshot(made.project_id)
        await memory.write("/memories/hot/a", "second")
        return await exported(cognition, made.project_id)

    async def read(cognition: Cognition) -> bytes:
        made = await cognition.archives.take(in_pieces(archive, 1 << 20))
        (row,) = await cognition.memories.history(made.project_id)
        assert row["reason"] == "import" and row["generation"] == 1
        memory = await cognition.memories.of(made.project_id)
        found = (await memory.read("/memories/hot/a")).data
        await memory.write("/memories/hot/a", "third")
        assert (await cognition.memories.snapshot(made.project_id))["generation"] == 2
        return found

    archive = place.within(out)
    assert elsewhere.within(read) == b"second"


def test_a_damaged_copy_of_hot_memory_is_recovered_or_named(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        made = await cognition.store.create(CreateProject(user_prefix="rot"))
        memory = await cognition.memories.of(made.project_id)
        await memory.write("/memories/hot/lost", "only here")
        await memory.write("/memories/hot/saved", "the same twice")
        await memory.write("/memories/hot/copy", "the same twice")
        await cognition.hot.release(made.project_id)
        paths = cognition.store.paths(made.project_id)
        (generation,) = paths.snapshots.iterdir()
        flip_byte(generation / "files" / "lost")
        flip_byte(generation / "files" / "saved")
        reports: list[Report] = []
        archive = await exported(cognition, made.project_id, on_report=reports.append)
        assert [n.partition(":")[0] for n in reports[0].notes] == ["memories/hot/lost"]
        new = await cognition.archives.take(in_pieces(archive, 500))
        memory = await cognition.memories.of(new.project_id)
        assert (await memory.read("/memories/hot/saved")).data == b"the same twice"
        with pytest.raises(CognitionError, match="lost"):
            await memory.read("/memories/hot/lost")

    place.within(run)


def test_sockets_fifos_and_too_long_paths_are_named_as_left_out(place: Place) -> None:
    async def run(cognition: Cognition) -> tuple[Report, bytes]:
        made = await cognition.store.create(CreateProject(user_prefix="odd"))
        repo = cognition.store.paths(made.project_id).repo
        os.mkfifo(repo / "fifo")
        with socket.socket(socket.AF_UNIX) as listening:
            place_of_it = os.open(repo, os.O_RDONLY)
            listening.bind(f"/proc/self/fd/{place_of_it}/socket")
            os.close(place_of_it)
        deep(repo / "deep", 3000)
        reports: list[Report] = []
        archive = await exported(cognition, made.project_id, on_report=reports.append)
        await cognition.archives.take(in_pieces(archive, 5000))
        return reports[0], archive

    report, archive = place.within(run)
    assert any("repo/fifo: it is left out: it is a FIFO" in note for note in report.notes)
    assert any("repo/socket: it is left out: it is a socket" in note for note in report.notes)
    assert any("longer than" in note for note in report.notes)
    skipped = {line["path"] for line in lines_of(archive) if line.get("type") == "skipped"}
    assert {"repo/fifo", "repo/socket"} < skipped
    assert report.totals.skipped == len(skipped)


def test_a_file_with_several_names_becomes_several_files(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        made = await cognition.store.create(CreateProject(user_prefix="hard"))
        repo = cognition.store.paths(made.project_id).repo
        (repo / "a").write_text("shared")
        os.link(repo / "a", repo / "b")
        archive = await exported(cognition, made.project_id)
        new = await cognition.archives.take(in_pieces(archive, 5000))
        repo = cognition.store.paths(new.project_id).repo
        assert (repo / "a").read_text() == (repo / "b").read_text() == "shared"
        assert (repo / "a").stat().st_nlink == 1

    place.within(run)


def test_what_the_original_may_no_more_is_refused(place: Place) -> None:
    with Place(SessionPolicy={"allowed_network_modes": ["OFF"]}) as strict:

        async def out(cognition: Cognition) -> bytes:
            request = CreateProject(user_prefix="net", network_mode="ON")
            made = await cognition.store.create(request)
            return await exported(cognition, made.project_id)

        archive = place.within(out)
        strict.within(nothing)
        before = snapshot(strict.directory)
        with pytest.raises(CognitionError) as caught:
            strict.take(archive)
        assert caught.value.code == "network_not_allowed"
        assert snapshot(strict.directory) == before
        assert leftovers(strict.root) == []


async def nothing(cognition: Cognition) -> None:
    """Opens the root, which makes it."""


def test_at_the_limit_of_projects_nothing_is_taken(place: Place) -> None:
    with Place(ProjectStore={"max_projects": 1}) as full:

        async def fill(cognition: Cognition) -> bytes:
            made = await cognition.store.create(CreateProject(user_prefix="one"))
            return await exported(cognition, made.project_id)

        archive = full.within(fill)
        before = snapshot(full.directory)
        with pytest.raises(CognitionError) as caught:
            full.take(archive)
        assert caught.value.code == "project_limit"
        assert snapshot(full.directory) == before

        async def duplicate(cognition: Cognition) -> None:
            (project_id,) = [e.project_id for e in (await cognition.store.select())[0]]
            await cognition.archives.duplicate(project_id, DuplicateProject())

        with pytest.raises(CognitionError) as caught:
            full.within(duplicate)
        assert caught.value.code == "project_limit"
        assert snapshot(full.directory) == before


def test_credentials_in_an_address_do_not_come_in(place: Place) -> None:
    project = metadata(config={"repo_url": "https://user:secret@example.org/x"})
    archive = Craft(header_of(project)).repo().whole()

    async def url(cognition: Cognition) -> str | None:
        made = await cognition.archives.take(in_pieces(archive, 5000))
        return (await cognition.store.get(made.project_id)).config.repo_url

    assert place.within(url) == "https://example.org/x"


# -- duplicates ----------------------------------------------------------------------------


def test_a_duplicate_is_the_same_with_or_without_its_memory(place: Place) -> None:
    async def run(cognition: Cognition) -> None:
        old = await make(cognition)
        hot = await hot_picture(cognition, old.project_id)
        before = whole_picture(cognition.store.paths(old.project_id))
        whole = await cognition.archives.duplicate(old.project_id, DuplicateProject())
        request = DuplicateProject(memory=False, user_prefix="bare", description="no memory")
        bare = await cognition.archives.duplicate(old.project_id, request)
        assert whole_picture(cognition.store.paths(old.project_id)) == before
        theirs = {
            name: whole_picture(cognition.store.paths(made.project_id))
            for name, made in {"old": old, "whole": whole, "bare": bare}.items()
        }
        assert theirs["whole"] == theirs["old"]
        assert theirs["bare"] == {**theirs["old"], "persistent": {}}
        assert await hot_picture(cognition, whole.project_id) == hot
        assert await hot_picture(cognition, bare.project_id) == {}
        assert (bare.user_prefix, bare.description) == ("bare", "no memory")
        assert (whole.user_prefix, whole.description) == ("odd", "Odd names\nand ☃")
        for made in (whole, bare):
            assert made.config == old.config and made.tags == old.tags
            assert made.cleanup_after_days == 7 and not made.pinned and not made.sessions
            assert made.statistics.total_sessions == 0
            assert not list(cognition.store.paths(made.project_id).logs.iterdir())
        # Two projects from then on.
        (cognition.store.paths(whole.project_id).repo / "plain.txt").write_text("changed")
        assert (cognition.store.paths(old.project_id).repo / "plain.txt").read_text() == "plain\n"

    place.within(run)
    assert on_its_way(place.root) == []


@pytest.mark.parametrize("prefix", ["", "../x", "A", "a" * 33])
def test_a_duplicate_needs_a_good_prefix(place: Place, prefix: str) -> None:
    async def run(cognition: Cognition) -> None:
        old = await cognition.store.create(CreateProject(user_prefix="a"))
        with pytest.raises(CognitionError) as caught:
            request = DuplicateProject(user_prefix=prefix)
            await cognition.archives.duplicate(old.project_id, request)
        assert caught.value.code == "invalid_prefix"

    place.within(run)
    assert len(list(place.root.glob("*-*"))) == 1 and leftovers(place.root) == []
