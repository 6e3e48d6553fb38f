"""Reading a project's memory by virtual paths. Every method waits for the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from ..exceptions import InvalidInput, NotFound
from .directory import Directory, Parts, check_regular, is_temporary, read_all, read_up_to
from .lines import window
from .paths import join_path, shown, split_path
from .patterns import Pattern
from .routes import Routes
from .search import Source, find_files, find_lines
from .shapes import (
    Content,
    Entry,
    Found,
    Kind,
    Limits,
    Listing,
    Matches,
    Text,
    Usage,
    etag_of,
    problem,
)
from .walk import Budget, count


class Backend(Protocol):
    """What is behind a route."""

    def tree(self) -> Directory:
        """The directory behind the route."""

    def check_room(self, old: int, new: int) -> None:
        """Raise TooLarge unless a file of `new` bytes may replace one of `old` bytes."""


class Reading:
    """What can be asked of virtual paths.

    Errors: NotFound (`file_not_found`), InvalidInput (`invalid_path`, `is_directory`), Forbidden
    (`permission_denied`), TooLarge (`too_large`), Conflict (`busy`: a program holds a lease); for a
    `state` route InvalidInput (`session_required`) and NotFound (`session_not_found`).
    """

    def __init__(self, routes: Routes, backends: Mapping[str, Backend], limits: Limits) -> None:
        """`backends` has one for the prefix of each route."""
        self._routes = routes
        self._backends = backends
        self._limits = limits

    def read_bytes(self, path: str) -> bytes:
        """A whole file and nothing else: the quickest way."""
        _, tree, parts = self._file(path)
        try:
            return tree.read(parts, self._limits.file_bytes)
        except OSError as error:
            raise problem(error, path) from None

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> Content:
        """The whole of a file; or what `limits.file_bytes` and `limit` allow, from `offset` on.

        TooLarge when the whole is asked for and has more bytes than `limits.file_bytes`.
        """
        if offset < 0 or (limit is not None and limit < 0):
            raise InvalidInput("offset and limit must not be negative.")
        _, tree, parts = self._file(path)
        most = self._limits.file_bytes
        try:
            fd = tree.open_file(parts)
            try:
                status = os.fstat(fd)
                if offset == 0 and limit is None:
                    data, whole = read_all(fd, status, most), True
                else:
                    check_regular(status)
                    os.lseek(fd, min(offset, status.st_size), os.SEEK_SET)
                    data = read_up_to(fd, most if limit is None else min(limit, most))
                    whole = offset == 0 and not os.read(fd, 1)
            finally:
                os.close(fd)
        except OSError as error:
            raise problem(error, path) from None
        etag = etag_of(data) if whole else None
        return Content(path, data, offset, status.st_size, status.st_mtime_ns, etag)

    def read_text(self, path: str, offset: int = 0, limit: int = 2000) -> Text:
        """`limit` lines at most of a file of UTF-8, from the line `offset` (from 0) on.

        InvalidInput, too, for what is no text (`not_text`) and an offset behind the end.
        """
        return window(self.read(path), offset, limit)

    def ls(self, path: str) -> Listing:
        """What is in a directory, by path; routes that begin below it are directories in it."""
        top = split_path(path)
        depth = len(top)
        names = {split_path(route.path)[depth] for route in self._routes.below(path)}
        entries = {name: Entry(join_path(*top, name), "directory") for name in names}
        found = self._routes.find(path)
        if found is None and not entries:
            raise _no_route(path)
        truncated = False
        if found:
            tree = self._backends[found[0].prefix].tree()
            missing_is_empty = bool(entries) or (found[0].below and not found[1])
            with said(path):
                try:
                    truncated = self._list(tree, found[1], top, entries)
                except FileNotFoundError:
                    if not missing_is_empty:
                        raise
        ordered = sorted(entries.values(), key=lambda entry: entry.path)
        return Listing(join_path(*top), tuple(ordered), truncated)

    def _list(self, tree: Directory, parts: Parts, top: Parts, entries: dict[str, Entry]) -> bool:
        """Add what is in a directory; whether there is more than the limit."""
        with tree.folder(parts) as folder, os.scandir(folder) as scanned:
            for entry in scanned:
                if entry.name in entries or is_temporary(entry.name):
                    continue
                if len(entries) >= self._limits.listed:
                    return True
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                entries[entry.name] = _entry(join_path(*top, entry.name), status)
        return False

    def glob(self, pattern: str, path: str = "/") -> Found:
        """Regular files below `path` that match, by path; see `patterns` for what matches.

        A path above several routes means all of them, `state` only where a session is given.
        InvalidInput (`invalid_pattern`), too.
        """
        with said(path):
            return find_files(Pattern(pattern), split_path(path), self._sources(path), self._limits)

    def grep(
        self, text: str, path: str = "/", glob: str | None = None, max_count: int | None = None
    ) -> Matches:
        """Lines that hold `text`, literally, in text files below `path` or in that file.

        `glob` chooses among the files; `max_count` lines at most in all. Otherwise as `glob`.
        """
        limits = self._limits
        if max_count is not None:
            limits = replace(limits, matches=min(limits.matches, max(max_count, 0)))
        only = None if glob is None else Pattern(glob)
        with said(path):
            return find_lines(text, only, split_path(path), self._sources(path), limits)

    def usage(self, prefix: str) -> Usage:
        """Files and bytes behind the route of that prefix. NotFound (`route_not_found`), too."""
        if prefix not in self._backends:
            raise NotFound(f"There is no route {shown(prefix)}.", "route_not_found")
        tree = self._backends[prefix].tree()
        with said(prefix):
            try:
                return count(tree, Budget(self._limits.visited, self._limits.seconds))
            except FileNotFoundError:
                return Usage(0, 0)

    # -- ways ------------------------------------------------------------------------------

    def _place(self, path: str) -> tuple[Backend, Directory, Parts]:
        """The backend of a path, the tree behind it and the place in that tree."""
        found = self._routes.find(path)
        if found is None:
            raise _no_route(path)
        backend = self._backends[found[0].prefix]
        return backend, backend.tree(), found[1]

    def _file(self, path: str) -> tuple[Backend, Directory, Parts]:
        """The same for what is to be a file."""
        place = self._place(path)
        if not place[2] or path[-1] == "/":
            raise InvalidInput(f"{shown(path)} is a directory.", "is_directory")
        return place

    def _sources(self, path: str) -> list[Source]:
        """The trees to search for what is below a path, the one it lies in first."""
        top = split_path(path)
        inner = self._routes.below(path)
        hidden = frozenset(join_path(*split_path(route.path)) for route in inner)
        sources = []
        if found := self._routes.find(path):
            tree = self._backends[found[0].prefix].tree()
            sources.append(Source(top, tree, found[1], hidden, bool(found[1]) and not inner))
        elif not inner:
            raise _no_route(path)
        for route in inner:
            try:
                tree = self._backends[route.prefix].tree()
            except InvalidInput:  # a session's, and none is given
                continue
            sources.append(Source(split_path(route.path), tree, (), hidden, False))
        return sources


@contextmanager
def said(path: str) -> Iterator[None]:
    """Turn what the system says of a virtual path into errors of ours."""
    try:
        yield
    except OSError as error:
        raise problem(error, path) from None


def _entry(path: str, status: os.stat_result) -> Entry:
    kinds: dict[int, Kind] = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "directory",
        stat.S_IFLNK: "link",
    }
    kind = kinds.get(stat.S_IFMT(status.st_mode), "other")
    return Entry(path, kind, status.st_size if kind == "file" else 0, status.st_mtime_ns)


def _no_route(path: str) -> NotFound:
    return NotFound(f"No route leads to {shown(path)}.", "file_not_found")
