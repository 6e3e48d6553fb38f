"""What the tests of archives share: a root, pictures of projects, archives made by hand."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from traitlets.config import Config

from cognition_jupyter.archive.layout import (
    DIRECTORY,
    FILE,
    HEADER,
    LINK,
    MANIFEST,
    Entry,
    Totals,
    end_line,
    header_of,
    line,
)
from cognition_jupyter.core import Cognition
from cognition_jupyter.models import Metadata, utcnow
from cognition_jupyter.projects.stage import ProjectPaths
from cognition_jupyter.projects.tree import remove_tree

from ..memory.snapshot_support import Picture, picture

T = TypeVar("T")
MTIME = 1_700_000_000


class Place:
    """A root with RAM of its own, worked on as a program does."""

    def __init__(self, **config: dict[str, Any]) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cognition-test-archive-"))
        self.ram = Path(tempfile.mkdtemp(prefix="cgn", dir="/dev/shm"))
        self.root = self.directory / "workspaces"
        self.config = {"RamDirectories": {"hot_root": str(self.ram)}, **config}

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *error: object) -> None:
        remove_tree(self.directory)
        remove_tree(self.ram)

    def within(self, work: Callable[[Cognition], Awaitable[T]]) -> T:
        async def run() -> T:
            async with Cognition.unserved(self.root, Config(self.config)) as cognition:
                return await work(cognition)

        return asyncio.run(run())

    def take(self, archive: bytes, piece: int = 7919) -> str:
        """Import; returns the new id."""

        async def take(cognition: Cognition) -> str:
            return (await cognition.archives.take(in_pieces(archive, piece))).project_id

        return self.within(take)

    def export(self, project_id: str, **options: Any) -> bytes:
        return self.within(lambda cognition: exported(cognition, project_id, **options))

    def paths(self, project_id: str) -> ProjectPaths:
        return ProjectPaths.under(self.root / project_id)


async def exported(cognition: Cognition, project_id: str, **options: Any) -> bytes:
    async with aclosing(cognition.archives.export(project_id, **options)) as pieces:
        return b"".join([piece async for piece in pieces])


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def whole_picture(paths: ProjectPaths, deps: bool = True) -> dict[str, Picture]:
    """All that an archive carries over, byte for byte; hot memory as its generation has it."""
    parts = {"repo": paths.repo, "persistent": paths.persistent}
    if deps:
        parts["deps"] = paths.deps
    return {name: picture(path) for name, path in parts.items()}


def on_its_way(root: Path) -> list[Path]:
    """What is on its way into the root, or out of it."""
    private = root / ".cognition"
    return [*(private / "incoming").iterdir(), *(private / "deleting").iterdir()]


# -- archives made by hand -----------------------------------------------------------------


class Craft:
    """An archive, entry by entry; whole and good unless it is told otherwise."""

    def __init__(self, header: bytes | None = None, first: bool = True) -> None:
        self.raw = io.BytesIO()
        self.lines: list[bytes] = []
        self.totals = Totals()
        self.tar = tarfile.open(  # noqa: SIM115
            mode="w", fileobj=self.raw, format=tarfile.PAX_FORMAT, errors="surrogateescape"
        )
        if first:
            text = header_of(metadata()) if header is None else header
            self.add(HEADER, text, listed=False)
            digest = hashlib.sha256(text).hexdigest()
            mtime = MTIME * 10**9
            self.lines.append(line(Entry(HEADER, FILE, 0o644, mtime, len(text)), digest))

    def add(
        self,
        name: str,
        data: bytes = b"",
        kind: bytes = tarfile.REGTYPE,
        listed: bool = True,
        sha256: str | None = None,
        **fields: Any,
    ) -> Craft:
        """An entry, and its line in the manifest."""
        info = tarfile.TarInfo(name)
        info.type, info.size, info.mode, info.mtime = kind, len(data), 0o644, MTIME
        for field, value in fields.items():
            setattr(info, field, value)
        self.tar.addfile(info, io.BytesIO(data))
        if listed:
            types = {tarfile.DIRTYPE: DIRECTORY, tarfile.SYMTYPE: LINK}
            entry = Entry(
                name,
                types.get(kind, FILE),
                info.mode,
                MTIME * 10**9,
                len(data),
                info.linkname,
            )
            self.totals.count(entry)
            self.lines.append(line(entry, sha256 or hashlib.sha256(data).hexdigest()))
        return self

    def directory(self, name: str, **fields: Any) -> Craft:
        return self.add(name, kind=tarfile.DIRTYPE, **{"mode": 0o755, **fields})

    def link(self, name: str, target: str, **fields: Any) -> Craft:
        return self.add(name, kind=tarfile.SYMTYPE, linkname=target, **fields)

    def repo(self) -> Craft:
        return self.directory("repo")

    def block(self, info: tarfile.TarInfo, data: bytes = b"") -> Craft:
        """A header as it stands, and what follows it."""
        self.tar.fileobj.write(info.tobuf(tarfile.GNU_FORMAT))  # type: ignore[union-attr]
        return self.bytes(data + bytes(-len(data) % 512))

    def bytes(self, data: bytes) -> Craft:
        self.tar.fileobj.write(data)  # type: ignore[union-attr]
        self.tar.offset += 0  # type: ignore[attr-defined]
        return self

    @property
    def manifest(self) -> bytes:
        return b"".join(self.lines) + end_line(self.totals)

    def tar_bytes(self, manifest: bytes | None = None, end: bool = True) -> bytes:
        if manifest != b"":
            self.add(MANIFEST, self.manifest if manifest is None else manifest, listed=False)
        return self.raw.getvalue() + (bytes(10240) if end else b"")

    def whole(self, manifest: bytes | None = None) -> bytes:
        return gzip.compress(self.tar_bytes(manifest), 1)


def metadata(**fields: Any) -> Metadata:
    known = {"project_id": "demo-0123abcd", "user_prefix": "demo"}
    return Metadata(**{**known, "created_at": utcnow(), "last_accessed": utcnow(), **fields})


@contextmanager
def peak_of(pid: int) -> Iterator[Callable[[], int]]:
    """How many more bytes of memory the process has used at most since then."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM begins anew

    def read(name: str) -> int:
        text = Path(f"/proc/{pid}/status").read_text()
        return int(text.split(f"{name}:")[1].split()[0]) << 10

    before = read("VmRSS")
    yield lambda: read("VmHWM") - before


def fill_with(directory: Path, count: int, size: int, seed: int = 0) -> None:
    """So many files of that size: half noise, half text, and a hole."""
    noise = os.urandom(1 << 20)
    text = (b"line %d of a text that compresses\n" * 1) % seed * (1 << 15)
    for number in range(count):
        with (directory / f"file-{number}").open("wb") as file:
            left = size
            while left > 0:
                piece = (noise if number % 2 else text)[: min(left, 1 << 20)]
                file.write(piece)
                left -= len(piece)
