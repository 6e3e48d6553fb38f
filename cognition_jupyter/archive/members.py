"""The members of a tar file from a stranger, one after the other, in bounded memory.

Python's tarfile reads the format; this refuses what it would otherwise read at any length, follow
or make up: extended headers of any size, sparse files, links and devices.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Callable
from typing import Any

from ..exceptions import CognitionError
from ..memory.paths import shown
from .layout import DIRECTORY, FILE, LINK, Entry, Readable, refused

_MAX_EXTENDED = 10_000  # bytes of a pax header: two long names and a few numbers
_RECORD = re.compile(rb"([1-9][0-9]{0,4}) ([A-Za-z][A-Za-z0-9._-]{0,99})=", re.ASCII)
_BINARY = b"21 hdrcharset=BINARY\n"
_PIECE = 1 << 16
_MAX_PADDING = 1 << 20
_TYPES = {
    tarfile.REGTYPE: FILE,
    tarfile.AREGTYPE: FILE,
    tarfile.DIRTYPE: DIRECTORY,
    tarfile.SYMTYPE: LINK,
}
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.XGLTYPE: "a global extended header",
    tarfile.SOLARIS_XHDTYPE: "an extended header of Solaris",
    tarfile.GNUTYPE_LONGNAME: "a long name of GNU tar",
    tarfile.GNUTYPE_LONGLINK: "a long name of GNU tar",
}
_TIME = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9})\d{0,20})?", re.ASCII)
_TIMES = 1 << 63  # nanoseconds


class Inflated:
    """What tarfile reads from: one gzip member, up to a limit, and nothing behind it.

    `source` gives the next bytes, b'' at the end.
    """

    def __init__(self, source: Callable[[], bytes], most: int) -> None:
        self._source = source
        self._most = most
        self._gzip = zlib.decompressobj(31)
        self._total = 0

    def read(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end. Raises InvalidInput."""
        found = bytearray()
        while len(found) < size and not self._gzip.eof:
            data = self._gzip.unconsumed_tail or self._source()
            if not data:
                raise refused("it is cut short")
            try:
                found += self._gzip.decompress(data, size - len(found))
            except zlib.error:
                raise refused("it is damaged, or no gzip file") from None
        self._total += len(found)
        if self._total > self._most:
            raise refused(f"it holds more than {self._most} bytes (Archives.max_bytes)")
        return bytes(found)

    def finish(self) -> None:
        """Raise InvalidInput unless all was read, and nothing follows."""
        if self.read(1) or self._gzip.unused_data or self._source():
            raise refused("something follows its end")


class _Member(tarfile.TarInfo):
    """A member; tarfile calls `_proc_member` with each header, for just this purpose."""

    def _proc_member(self, archive: Any) -> Any:
        if self.size < 0:
            raise refused(f"{shown(self.name)} has a negative size")
        extended = self.type == tarfile.XHDTYPE
        if extended:
            if self.size > _MAX_EXTENDED:
                raise refused(f"an extended header has {self.size} bytes")
            if archive.extended:
                raise refused("an extended header follows another")
            stream = archive.fileobj
            records = stream.read(-(-self.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE)
            _check_records(records[: self.size])
            archive.fileobj = _Reread(_BINARY + records, archive, stream)
        elif self.type not in _TYPES:
            kind = _KINDS.get(self.type, f"of type {self.type!r}")
            raise refused(f"{shown(self.name)} is {kind}")
        archive.extended = extended
        return super()._proc_member(archive)  # type: ignore[misc]


class _Reread:
    """Gives tarfile the extended header that was read to be checked, and the stream back.

    First in it is the record that tarfile otherwise looks for in all of it, in quadratic time. It
    says that names are bytes, which is how they are read here in any case.
    """

    def __init__(self, header: bytes, archive: Any, stream: Any) -> None:
        self._header = header
        self._archive = archive
        self._stream = stream

    def read(self, size: int) -> bytes:
        """All of the header."""
        self._archive.fileobj = self._stream
        return self._header


def _check_records(header: bytes) -> None:
    """Refuse an extended header that is none, or is about a sparse file."""
    at = 0
    while at < len(header):
        match = _RECORD.match(header, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(header) or header[end - 1] != 0x0A:
            raise refused("an extended header can't be read")
        if match[2].startswith(b"GNU.sparse"):
            raise refused("a sparse file is in it")
        at = end


class _Tar(tarfile.TarFile):
    tarinfo = _Member
    extended = False


class Members:
    """Reads one member after the other. Raises InvalidInput for whatever is no archive of ours."""

    def __init__(self, source: Callable[[], bytes], most: int) -> None:
        self._stream = Inflated(source, most)
        self._tar: Any = None

    def next(self) -> tuple[Entry, Readable | None] | None:
        """The next member and, of a file, what its bytes are read from; None at the end."""
        info = self._guarded(self._next)
        if info is None:
            return None
        kind = _TYPES[info.type]
        if kind != FILE and info.size:
            raise refused(f"{shown(info.name)} is no file and has {info.size} bytes")
        if info.issparse():
            raise refused(f"{shown(info.name)} is a sparse file")
        size = info.size if kind == FILE else 0
        target = info.linkname if kind == LINK else ""
        entry = Entry(info.name, kind, info.mode & 0o7777, _time(info), size, target)
        return entry, _Body(self, info) if kind == FILE else None

    def _next(self) -> tarfile.TarInfo | None:
        if self._tar is None:
            stream: Any = self._stream  # all that is called of it is `read`
            self._tar = _Tar.open(
                mode="r|",
                fileobj=stream,
                encoding="utf-8",
                errors="surrogateescape",
                bufsize=_PIECE,
            )
        tar = self._tar
        tar.extended = False
        info: tarfile.TarInfo | None = tar.next()
        members: list[Any] = vars(tar)["members"]
        members.clear()  # it remembers all, to no use here
        return info

    def body(self, info: tarfile.TarInfo) -> Readable:
        """What the bytes of a member are read from."""
        found: Readable | None = self._tar.extractfile(info)
        assert found is not None
        return found

    def finish(self) -> None:
        """Raise InvalidInput unless the archive ends here."""
        self._guarded(self._read_padding)
        self._stream.finish()

    def _read_padding(self) -> None:
        # Not `next`: for that, too, a header that can't be read is the end.
        self._tar.fileobj.seek(self._tar.offset)
        padding = 0
        while piece := self._tar.fileobj.read(_PIECE):
            padding += len(piece)
            if padding > _MAX_PADDING or piece.count(0) != len(piece):
                raise refused("something follows its manifest")

    def _guarded(self, read: Callable[[], Any]) -> Any:
        """What tarfile says, and what it stumbles over, as our error."""
        try:
            return read()
        except CognitionError:
            raise
        except tarfile.TarError as error:
            raise refused(f"it is damaged or cut short ({str(error)[:100]})") from None
        except (ValueError, OverflowError, TypeError, LookupError, RecursionError):
            raise refused("a header in it can't be read") from None


class _Body:
    """The bytes of a file; fewer than its size is an archive that is cut short."""

    def __init__(self, members: Members, info: tarfile.TarInfo) -> None:
        self._members = members
        self._file = members.body(info)

    def read(self, size: int) -> bytes:
        """The next bytes."""
        found: bytes = self._members._guarded(lambda: self._file.read(size))
        return found


def _time(info: tarfile.TarInfo) -> int:
    """The time of its last change in nanoseconds."""
    text = info.pax_headers.get("mtime")
    if text is None:
        return int(info.mtime) * 10**9
    match = _TIME.fullmatch(text)
    if match is None:
        raise refused(f"{shown(info.name)} has no time that can be read")
    sign, seconds, fraction = match.groups()
    time = int(seconds) * 10**9 + int((fraction or "").ljust(9, "0"))
    if time >= _TIMES:
        raise refused(f"{shown(info.name)} has no time that can be read")
    return -time if sign else time
