"""The client's calls of REST, against a real server."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from cognition_jupyter.client import Client, ClientError, File, Listing
from cognition_jupyter.client.shapes import memory, projects, service, sessions
from cognition_jupyter.client.shapes.base import Answer

from ..handlers.contract import described, resolve, schema_of
from ..support.server import TOKEN, Server, unique

SHAPES = {
    name: shape
    for module in (memory, projects, service, sessions)
    for name, shape in vars(module).items()
    if inspect.isclass(shape) and issubclass(shape, Answer) and shape is not Answer
}
# By the names in openapi.yaml.
NAMED = {
    "Config": "ProjectConfig",
    "Details": "Project",
    "Summary": "ProjectSummary",
}


def connect(server: Server, token: str = TOKEN) -> Client:
    return Client(server.url, token)


def test_every_operation_has_a_call() -> None:
    for operation in described().values():
        call = getattr(Client, operation["operationId"])
        assert inspect.getdoc(call), operation["operationId"]


def test_the_shapes_are_the_described_ones() -> None:
    names = ("Config", "Details", "Summary", "Statistics", "Session", "Resumable", "Health")
    names += ("Template", "Usage", "Route", "Listing", "Snapshot", "SnapshotDetails", "Change")
    for name in (*names, "SessionUsage", "SnapshotEntry", "Difference", "Restored"):
        schema = schema_of(name)
        bases = [resolve(base) for base in schema.get("allOf", ())]
        properties = {key for each in (schema, *bases) for key in each.get("properties", ())}
        shape = SHAPES[NAMED.get(name, name)]
        fields = {field.alias or key for key, field in shape.model_fields.items()}
        assert fields == properties, name


def test_importing_it_brings_nothing_of_the_server() -> None:
    code = "import sys, cognition_jupyter.client; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "httpx" in loaded
    assert not {"jupyter_server", "jupyter_client", "docker", "zmq", "traitlets"} & {*loaded}


async def test_a_project_from_its_beginning_to_its_end(small: Server) -> None:
    prefix = unique("life")
    async with connect(small) as client:
        made = await client.create_project(prefix, description="äöü", tags=["a", "b"])
        project_id = made.project_id
        assert (made.description, made.tags, made.config.network_mode) == ("äöü", ["a", "b"], "OFF")
        changed = await client.change_project(project_id, description="x", tags=["c"])
        assert changed == await client.get_project(project_id) and changed.tags == ["c"]
        listed = await client.list_projects(prefix, tags=["c", "d"])
        assert [p.project_id for p in listed.projects] == [project_id] and listed.total == 1
        assert (await client.list_projects(prefix, tags=["a"])).total == 0
        assert (await client.extend_project(project_id, pin=True)).pinned
        unpinned = await client.unpin_project(project_id)
        assert made.trusted and not (await client.trust_project(project_id, False)).trusted
        later = await client.extend_project(project_id, days=7)
        assert unpinned.cleanup_at is not None and later.cleanup_at is not None
        assert (later.cleanup_at - unpinned.cleanup_at).days == 7
        assert (await client.get_usage(project_id)).totals.sessions == 0
        assert "python-package" in [t.name for t in await client.list_templates()]
        copy = await client.duplicate_project(project_id, description="copy")
        await client.delete_project(copy.project_id, permanent=True)
        await client.delete_project(project_id)
        trash = [p async for p in client.iterate_projects(prefix, status="trashed")]
        assert [p.trashed_reason for p in trash] == ["client"]
        assert (await client.restore_project(project_id)).status == "idle"
        assert project_id in [p.project_id for p in await client.list_resumable()]
        cleanup = await client.clean_up(dry_run=True)
        assert cleanup.dry_run and not cleanup.trashed
        health = await client.get_health()
        assert (health.status, health.runtime.name) == ("ok", "bubblewrap")


async def test_a_list_comes_in_pages(small: Server) -> None:
    prefix = unique("pages")
    async with connect(small) as client:
        made = [(await client.create_project(prefix)).project_id for _ in range(5)]
        found = [p.project_id async for p in client.iterate_projects(prefix, page_size=2)]
        assert found == made[::-1]
        # A project that is used while the list is read moves to its front.
        found = []
        async for project in client.iterate_projects(prefix, page_size=2):
            found.append(project.project_id)
            if len(found) == 2:
                await client.change_project(made[0], description="now first")
                session = await client.start_session(made[0])
                await client.end_session(made[0], session.session_id)
        assert sorted(found) == sorted(set(found)) and {*made[1:]} <= {*found}


async def test_memory_and_its_history(small: Server) -> None:
    async with connect(small) as client:
        project_id = (await client.create_project(unique("memory"))).project_id
        plan = "/memories/hot/a folder/plan äöü%.md"
        written = await client.write_memory(project_id, plan, b"first", only_new=True)
        with pytest.raises(ClientError) as refused:
            await client.write_memory(project_id, plan, b"second", only_new=True)
        assert refused.value.status == 412
        read = await client.read_memory(project_id, plan)
        assert read == File(b"first", written.etag)
        assert (await client.take_snapshot(project_id)).generation == 1
        await client.write_memory(project_id, plan, b"second", if_match=written.etag)
        with pytest.raises(ClientError) as stale:
            await client.write_memory(project_id, plan, b"third", if_match=written.etag)
        assert (stale.value.status, stale.value.code) == (412, "precondition_failed")
        raw = b"/memories/hot/\xff\xfe"
        await client.write_memory(project_id, raw, b"\x00")
        assert await client.read_memory(project_id, raw) != read
        assert (await client.take_snapshot(project_id)).created
        assert [s.generation for s in await client.list_snapshots(project_id)] == [2, 1]
        assert {e.type for e in (await client.get_snapshot(project_id, 2)).entries} >= {"file"}
        difference = await client.diff_snapshots(project_id, 2, against=1)
        assert (difference.from_, difference.to) == (1, 2)
        assert len(difference.changed) == len(difference.added) == 1
        restored = await client.restore_snapshot(project_id, 1)
        assert restored.undo == 2 and not restored.lost
        assert await client.read_memory(project_id, plan) == read
        listing = await client.read_memory(project_id, "/memories/hot")
        assert isinstance(listing, Listing) and [e.name for e in listing.entries] == ["a folder"]
        await client.delete_memory(project_id, "/memories/hot/a folder")
        routes = (await client.list_memory_routes(project_id)).routes
        assert [r.files for r in routes if r.prefix == "/memories/hot/"] == [0]


@pytest.mark.parametrize("url", ["", "127.0.0.1:8888", "ftp://host", "ws://host"])
def test_an_address_of_no_server_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        Client(url)


@pytest.mark.parametrize("path", ["", "/", "/memories/hot/../x", "/memories/./x", "a//b"])
async def test_a_path_that_would_mean_another_is_not_sent(small: Server, path: str) -> None:
    async with connect(small) as client:
        with pytest.raises(ValueError, match="no virtual path"):
            await client.delete_memory("nobody-00000000", path)


@pytest.mark.parametrize("project_id", ["", ".", ".."])
async def test_an_id_that_would_mean_another_address_is_not_sent(
    small: Server, project_id: str
) -> None:
    async with connect(small) as client:
        with pytest.raises(ValueError, match="can't be part of an address"):
            await client.delete_project(project_id)


@pytest.mark.parametrize("project_id", ["a/b", "a?b=c", "a#b", "ä", "%2e%2e", "a b", "A-1"])
async def test_whatever_else_an_id_holds_reaches_the_server(small: Server, project_id: str) -> None:
    async with connect(small) as client:
        with pytest.raises(ClientError) as refused:
            await client.get_project(project_id)
        assert (refused.value.status, refused.value.code) == (400, "invalid_project_id")


async def test_sessions(small: Server) -> None:
    async with connect(small) as client:
        project_id = (await client.create_project(unique("sessions"))).project_id
        session = await client.start_session(project_id, "OFF")
        assert await client.get_session(project_id, session.session_id) == session
        usage = await client.get_session_usage(project_id, session.session_id)
        assert usage.memory_bytes and usage.cpu_seconds is not None
        assert session in await client.list_all_sessions()
        assert await client.list_sessions(project_id) == [session]
        with pytest.raises(ClientError) as refused:
            await client.delete_project(project_id)
        assert refused.value.code == "active_sessions"
        ended = await client.end_session(project_id, session.session_id)
        assert ended.reason == "client" and ended.ended_at is not None
        assert (await client.get_usage(project_id)).reasons == {"client": 1}


async def test_errors_carry_status_code_and_sentence(small: Server) -> None:
    async with connect(small) as client:
        with pytest.raises(ClientError) as missing:
            await client.get_project("nobody-00000000")
        error = missing.value
        assert (error.status, error.code) == (404, "project_not_found")
        assert "nobody-00000000" in error.message and error.message in str(error)
        with pytest.raises(ClientError) as wrong:
            await client.create_project("a", network_mode=7)  # type: ignore[arg-type]
        assert wrong.value.status == 400 and "network_mode" in wrong.value.message
    async with Client(f"{small.url}/nowhere/", TOKEN) as client:
        with pytest.raises(ClientError) as lost:
            await client.get_health()
        assert (lost.value.status, lost.value.code) == (404, "not_found")
    for token in ("", "wrong"):
        async with connect(small, token) as client:
            for call in (client.list_projects(), client.converse(user_prefix="a").__aenter__()):
                with pytest.raises(ClientError) as stranger:
                    await call
                assert (stranger.value.status, stranger.value.code) == (403, "forbidden")


async def test_a_server_that_is_none_of_ours() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Client(url) as client:
        with pytest.raises(ClientError) as odd:
            await client.get_health()
        assert odd.value.code == "unexpected_answer"
        with pytest.raises(ClientError) as plain:
            await client.converse(user_prefix="a").__aenter__()
        assert plain.value.code == "unreachable"
    async with Client(url) as client:
        for call in (client.get_health(), client.converse(user_prefix="a").__aenter__()):
            with pytest.raises(ClientError) as gone:
                await call
            assert (gone.value.code, gone.value.status) == ("unreachable", None)
            assert url in gone.value.message


async def test_a_project_travels_as_a_stream(small: Server) -> None:
    async with connect(small) as client:
        project = await client.create_project(unique("travels"), description="far")
        await client.write_memory(project.project_id, "/workspace/big", b"x" * (3 << 20))
        async with client.export_project(project.project_id, logs=True) as pieces:
            archive = [piece async for piece in pieces]
        assert gzip.decompress(b"".join(archive))

        async def sent() -> AsyncIterator[bytes]:
            for piece in archive:
                yield piece

        for body in (sent(), b"".join(archive)):
            there = await client.import_project(body)
            assert there.description == "far" and there.project_id != project.project_id
            big = await client.read_memory(there.project_id, "/workspace/big")
            assert isinstance(big, File) and len(big.data) == 3 << 20
        with pytest.raises(ClientError) as cut:
            await client.import_project(b"".join(archive)[:-100])
        assert (cut.value.status, cut.value.code) == (400, "bad_archive")
        with pytest.raises(ClientError) as missing:
            async with client.export_project("nobody-00000000"):
                raise AssertionError
        assert missing.value.code == "project_not_found"
