"""Writing an archive: one pass over a project, nothing held but what is on its way."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .layout import (
    DIRECTORY,
    FILE,
    HEADER,
    LINK,
    MANIFEST,
    Entry,
    Readable,
    Report,
    end_line,
    line,
    skipped_line,
)
from .source import Found, check_size

_TYPES = {FILE: tarfile.REGTYPE, DIRECTORY: tarfile.DIRTYPE, LINK: tarfile.SYMTYPE}
_PIECE = 1 << 18
_LEVEL = 1  # of gzip: three times the speed of the usual level, a tenth more bytes


class Deflated:
    """Compresses what is written to it, and passes it on in pieces.

    Without a time or a name in its head: the same bytes in give the same bytes out.
    """

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink
        self._gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
        self._pieces = bytearray()
        self.bytes = 0
        self.ended = False

    def write(self, data: bytes) -> int:
        """Called by tarfile, which also does so when it is collected as garbage."""
        if not self.ended:
            self._pieces += self._gzip.compress(data)
            if len(self._pieces) >= _PIECE:
                self._flush()
        return len(data)

    def finish(self) -> None:
        """Write the end."""
        self._pieces += self._gzip.flush()
        self._flush()
        self.ended = True

    def _flush(self) -> None:
        self.bytes += len(self._pieces)
        piece = bytes(self._pieces)
        self._pieces.clear()
        self._sink(piece)


def write_archive(
    header: bytes,
    items: Iterable[Found],
    sink: Callable[[bytes], None],
    scratch: Path,
    most: int,
) -> tuple[Report, int]:
    """Write an archive of `items` to `sink`; returns what is in it and how many bytes it has.

    `scratch` is a directory for a file without a name that holds the manifest until it is its
    turn. Raises TooLarge beyond `most` bytes of files, OSError, and what items and sink raise: what
    was written is not whole then, and does not look so.
    """
    out = Deflated(sink)
    report = Report()
    with tempfile.TemporaryFile(dir=scratch) as lines:
        try:
            options: dict[str, Any] = {"bufsize": 1 << 16, "copybufsize": 1 << 16}
            stream: Any = out  # all that is called of it is `write`
            tar = tarfile.open(  # noqa: SIM115 - closing it would write an end
                mode="w|",
                fileobj=stream,
                format=tarfile.PAX_FORMAT,
                encoding="utf-8",
                errors="surrogateescape",
                **options,
            )
            lines.write(_document(tar, HEADER, header))
            for found in items:
                if found.entry is None:
                    lines.write(skipped_line(found.name, found.why))
                    report.totals.skipped += 1
                    report.note(found.name, f"it is left out: {found.why}")
                    continue
                report.totals.count(found.entry)
                check_size(report.totals.bytes, most)
                _add(tar, found.entry, found.content)
                digest = changed = ""
                if found.content is not None:
                    digest, changed = found.content.finish(found.name)
                    if changed:
                        report.totals.changed += 1
                        report.note(found.name, changed)
                lines.write(line(found.entry, digest, changed))
            lines.write(end_line(report.totals))
            size = lines.tell()
            lines.seek(0)
            _add(tar, Entry(MANIFEST, FILE, 0o644, 0, size), lines)
            tar.close()
            out.finish()
        finally:
            out.ended = True
    return report, out.bytes


def _document(tar: tarfile.TarFile, name: str, text: bytes) -> bytes:
    """Add a file with that text; returns its line."""
    entry = Entry(name, FILE, 0o644, 0, len(text))
    _add(tar, entry, io.BytesIO(text))
    return line(entry, hashlib.sha256(text).hexdigest())


def _add(tar: tarfile.TarFile, entry: Entry, content: Readable | None) -> None:
    info = tarfile.TarInfo(entry.name)
    info.type = _TYPES[entry.type]
    info.mode, info.size, info.linkname = entry.mode, entry.size, entry.target
    seconds, fraction = divmod(entry.mtime_ns, 10**9)
    if fraction or not 0 <= seconds < 8**11:
        info.pax_headers = {"mtime": decimal(entry.mtime_ns)}
    info.mtime = seconds if 0 <= seconds < 8**11 else 0
    file: Any = content
    tar.addfile(info, file)
    members: list[Any] = vars(tar)["members"]
    members.clear()  # it remembers all, to no use here


def decimal(nanoseconds: int) -> str:
    """A time in seconds, as pax has it: no float could hold it."""
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    sign = "-" if nanoseconds < 0 else ""
    return f"{sign}{seconds}.{fraction:09d}".rstrip("0").rstrip(".")
