"""The audit log: every event as a line of JSON in a file, past the bus that anyone may post to."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import queue
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from traitlets import Integer, TraitError, Unicode
from traitlets.config import LoggingConfigurable

from .events import Event
from .models import format_time

_LEFT_OUT = ("progress", "journal")  # the journal itself says more
_MOST_PENDING = 10_000  # lines that wait for a disk that fails
_OPEN = os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PATIENCE = 10.0  # seconds that the end waits for the disk; half of it for another's lock


class AuditLog(LoggingConfigurable):
    """Writes events to a file, in a thread of its own: nobody waits for the disk.

    Several processes may share the file: each write and each rotation is made under a lock beside
    it. A write that fails is told in the server's log and made up for with the next event.
    """

    audit_log = Unicode(
        "",
        help="File, as an absolute path, to which every event is written as a line of JSON. It is "
        "readable by the server's user only and must not be below the root. Empty: none.",
    ).tag(config=True)
    audit_log_bytes = Integer(
        10 << 20, min=1 << 10, max=1 << 40, help="Size at which the audit log is rotated."
    ).tag(config=True)
    audit_log_backups = Integer(
        9, min=0, max=1000, help="Rotated audit logs that are kept: FILE.1 is the newest."
    ).tag(config=True)

    _fd = -1
    _thread: threading.Thread | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._pending: list[bytes] = []
        self._lost = 0

    def open(self, never_below: Iterable[Path]) -> bool:
        """Open the file, if one is configured; whether it is. Waits for the disk.

        Raises TraitError where it can't be written, or could be read or replaced by somebody else.
        """
        if not self.audit_log:
            return False
        self._path = Path(self.audit_log).expanduser()
        if not self._path.is_absolute():
            raise self._refused("it is not an absolute path")
        real = Path(os.path.realpath(self._path.parent))
        for place in never_below:
            if real.is_relative_to(os.path.realpath(place)):
                raise self._refused(f"it is below {place}, which sessions can see")
        self._path = real / self._path.name
        try:
            with self._locked():
                self._reopen()
        except (OSError, ValueError) as error:
            raise self._refused(_why(error)) from None
        self._thread = threading.Thread(target=self._work, name="cognition-audit", daemon=True)
        self._thread.start()
        return True

    def _refused(self, why: str) -> TraitError:
        return TraitError(f"AuditLog.audit_log can't be {self.audit_log!r}: {why}.")

    def note(self, event: Event) -> None:
        """Have the event written; for `Events.subscribe`. Waits for nothing."""
        if event.noun not in _LEFT_OUT:
            self._queue.put(event)

    def close(self) -> None:
        """Write what is left and close the file. Waits for the disk, within bounds."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(_PATIENCE)
            if self._thread.is_alive() or self._pending:
                self.log.critical("The audit log %s lacks the last events", self.audit_log)
            self._thread = None

    # -- in the thread ---------------------------------------------------------------------

    def _work(self) -> None:
        ended = False
        while not ended:
            events = [self._queue.get()]
            while not self._queue.empty():
                events.append(self._queue.get())
            ended = None in events
            self._pending += [_line(event) for event in events if event is not None]
            try:
                self._write_pending()
            except (OSError, ValueError) as error:
                self._tell_failure(_why(error))
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write_pending(self) -> None:
        while self._pending:
            with self._locked():
                self._reopen()
                self._write(self._pending[0])
            del self._pending[0]
        if self._lost:
            self.log.critical("The audit log %s lacks %d events", self._path, self._lost)
            self._lost = 0

    def _tell_failure(self, why: str) -> None:
        more = len(self._pending) - _MOST_PENDING
        if more > 0:
            del self._pending[:more]
            self._lost += more
        waiting = len(self._pending)
        self.log.critical(
            "The audit log %s can't be written: %s; %d events wait for it and %d are lost",
            *(self._path, why, waiting, self._lost),
        )

    def _write(self, line: bytes) -> None:
        """A whole line or nothing; the lock is held."""
        size = os.fstat(self._fd).st_size
        if size and size + len(line) > self.audit_log_bytes:
            self._rotate()
            size = 0
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, size)
            raise

    def _rotate(self) -> None:
        def backup(number: int) -> Path:
            return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

        if not self.audit_log_backups:
            self._path.unlink()
        for number in range(self.audit_log_backups, 0, -1):
            if os.path.lexists(backup(number - 1)):
                os.rename(backup(number - 1), backup(number))
        self._reopen()

    def _reopen(self) -> None:
        """Have the file open that is at the path now; another process may have rotated it."""
        if self._fd >= 0:
            try:
                at_path = os.stat(self._path, follow_symlinks=False)
                if os.path.samestat(at_path, os.fstat(self._fd)):
                    return
            except FileNotFoundError:
                pass
            os.close(self._fd)
            self._fd = -1
        self._fd = _opened(self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fd = _opened(self._path.with_name(f".{self._path.name}.lock"))
        try:
            deadline = time.monotonic() + _PATIENCE / 2
            while not _got(fd):
                if time.monotonic() > deadline:
                    raise TimeoutError("another process holds its lock and does not let go")
                time.sleep(0.005)
            yield
        finally:
            os.close(fd)


def _opened(path: Path) -> int:
    """A file of ours to append to, made if it is missing. Raises OSError, ValueError."""
    fd = os.open(path, os.O_WRONLY | _OPEN, 0o600)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file")
        if status.st_uid != os.geteuid():
            raise ValueError("it belongs to another user")
        if status.st_nlink > 1:
            raise ValueError("it has a second name, a hard link")
        os.fchmod(fd, 0o600)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _got(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _line(event: Event) -> bytes:
    known = {
        "time": format_time(event.time),
        "noun": event.noun,
        "action": event.action,
        "actor": event.actor,
    }
    return json.dumps({**known, **event.data, **known}, default=str).encode() + b"\n"


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        if error.errno == errno.ELOOP:
            return "it is a symbolic link"
        if error.errno == errno.ENXIO:
            return "it is no regular file"
        return error.strerror or str(error)
    return str(error)
