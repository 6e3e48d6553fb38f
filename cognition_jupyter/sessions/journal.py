"""The journal of a session: its numbered events, a JSON line each, as long as there is room.

`.logs/{session_id}.jsonl` is what is written now; when it is full it becomes
`.logs/{session_id}.1.jsonl`, and what that was before is gone. A line begins with its number. Only
the process that owns the session writes. Everything here waits for the disk.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from ..exceptions import CognitionError
from ..models import SESSIONS_KEPT

SEGMENT_BYTES = 32 << 20  # of each of the two files
LONGEST_LINE = 24 << 20  # with its end; none is written that is longer
_SEQ = re.compile(rb'\{"seq":([0-9]{1,15}),')
PIECE = 1 << 18  # bytes that are read at once
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class EventsGone(CognitionError):
    """The journal does not go back that far any more."""

    status = 410
    code = "events_gone"


def line_of(seq: int, rest: str) -> bytes:
    """The line of event `seq`; `rest` is its JSON object without that number."""
    return f'{{"seq":{seq},{rest[1:]}\n'.encode()


def seq_of(line: bytes) -> int:
    """The number of a line; 0 for what is none."""
    found = _SEQ.match(line)
    return int(found[1]) if found else 0


class Journal:
    """Writes one session's journal. Any number of `Reader`s may read it meanwhile."""

    def __init__(
        self, directory: Path, session_id: str, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self.current = directory / f"{session_id}.jsonl"
        self.older = directory / f"{session_id}.1.jsonl"
        self._segment_bytes = segment_bytes

    def last(self) -> tuple[int, bytes]:
        """Number and line of the newest event; 0 when there is none.

        What a killed process left of a line is cut off first.
        """
        for path in (self.current, self.older):
            try:
                fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                line = _last(fd)
                if found := seq_of(line):
                    return found, line
            finally:
                os.close(fd)
        return 0, b""

    def newest(self) -> int:
        """Number of the newest whole line, while the session may be writing."""
        for path in (self.current, self.older):
            try:
                fd = os.open(path, _READ)
            except FileNotFoundError:
                continue
            try:
                if found := seq_of(_last(fd, cut=False)):
                    return found
            finally:
                os.close(fd)
        return 0

    def append(self, lines: Iterable[bytes]) -> None:
        """Write whole lines, all of them or, with an OSError, none."""
        lines = [*lines]
        if any(len(line) > LONGEST_LINE for line in lines):
            raise OSError(errno.EFBIG, "An event is too large")
        data = b"".join(lines)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.current, flags, 0o600)
        try:
            size = os.fstat(fd).st_size
            try:
                _write(fd, data)
            except OSError:
                os.ftruncate(fd, size)
                raise
        finally:
            os.close(fd)
        if size + len(data) > self._segment_bytes:
            os.replace(self.current, self.older)


def prune(directory: Path, staying: Collection[str], keep: int = SESSIONS_KEPT) -> None:
    """Remove the journals of all but the newest `keep` sessions, and never those of `staying`."""
    newest: dict[str, float] = {}
    stay: set[str] = set()
    with os.scandir(directory) as entries:
        for entry in entries:
            name = entry.name.removesuffix(".jsonl").removesuffix(".1")
            if not entry.name.endswith(".jsonl"):
                continue
            if name in staying:
                stay.add(name)
                continue
            written = entry.stat(follow_symlinks=False).st_mtime
            newest[name] = max(written, newest.get(name, 0.0))
    room = max(0, keep - max(1, len(stay)))  # of those that stay one may have no file yet
    for name in sorted(newest, key=newest.__getitem__, reverse=True)[room:]:
        journal = Journal(directory, name)
        journal.older.unlink(missing_ok=True)
        journal.current.unlink(missing_ok=True)


def read_events(journal: Journal, since: int) -> tuple[list[bytes], int]:
    """The lines after event `since`, not all if they are many, and the newest number."""
    last = journal.newest()
    reader = Reader(journal, since)
    try:
        found = reader.read() if since < last else []
    finally:
        reader.close()
    return [line for _, line in found], max([last, *(seq for seq, _ in found)])


class Reader:
    """Reads a journal from behind event `since` on, in pieces; goes on where it stopped.

    To be closed. Raises EventsGone when events in between are not there any more.
    """

    def __init__(self, journal: Journal, since: int) -> None:
        self._journal = journal
        self._next = since + 1
        self._fd = -1
        self._rest = b""

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, most: int = PIECE) -> list[tuple[int, bytes]]:
        """The next events as (number, line), of about `most` bytes; none at the end for now."""
        found: list[tuple[int, bytes]] = []
        while not found:
            if self._fd < 0 and not self._open():
                break
            piece = os.read(self._fd, most)
            if not piece:
                if not self._turn_page():
                    break
                continue
            *lines, self._rest = (self._rest + piece).split(b"\n")
            if len(self._rest) > LONGEST_LINE:
                raise EventsGone("The journal of this session can't be read.", "journal_damaged")
            for line in lines:
                seq = seq_of(line)
                if seq < self._next:
                    continue
                if seq > self._next:
                    self._gone()
                found.append((seq, line))
                self._next = seq + 1
        return found

    def _open(self) -> bool:
        """Begin with the older file if what is wanted is not behind it."""
        for path in (self._journal.older, self._journal.current):
            try:
                fd = os.open(path, _READ)
            except FileNotFoundError:
                continue
            self._fd, self._rest = fd, b""
            return True
        return False

    def _turn_page(self) -> bool:
        """At the end of a file: go on with the one after it, if there is one by now."""
        # In this order: if the second is still ours, the first came right after it.
        files = _opened(self._journal.current), _opened(self._journal.older)
        current, older = files
        kept = -1
        try:
            if _same(self._fd, current):
                return self._more()
            # What was written between our last read and the change of files is still to be read.
            if self._more():
                return True
            # In neither place: the files were turned over twice meanwhile.
            kept = current if older < 0 or _same(self._fd, older) else older
            if kept < 0:
                return False  # this one was just filled
            self.close()
            self._fd, self._rest = kept, b""
            return True
        finally:
            for fd in files:
                if fd >= 0 and fd != kept:
                    os.close(fd)

    def _more(self) -> bool:
        return os.lseek(self._fd, 0, os.SEEK_CUR) < os.fstat(self._fd).st_size

    def _gone(self) -> None:
        raise EventsGone(
            f"Events {self._next} and later of this session are not kept any more; begin anew.",
        )


def _opened(path: Path) -> int:
    """Descriptor of a file to read; -1 when it is not there."""
    try:
        return os.open(path, _READ)
    except FileNotFoundError:
        return -1


def _same(fd: int, other: int) -> bool:
    return other >= 0 and os.path.samestat(os.fstat(fd), os.fstat(other))


def _last(fd: int, cut: bool = True) -> bytes:
    """The last whole line; with `cut`, a part of one behind it is cut off."""
    size = os.fstat(fd).st_size
    tail, at = b"", size
    while at > 0:
        step = min(PIECE, at)
        at -= step
        tail = os.pread(fd, step, at) + tail
        end = tail.rfind(b"\n")
        begin = tail.rfind(b"\n", 0, max(end, 0)) + 1
        if end >= 0 and (begin > 0 or at == 0):
            if cut and at + end + 1 < size:
                os.ftruncate(fd, at + end + 1)
            return tail[begin:end]
    if cut and size:
        os.ftruncate(fd, 0)
    return b""


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
