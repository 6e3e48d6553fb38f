"""An SQLite index over the metadata files, so that a list of 100 out of 10,000 stays quick.

The files are the truth; the index may be deleted at any time and is rebuilt. A writer marks a
project dirty before it writes the file and records it after, so that a reader (in any process)
re-reads what a killed writer left in between.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..models import Metadata, format_time

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (
    project_id TEXT PRIMARY KEY, signature TEXT, dirty INTEGER NOT NULL,
    user_prefix TEXT, last_accessed TEXT, live INTEGER, pinned INTEGER, tags TEXT,
    broken TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS by_access ON projects (last_accessed DESC, project_id);
CREATE INDEX IF NOT EXISTS by_dirt ON projects (dirty) WHERE dirty;
CREATE INDEX IF NOT EXISTS by_life ON projects (live) WHERE live;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
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
    """The index of one root; safe to use from many threads and many processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)  # damaged: it holds nothing that the files don't
            self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _SCHEMA_VERSION:
            connection.executescript("DROP TABLE IF EXISTS projects; DROP TABLE IF EXISTS facts;")
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        return connection

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _execute(self, sql: str, values: Iterable[object] = ()) -> list[tuple[object, ...]]:
        with self._lock:
            return self._connection.execute(sql, tuple(values)).fetchall()

    def mark_dirty(self, project_id: str) -> None:
        """Say that the project's file is about to change."""
        self._execute(
            "INSERT INTO projects (project_id, dirty) VALUES (?, 1) "
            "ON CONFLICT (project_id) DO UPDATE SET dirty = 1",
            (project_id,),
        )

    def record(self, project_id: str, signature: str, metadata: Metadata) -> None:
        """Record what the project's file says now."""
        document = metadata.without_old_sessions()
        self._execute(
            "REPLACE INTO projects VALUES (?, ?, 0, ?, ?, ?, ?, ?, NULL, ?)",
            (
                project_id,
                signature,
                metadata.user_prefix,
                format_time(metadata.last_accessed),
                len(metadata.live_sessions),
                metadata.pinned,
                json.dumps(metadata.tags),
                document.model_dump_json(),
            ),
        )

    def record_broken(self, project_id: str, signature: str, reason: str) -> None:
        """Record that the project can't be read, and why."""
        self._execute(
            "REPLACE INTO projects VALUES (?, ?, 0, ?, '', 0, 0, '[]', ?, NULL)",
            (project_id, signature, project_id.rpartition("-")[0], reason),
        )

    def remove(self, project_id: str) -> None:
        """Forget a project that is no longer in the root."""
        self._execute("DELETE FROM projects WHERE project_id = ?", (project_id,))

    def dirty(self) -> list[str]:
        """Ids whose file may have changed since it was recorded."""
        return [str(row[0]) for row in self._execute("SELECT project_id FROM projects WHERE dirty")]

    def signatures(self) -> dict[str, str | None]:
        """All ids with the signature of the file they were recorded from."""
        rows = self._execute("SELECT project_id, signature FROM projects")
        return {str(row[0]): None if row[1] is None else str(row[1]) for row in rows}

    def with_live_sessions(self) -> list[str]:
        """Ids of the projects that have sessions which have not ended."""
        rows = self._execute("SELECT project_id FROM projects WHERE live")
        return [str(row[0]) for row in rows]

    def live_sessions(self) -> int:
        """Sessions of all projects that have not ended."""
        return int(str(self._execute("SELECT COALESCE(SUM(live), 0) FROM projects")[0][0]))

    def count(self) -> int:
        """Projects, the broken ones too."""
        return int(str(self._execute("SELECT COUNT(*) FROM projects")[0][0]))

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
            marks = ", ".join("?" * len(wanted))
            where.append(f"EXISTS (SELECT 1 FROM json_each(tags) WHERE value IN ({marks}))")
            values += wanted
        matching = f"FROM projects WHERE {' AND '.join(where)}"
        total = int(str(self._execute(f"SELECT COUNT(*) {matching}", values)[0][0]))
        rows = self._execute(
            f"SELECT project_id, broken, document {matching} "
            "ORDER BY last_accessed DESC, project_id LIMIT ? OFFSET ?",
            [*values, -1 if limit is None else limit, offset],
        )
        return [self._entry(*row) for row in rows], total

    def _entry(self, project_id: object, broken: object, document: object) -> Entry:
        if document is None:
            return Entry(str(project_id), None, str(broken or "It is being written."))
        return Entry(str(project_id), Metadata.model_validate_json(str(document)), None)
