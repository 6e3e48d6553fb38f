"""All operations on a project's memory, each a step that waits for the disk: for threads."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..exceptions import CognitionError, InvalidInput, TooLarge
from ..projects.files import locked
from .directory import Directory, Parts, check_regular
from .lines import count, replace
from .paths import shown
from .reading import Backend, Reading, said
from .routes import Routes
from .shapes import (
    Edited,
    Item,
    Limits,
    PreconditionFailed,
    Written,
    etag_of,
)


class Operations(Reading):
    """Reading, and changing what is behind virtual paths. Errors as in `Reading`.

    Changes through any server take turns, so none is lost between the look at a file and its
    replacement. Code in a container does not wait for its turn.
    """

    def __init__(
        self, routes: Routes, backends: Mapping[str, Backend], limits: Limits, lock: Path
    ) -> None:
        """`lock`: the file under which the project's writers take turns."""
        super().__init__(routes, backends, limits)
        self._lock = lock

    def write(
        self,
        path: str,
        data: bytes | str,
        if_match: str | None = None,
        create_only: bool = False,
    ) -> Written:
        """Put a file there as a whole; missing directories are made, permissions are kept.

        `if_match`: an ETag, several with commas between, or `*` for any file. PreconditionFailed
        where it does not match, or with `create_only` where something is (`file_exists`).
        TooLarge: `too_large`, `hot_memory_limit`. StorageFull.
        """
        data = _encoded(data)
        self._check_size(path, len(data))
        with self._changing(path) as (backend, tree, parts):
            status = tree.status(parts)
            if status is not None:
                if create_only:
                    raise PreconditionFailed(f"There is a {shown(path)} already.", "file_exists")
                check_regular(status)
            if if_match is not None and (status is None or if_match.strip() != "*"):
                current = None
                if status is not None and status.st_size <= self._limits.file_bytes:
                    current = tree.read(parts, self._limits.file_bytes)
                _check_match(path, if_match, current)
            return self._replace(path, backend, tree, parts, status, data, create_only)

    def edit(
        self,
        path: str,
        old: str,
        new: str,
        replace_all: bool = False,
        if_match: str | None = None,
    ) -> Edited:
        r"""Replace the text `old`, which must be there exactly once unless `replace_all`.

        In a file whose lines end in `\r\n`, `\n` in both texts stands for that. Raises as `write`,
        and InvalidInput: `text_not_found`, `text_not_unique`.
        """
        if not old or old == new:
            raise InvalidInput("The text to replace must not be empty or equal to the new one.")
        before, after = _encoded(old), _encoded(new)
        with self._changing(path) as (backend, tree, parts):
            data = tree.read(parts, self._limits.file_bytes)
            if if_match is not None and if_match.strip() != "*":
                _check_match(path, if_match, data)
            if b"\n" in before + after and _means_crlf(data, before, after):
                before, after = (text.replace(b"\n", b"\r\n") for text in (before, after))
            times = count(data, before)
            if times == 0:
                raise InvalidInput(f"The text is not in {shown(path)}.", "text_not_found")
            if times > 1 and not replace_all:
                raise InvalidInput(
                    f"The text is in {shown(path)} {times} times; give more of what is around it "
                    "or replace all.",
                    "text_not_unique",
                )
            self._check_size(path, len(data) + times * (len(after) - len(before)))
            data = replace(data, before, after)
            written = self._replace(path, backend, tree, parts, tree.status(parts), data)
            return Edited(path, times, written.size, written.etag)

    def delete(self, path: str) -> None:
        """Remove a file, or a directory with all that is in it; of a link the link itself.

        InvalidInput for the directory of a route itself.
        """
        if not self._place(path)[2]:
            raise InvalidInput(f"{shown(path)} is a route and can't be deleted.", "invalid_path")
        with self._changing(path.rstrip("/")) as (_, tree, parts):
            tree.delete(parts)

    def upload(self, files: Iterable[tuple[str, bytes]]) -> list[Item]:
        """Write several files; one that fails does not keep the others back."""
        items = []
        for path, data in files:
            try:
                self.write(path, data)
                items.append(Item(path))
            except CognitionError as error:
                items.append(Item(path, error=error.code, message=error.message))
        return items

    def download(self, paths: Iterable[str]) -> list[Item]:
        """Read several files; one that fails does not keep the others back.

        Files that would make the answer larger than `limits.batch_bytes` fail (`too_large`).
        """
        items = []
        left = self._limits.batch_bytes
        for path in paths:
            try:
                data = self.read_bytes(path)
                if len(data) > left:
                    raise TooLarge(f"{shown(path)} is more than can be downloaded with the others.")
                left -= len(data)
                items.append(Item(path, data))
            except CognitionError as error:
                items.append(Item(path, error=error.code, message=error.message))
        return items

    @contextmanager
    def _changing(self, path: str) -> Iterator[tuple[Backend, Directory, Parts]]:
        """The place of a file while nobody else writes through a server."""
        self._file(path)  # nobody waits for the lock with what is no file's path
        with said(path), locked(self._lock):
            yield self._file(path)

    def _replace(
        self,
        path: str,
        backend: Backend,
        tree: Directory,
        parts: Parts,
        status: os.stat_result | None,
        data: bytes,
        create_only: bool = False,
    ) -> Written:
        """`status`: of what is there."""
        # What other names keep in place is not freed.
        freed = status.st_size if status is not None and status.st_nlink == 1 else 0
        backend.check_room(freed, len(data))
        mode = None if status is None else stat.S_IMODE(status.st_mode)
        tree.write(parts, data, mode, create_only)
        return Written(path, len(data), etag_of(data), status is None)

    def _check_size(self, path: str, size: int) -> None:
        if size > self._limits.file_bytes:
            raise TooLarge(
                f"{shown(path)} would have {size} bytes; at most {self._limits.file_bytes} may be "
                "written at once (memory_file_limit)."
            )


def _encoded(data: bytes | str) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return data.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The text holds a lone surrogate and can't be UTF-8.") from None


def _means_crlf(data: bytes, before: bytes, after: bytes) -> bool:
    r"""Whether a `\n` in the texts of an edit stands for `\r\n`.

    So it does where all lines end so; where only some do, if the text is not there otherwise.
    """
    ends = 0 if b"\r" in before + after else count(data, b"\r\n")
    return ends > 0 and (ends == count(data, b"\n") or before not in data)


def _check_match(path: str, if_match: str, data: bytes | None) -> None:
    """`data` is what is there; None for nothing, and for more than any ETag was given for."""
    if data is None or etag_of(data) not in [tag.strip() for tag in if_match.split(",")]:
        raise PreconditionFailed(f"{shown(path)} is not what If-Match says: it has changed.")
