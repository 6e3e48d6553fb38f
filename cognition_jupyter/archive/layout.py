"""The format of an archive: its names, its lines, and what may be in it.

A gzipped tar file (POSIX.1-2001, "pax"):

    cognition-project.json    first: format, version, what the project is and asks for
    memories/hot/             the newest generation of hot memory, each file verified
    memories/persistent/
    repo/
    deps/ logs/               when they were asked for
    manifest.jsonl            last: a line for each entry before it, with its checksum

A directory comes before what is in it. Only regular files, directories and symbolic links; a file
with several names is several files. An archive that does not end in its manifest is cut short.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from .. import __version__
from ..exceptions import InvalidInput
from ..memory.paths import shown
from ..models import (
    CreateProject,
    Metadata,
    ProjectConfig,
    Statistics,
    first_problem,
    format_time,
    parse,
    utcnow,
)

FORMAT, VERSION = "cognition-project", 1
HEADER, MANIFEST = "cognition-project.json", "manifest.jsonl"
HOT, PERSISTENT, REPO, DEPS, LOGS = (
    "memories/hot",
    "memories/persistent",
    "repo",
    "deps",
    "logs",
)
PARTS = (HOT, PERSISTENT, REPO, DEPS, LOGS)
FILE, DIRECTORY, LINK, SKIPPED = "file", "directory", "link", "skipped"
MAX_HEADER = 1 << 20
MAX_NAME = 4000  # bytes; a little less than a program can open by name
MAX_LINE = 1 << 16
_COUNTS = (1 << 53) - 1
_JOURNAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.jsonl")


class Entry(NamedTuple):
    """An entry of an archive. `size` is of files, `target` of links."""

    name: str
    type: str
    mode: int
    mtime_ns: int
    size: int = 0
    target: str = ""


class Readable(Protocol):
    """What the bytes of a file are read from; never more than asked for, b'' at its end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""


@dataclass
class Totals:
    """What an archive holds. `changed` counts files that were written to while they were read."""

    files: int = 0
    directories: int = 0
    links: int = 0
    bytes: int = 0
    skipped: int = 0
    changed: int = 0

    def count(self, entry: Entry) -> None:
        """Count an entry."""
        self.files += entry.type == FILE
        self.directories += entry.type == DIRECTORY
        self.links += entry.type == LINK
        self.bytes += entry.size


@dataclass
class Report:
    """What came of an export or a copy: its totals, and the first of what is not as it was."""

    totals: Totals = field(default_factory=Totals)
    notes: list[str] = field(default_factory=list)

    def note(self, name: str, why: str) -> None:
        """Keep it, unless there are many already."""
        if len(self.notes) < 100:
            self.notes.append(f"{shown(name)}: {why}")


def refused(why: str) -> InvalidInput:
    """The error for an archive that can't be taken; `why` is a sentence without its full stop."""
    return InvalidInput(f"The archive is refused: {why}.", "bad_archive")


# -- the manifest --------------------------------------------------------------------------


def line(entry: Entry, sha256: str = "", changed: str = "") -> bytes:
    """The line of an entry, always the same for the same entry."""
    fields: dict[str, Any] = {"path": entry.name, "type": entry.type}
    if entry.type == LINK:
        fields |= {"target": entry.target, "mtime_ns": entry.mtime_ns}
    else:
        fields |= {"mode": entry.mode, "mtime_ns": entry.mtime_ns}
    if entry.type == FILE:
        fields |= {"size": entry.size, "sha256": sha256}
    if changed:
        fields["changed"] = changed
    return _json(fields)


def skipped_line(name: str, why: str) -> bytes:
    """The line of something that was left out."""
    return _json({"path": name, "type": SKIPPED, "why": why})


def end_line(totals: Totals) -> bytes:
    """The last line."""
    return _json({"end": asdict(totals)})


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


# -- names ---------------------------------------------------------------------------------


def outside(path: str) -> str:
    """A path as `os` gives it, as it is written: UTF-8, other bytes by PEP 383."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def inside(name: str) -> str:
    """The opposite of `outside`. Raises InvalidInput."""
    try:
        return os.fsdecode(name.encode("utf-8", "surrogateescape"))
    except UnicodeError:
        raise refused(f"{shown(name)} can't be the name of a file") from None


def split(name: str) -> tuple[str, str]:
    """The part that an entry belongs to, and its path in there ('' for the part itself).

    Raises InvalidInput for whatever leads out of there, or belongs nowhere.
    """
    if not name:
        raise refused("an entry has no name")
    if name.startswith("/"):
        raise refused(f"{shown(name)} is an absolute path")
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeError:
        raise refused(f"{shown(name)} can't be the name of a file") from None
    if b"\0" in raw:
        raise refused(f"{shown(name)} holds a NUL")
    if len(raw) > MAX_NAME:
        raise refused(f"{shown(name)} is longer than {MAX_NAME} bytes")
    for piece in raw.split(b"/"):
        if piece == b"..":
            raise refused(f"{shown(name)} leads upwards")
        if piece in (b"", b"."):
            raise refused(f"{shown(name)} has a part without a name")
        if len(piece) > 255:
            raise refused(f"a name in {shown(name)} is longer than 255 bytes")
    for part in PARTS:
        if name == part:
            return part, ""
        if name.startswith(f"{part}/"):
            return part, inside(name[len(part) + 1 :])
    raise refused(f"{shown(name)} is no part of a project")


def is_journal(path: str) -> bool:
    """Whether a file below `logs/` can be the journal of a session."""
    return _JOURNAL.fullmatch(path) is not None


# -- the header ----------------------------------------------------------------------------


class _Project(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    project_id: str
    user_prefix: str
    description: str = ""
    tags: list[Any] = []
    cleanup_after_days: Any = None
    config: dict[str, Any] = {}
    statistics: dict[str, Any] = {}


class Header(BaseModel):
    """The first entry, read with suspicion: what it asks for still has to be allowed."""

    model_config = ConfigDict(strict=True, extra="ignore")

    format: str
    version: int
    project: _Project

    @classmethod
    def parsed(cls, text: bytes) -> Header:
        """Raises InvalidInput."""
        try:
            header = cls.model_validate(from_json(text, allow_inf_nan=False))
        except ValidationError as error:
            raise refused(f"{HEADER}: {first_problem(error).rstrip('.')}") from None
        except ValueError:
            raise refused(f"{HEADER} is not JSON") from None
        if header.format != FORMAT:
            raise refused("it is not one of a project")
        if header.version != VERSION:
            raise refused(f"its format is version {header.version}, this release knows {VERSION}")
        return header

    def request(self) -> CreateProject:
        """The request for a project like this. Raises InvalidInput, as for any request."""
        project = self.project
        config = {k: v for k, v in project.config.items() if k in ProjectConfig.model_fields}
        rest = ("user_prefix", "description", "tags", "cleanup_after_days")
        fields = config | {name: getattr(project, name) for name in rest}
        request: CreateProject = parse(CreateProject, fields)
        return request

    def statistics(self) -> Statistics:
        """The sums of its sessions so far. Raises InvalidInput."""
        found = self.project.statistics
        known = {name: found[name] for name in Statistics.model_fields if name in found}
        try:
            made = Statistics(**known)
        except ValidationError as error:
            raise refused(f"its statistics: {first_problem(error).rstrip('.')}") from None
        if not all(0 <= value <= _COUNTS for value in made.model_dump().values()):
            raise refused("its statistics: a number is out of range")
        return made


def header_of(metadata: Metadata) -> bytes:
    """The first entry for that project: nothing of this server, of its sessions or its users."""
    document = metadata.model_dump(mode="json")
    kept = ("project_id", "user_prefix", "created_at", "description", "tags")
    config = {name: document["config"][name] for name in ProjectConfig.model_fields}
    statistics = {name: document["statistics"][name] for name in Statistics.model_fields}
    project = {name: document[name] for name in (*kept, "cleanup_after_days")}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": format_time(utcnow()),
        "release": __version__,
        "project": project | {"config": config, "statistics": statistics},
    }
    return json.dumps(header, indent=1).encode() + b"\n"
