"""The root: the marked directory that holds the projects, and who uses it now."""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import RootRefused
from .files import (
    fsync_directory,
    is_locked,
    locked,
    read_bounded,
    remove_temporary_files,
    try_lock,
    unlock,
    write_durably,
)
from .naming import is_project_id
from .tree import remove_tree

FORMAT_VERSION = 1
MARKER = Path(".cognition", "root.json")
MAX_MARKER_BYTES = 1 << 16

_UUID = re.compile(r"[0-9a-f]{32}")  # it becomes a part of paths
_OWNER = re.compile(r"[0-9a-f]{16}")


def find_marked_root(directory: Path) -> Path | None:
    """The outermost marked root at or above `directory`, or None.

    Used where no server tells the root. Outermost, and only a marker that we (or root) own:
    code in a container can plant a marker inside its own `repo/`.
    """
    return next(filter(is_marked_root, reversed((directory, *directory.parents))), None)


def is_marked_root(directory: Path) -> bool:
    """Whether a marker that we (or root) own stands in `directory`."""
    try:
        status = os.stat(directory / MARKER, follow_symlinks=False)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(status.st_mode) and _is_trusted(status)


def _is_trusted(status: os.stat_result) -> bool:
    return status.st_uid in (os.geteuid(), 0)


def read_marker(root: Path) -> dict[str, object]:
    """What the marker of the root `root` says: uuid, version, runtime.

    Raises RootRefused for one that can't be trusted, FileNotFoundError, OSError.
    """
    path = root / MARKER
    try:
        marker = json.loads(read_bounded(path, MAX_MARKER_BYTES))
        version, root_uuid = marker["version"], marker["uuid"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RootRefused(f"{path} can't be read; restore it or move it away.") from None
    if not _is_trusted(os.stat(path, follow_symlinks=False)):
        raise RootRefused(f"{path} belongs to another user.")
    if version != FORMAT_VERSION:
        raise RootRefused(
            f"{root} has format version {str(version)[:40]}; this release knows {FORMAT_VERSION}."
        )
    if not isinstance(root_uuid, str) or not _UUID.fullmatch(root_uuid):
        raise RootRefused(f"{path} holds no uuid of 32 hexadecimal digits.")
    return dict(marker)


def owner_holds_lock(root: Path, owner_id: str) -> bool:
    """Whether the process that registered as `owner_id` lives, on this or another host.

    For who has not opened the root; leaves no trace. Raises OSError.
    """
    if not _OWNER.fullmatch(owner_id):
        return False
    return is_locked(root / ".cognition" / "owners" / f"{owner_id}.lock")


@dataclass(frozen=True)
class Owner:
    """A live process that uses the root; its lock is free as soon as the process is gone."""

    owner_id: str
    path: Path
    fd: int

    def release(self) -> None:
        """Say that nothing of this owner is left."""
        unlock(self.path, self.fd)


class Root:
    """A root on disk. Opening it makes what is missing; RootRefused where it can't be trusted."""

    def __init__(self, path: Path) -> None:
        try:
            self.path = Path(os.path.realpath(path))
        except ValueError:
            raise RootRefused(f"The root {str(path)!r} is no path.") from None
        self.private = self.path / ".cognition"
        self.incoming = self.private / "incoming"
        self.deleting = self.private / "deleting"
        self.trash = self.path / ".trash"
        self._owners = self.private / "owners"
        self._locks = self.private / "locks"
        try:
            for directory in (self.path, self.private, self.trash):
                directory.mkdir(mode=0o700, parents=directory == self.path, exist_ok=True)
            if not _is_trusted(os.stat(self.private, follow_symlinks=False)):
                raise RootRefused(f"{self.private} belongs to another user.")
            for directory in (self.incoming, self.deleting, self._owners, self._locks):
                directory.mkdir(mode=0o700, exist_ok=True)
            with self.lock():
                self._check_locks_work()
                self.uuid = self._open_marker()
        except OSError as error:
            raise RootRefused(f"The root {self.path} can't be used: {error.strerror}.") from None

    def _open_marker(self) -> str:
        try:
            marker = read_marker(self.path)
        except FileNotFoundError:
            marker = {"uuid": uuid.uuid4().hex, "version": FORMAT_VERSION, "runtime": None}
            write_durably(self.path / MARKER, json.dumps(marker).encode())
            fsync_directory(self.path)
        return str(marker["uuid"])

    def _check_locks_work(self) -> None:
        """Some network file systems accept a lock and hold nobody off: refuse those.

        Called with the root's lock held, which nobody else may get now.
        """
        second = try_lock(self._locks / "root.lock")
        if second is not None:
            os.close(second)
            raise RootRefused(f"File locks don't work in {self.path}; use a local file system.")

    @property
    def runtime(self) -> str | None:
        """The strongest runtime this root's sessions have had, or None before the first."""
        value = read_marker(self.path).get("runtime")
        return value if isinstance(value, str) else None

    def remember_runtime(self, runtime: str) -> None:
        """Record `runtime` as the strongest one used."""
        with self.lock():
            marker = read_marker(self.path)
            if marker.get("runtime") != runtime:
                marker["runtime"] = runtime
                write_durably(self.path / MARKER, json.dumps(marker).encode())

    def lacks(self, project_id: str) -> bool:
        """Whether the root is there, is the one that was opened, and has no such project."""
        try:
            top = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:  # all by one descriptor: its disk may come and go meanwhile
            if json.loads(read_bounded(MARKER, MAX_MARKER_BYTES, dir_fd=top))["uuid"] == self.uuid:
                os.stat(project_id, dir_fd=top, follow_symlinks=False)
        except FileNotFoundError as error:
            return bool(error.filename == project_id)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        finally:
            os.close(top)
        return False

    def lock(self) -> AbstractContextManager[None]:
        """Hold while names are added to the root or taken out of it."""
        return locked(self._locks / "root.lock")

    def index_lock(self) -> AbstractContextManager[None]:
        """Hold while the index is opened. Whoever holds it takes no other lock."""
        return locked(self._locks / "index.lock")

    def project_lock(self, project_id: str) -> AbstractContextManager[None]:
        """Hold while a project's metadata is read, changed and written.

        Whoever needs the root's lock as well takes that one first.
        """
        return locked(self._locks / f"{project_id}.lock")

    def try_project_lock(self, project_id: str) -> tuple[Path, int] | None:
        """The project's lock if nobody holds it; give it back with `unlock`."""
        path = self._locks / f"{project_id}.lock"
        fd = try_lock(path)
        return None if fd is None else (path, fd)

    def register_owner(self) -> Owner:
        """Say that this process uses the root; released by its death at the latest."""
        owner_id = secrets.token_hex(8)
        path = self._owners / f"{owner_id}.lock"
        fd = try_lock(path)
        if fd is None:
            raise RootRefused(f"The owner lock {path} is held by someone else.")
        return Owner(owner_id, path, fd)

    def owner_is_alive(self, owner_id: str) -> bool:
        """Whether the process that registered as `owner_id` still runs, on this or another host."""
        return owner_holds_lock(self.path, owner_id)

    # -- after a crash ---------------------------------------------------------------------

    def recover(self) -> list[str]:
        """Finish what killed processes left half done here; live ones keep theirs.

        Safe beside other processes. Returns what could not be removed, and why.
        """
        with self.lock():
            remove_temporary_files(self.path / MARKER)
            for directory in (self.trash, self.incoming, self.deleting):
                directory.mkdir(mode=0o700, exist_ok=True)  # somebody may have emptied it so
        problems = []
        for path in (*self._abandoned_stages(), *self.deleting.iterdir()):
            try:
                remove_tree(path)
            except OSError as error:
                problems.append(f"{path} can't be removed: {error.strerror}.")
        self._sweep_locks()
        return problems

    def _abandoned_stages(self) -> Iterator[Path]:
        """Projects on their way in whose maker is gone; their lock is held meanwhile."""
        for stage in self.incoming.iterdir():
            held = self.try_project_lock(stage.name) if is_project_id(stage.name) else None
            if held is not None:
                try:
                    yield stage
                finally:
                    unlock(*held)

    def _sweep_locks(self) -> None:
        """Remove the lock files that a killed process left behind."""
        for directory in (self._owners, self._locks):
            for path in directory.glob("*.lock"):
                fd = try_lock(path)
                if fd is not None:
                    unlock(path, fd)
