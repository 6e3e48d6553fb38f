"""An SQLite index over the metadata files, so that a list of 100 out of 10,000 stays quick.

The files are the truth; the index may be damaged or deleted at any time and is rebuilt. A writer
marks a project dirty before it writes the file and records it after, so that a reader (in any
process) re-reads what a killed writer left in between. Where the index can't be written (a full
disk), one in memory stands in: then projects can still be listed, and deleted.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from ..models import Metadata, format_time

_RETRY_AFTER = 60.0  # seconds that an index in memory stands in for the file
_SCHEMA_VERSION = 4  # to be raised when the tables change, or what `Metadata` accepts
_SCHEMA = f"""
BEGIN;
CREATE TABLE projects (
    project_id TEXT PRIMARY KEY, signature TEXT, user_prefix TEXT NOT NULL,
    last_accessed TEXT NOT NULL, live INTEGER NOT NULL, pinned INTEGER NOT NULL,
    tags TEXT NOT NULL, broken TEXT, after_days INTEGER, extended_until TEXT, document TEXT);
CREATE INDEX by_access ON projects
    (last_accessed DESC, project_id, broken, live, pinned, user_prefix, tags);
CREATE INDEX by_life ON projects (live) WHERE live;
CREATE INDEX by_due ON projects
    (last_accessed, pinned, after_days, extended_until, project_id)
    WHERE NOT live AND broken IS NULL;
CREATE TABLE dirty (project_id TEXT PRIMARY KEY);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);
PRAGMA user_version = {_SCHEMA_VERSION};
COMMIT;
"""
_STATUS = {
    None: "1",
    "active": "broken IS NULL AND live > 0",
    "idle": "broken IS NULL AND live = 0",
    "resumable": "broken IS NULL AND live = 0",
    "pinned": "broken IS NULL AND pinned",
    "broken": "broken IS NOT NULL",
}


@dataclass(frozen=True)
class Entry:
    """A row: the metadata without its old sessions, or the reason why it can't be read."""

    project_id: str
    metadata: Metadata | None
    broken: str | None


class Index:
    """The index of one root; safe to use from many threads and many processes.

    `guard` is held while the file is opened or made anew: two processes must not both find it
    damaged and throw away each other's. `refill` is called, with the index held, when the file is
    another one than before.
    """

    def __init__(
        self,
        path: Path,
        guard: Callable[[], AbstractContextManager[None]],
        refill: Callable[[], None],
    ) -> None:
        self._path = path
        self._guard = guard
        self._refill = refill
        self._refilling = False
        #: Whether it stands in for the file: then nobody else sees what is recorded here.
        self.in_memory = False
        self._retry_at = math.inf
        self._file: tuple[int, int] | None = None
        self._lock = threading.RLock()
        try:
            self._open()
        except sqlite3.OperationalError as error:
            if _is_final(error):
                raise
            self._open(in_memory=True)

    def _open(self, discard: tuple[int, int] | None = None, in_memory: bool = False) -> None:
        with self._guard():
            if discard is not None and discard == self._file_now():
                self._remove_file()
            try:
                self._connection = self._connect(in_memory)
            except sqlite3.Error as error:
                if not _is_damage(error):
                    raise
                self._remove_file()
                self._connection = self._connect(in_memory)
            self._file = self._file_now()
        self.in_memory = in_memory
        self._retry_at = time.monotonic() + _RETRY_AFTER if in_memory else math.inf

    def _connect(self, in_memory: bool) -> sqlite3.Connection:
        if self._file_now() is None:
            self._remove_file()  # a log without its database would be replayed into the new one
        place = ":memory:" if in_memory else self._path
        connection = sqlite3.connect(
            place, timeout=30, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # A power cut may damage the file: it is checked when it is opened, and can be rebuilt.
            connection.execute("PRAGMA synchronous = OFF")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                connection.executescript(_SCHEMA)
            elif version != _SCHEMA_VERSION:
                raise sqlite3.DatabaseError(f"schema version {version}")
            elif connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("damaged")
        except BaseException:
            connection.close()
            raise
        return connection

    def _remove_file(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def _file_now(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _execute(self, sql: str, values: Iterable[object] = ()) -> list[tuple[object, ...]]:
        with self._lock:
            if self._file_now() != self._file or time.monotonic() > self._retry_at:
                self._renew()
            try:
                return self._connection.execute(sql, tuple(values)).fetchall()
            except sqlite3.Error as error:
                if self._refilling or _is_final(error):
                    raise
                self._renew(damaged=_is_damage(error), in_memory=not _is_damage(error))
                return self._connection.execute(sql, tuple(values)).fetchall()

    def _renew(self, damaged: bool = False, in_memory: bool = False) -> None:
        """Follow a file that was replaced; replace one that is damaged; fill what is new."""
        known, self._file = self._file, (0, 0)  # if this fails, the next call tries again
        self._connection.close()
        try:
            self._open(known if damaged else None, in_memory)
            self._fill()
        except sqlite3.OperationalError as error:
            if in_memory or _is_final(error):
                raise
            self._connection.close()
            self._open(in_memory=True)
            self._fill()

    def _fill(self) -> None:
        if not self._refilling:
            self._refilling = True
            try:
                self._refill()
            finally:
                self._refilling = False

    # -- rows ------------------------------------------------------------------------------

    def mark_dirty(self, project_id: str) -> None:
        """Say that the project's file is about to change."""
        self._execute("INSERT OR IGNORE INTO dirty VALUES (?)", (project_id,))

    def record(self, project_id: str, signature: str | None, metadata: Metadata) -> None:
        """Record what the project's file says now."""
        document = metadata.without_old_sessions()
        self._replace(
            project_id,
            signature,
            metadata.user_prefix,
            format_time(metadata.last_accessed),
            len(metadata.live_sessions),
            metadata.pinned,
            json.dumps(metadata.tags),
            None,
            metadata.cleanup_after_days,
            metadata.extended_until and format_time(metadata.extended_until),
            document.model_dump_json(),
        )

    def record_broken(self, project_id: str, reason: str) -> None:
        """Record that the project can't be read, and why. It has no signature: it is read again."""
        prefix = project_id.rpartition("-")[0]
        self._replace(project_id, None, prefix, "", 0, 0, "[]", reason, None, None, None)

    def _replace(self, project_id: str, *values: object) -> None:
        self._execute(
            "REPLACE INTO projects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (project_id, *values)
        )
        self._execute("DELETE FROM dirty WHERE project_id = ?", (project_id,))

    def remove(self, project_id: str) -> None:
        """Forget a project that is no longer in the root."""
        self._execute("DELETE FROM projects WHERE project_id = ?", (project_id,))
        self._execute("DELETE FROM dirty WHERE project_id = ?", (project_id,))

    def dirty(self) -> list[str]:
        """Ids whose file may have changed since it was recorded."""
        return [str(row[0]) for row in self._execute("SELECT project_id FROM dirty")]

    def signatures(self) -> dict[str, str | None]:
        """All ids with the signature of the file they were recorded from; None: read it again."""
        rows = self._execute("SELECT project_id, signature FROM projects")
        known = {str(row[0]): None if row[1] is None else str(row[1]) for row in rows}
        return known | dict.fromkeys(self.dirty())

    def with_live_sessions(self) -> list[str]:
        """Ids of the projects that have sessions which have not ended."""
        rows = self._execute("SELECT project_id FROM projects WHERE live")
        return [str(row[0]) for row in rows]

    def live_sessions(self) -> int:
        """Sessions of all projects that have not ended."""
        rows = self._execute("SELECT COALESCE(SUM(live), 0) FROM projects WHERE live")
        return int(str(rows[0][0]))

    def count(self) -> int:
        """Projects, the broken ones too."""
        return int(str(self._execute("SELECT COUNT(*) FROM projects")[0][0]))

    def unused(self, pinned: bool) -> list[tuple[str, datetime, int | None, datetime | None]]:
        """What cleanup asks for first of all projects that are whole and idle.

        With `pinned` the pinned ones, too.

        (id, last access, days after which it is due if it has a number of its own, the time to
        which it was extended), the longest unused first.
        """
        rows = self._execute(
            "SELECT project_id, last_accessed, after_days, extended_until FROM projects "
            "WHERE pinned <= ? AND NOT live AND broken IS NULL ORDER BY last_accessed",
            (pinned,),
        )
        return [
            (
                str(name),
                _time(accessed),
                None if days is None else int(str(days)),
                None if extended is None else _time(extended),
            )
            for name, accessed, days, extended in rows
        ]

    def fact(self, name: str) -> str | None:
        """A value kept beside the rows."""
        rows = self._execute("SELECT value FROM facts WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def set_fact(self, name: str, value: str) -> None:
        """Keep a value beside the rows."""
        self._execute("REPLACE INTO facts VALUES (?, ?)", (name, value))

    def select(
        self,
        prefix: str | None = None,
        tags: Iterable[str] = (),
        status: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[Entry], int]:
        """Entries that match, newest access first, and how many match in all."""
        where, values = [_STATUS[status]], list[object]()
        if prefix is not None:
            where.append("substr(user_prefix, 1, ?) = ?")
            values += [len(prefix), prefix]
        wanted = list(tags)
        if wanted:
            where.append(
                "EXISTS (SELECT 1 FROM json_each(tags) "
                "WHERE value IN (SELECT value FROM json_each(?)))"
            )
            values.append(json.dumps(wanted))
        matching = f"FROM projects WHERE {' AND '.join(where)}"
        with self._lock:  # no thread of ours changes anything between the two
            total = int(str(self._execute(f"SELECT COUNT(*) {matching}", values)[0][0]))
            rows = self._execute(
                f"SELECT project_id, broken, document {matching} "
                "ORDER BY last_accessed DESC, project_id LIMIT ? OFFSET ?",
                [*values, -1 if limit is None else limit, offset],
            )
        return [_entry(*row) for row in rows], total


def _time(text: object) -> datetime:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00"))


def _is_final(error: sqlite3.Error) -> bool:
    """Whether another file would not help: it is busy for too long, or we have closed it."""
    return "locked" in str(error) or isinstance(error, sqlite3.ProgrammingError)


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is no database of ours; not whether it is busy or the disk is full."""
    return type(error) is sqlite3.DatabaseError or "no such" in str(error)


def _entry(project_id: object, broken: object, document: object) -> Entry:
    if document is None:
        return Entry(str(project_id), None, str(broken))
    try:
        return Entry(str(project_id), Metadata.model_validate_json(str(document)), None)
    except ValidationError:
        reason = "Its entry in the index is damaged; delete .cognition/index.sqlite3."
        return Entry(str(project_id), None, reason)
