"""The root: the marked directory that holds the projects, and who uses it now."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import RootRefused
from .files import fsync_directory, locked, try_lock, unlock, write_durably

FORMAT_VERSION = 1
MARKER = Path(".cognition", "root.json")


def find_marked_root(directory: Path) -> Path | None:
    """The outermost marked root at or above `directory`, or None.

    Used where no server tells the root. Outermost, and only a marker that we (or root) own:
    code in a container can plant a marker inside its own `repo/`.
    """
    found = None
    for candidate in (directory, *directory.parents):
        try:
            status = os.stat(candidate / MARKER, follow_symlinks=False)
        except OSError:
            continue
        if status.st_uid in (os.geteuid(), 0):
            found = candidate
    return found


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
        self.path = Path(os.path.realpath(path))
        self.private = self.path / ".cognition"
        self.incoming = self.private / "incoming"
        self.trash = self.path / ".trash"
        self._owners = self.private / "owners"
        self._locks = self.private / "locks"
        try:
            for directory in (self.path, self.private, self.incoming, self._owners, self._locks):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.trash.mkdir(mode=0o700, exist_ok=True)
            self._check_locks_work()
            with self.lock():
                self.uuid = self._open_marker()
        except OSError as error:
            raise RootRefused(f"The root {self.path} can't be used: {error.strerror}.") from None

    def _open_marker(self) -> str:
        try:
            marker = self._read_marker()
        except FileNotFoundError:
            marker = {"uuid": uuid.uuid4().hex, "version": FORMAT_VERSION, "runtime": None}
            write_durably(self.path / MARKER, json.dumps(marker).encode())
            fsync_directory(self.path)
        return str(marker["uuid"])

    def _read_marker(self) -> dict[str, object]:
        try:
            marker = json.loads((self.path / MARKER).read_bytes())
            version, root_uuid = marker["version"], marker["uuid"]
        except (ValueError, KeyError, TypeError):
            raise RootRefused(
                f"{self.path / MARKER} can't be read; restore it or move it away."
            ) from None
        if version != FORMAT_VERSION:
            raise RootRefused(
                f"{self.path} has format version {version}; this release knows {FORMAT_VERSION}."
            )
        if not isinstance(root_uuid, str) or len(root_uuid) != 32:
            raise RootRefused(f"{self.path / MARKER} holds no uuid of 32 hexadecimal digits.")
        return dict(marker)

    def _check_locks_work(self) -> None:
        """Some network file systems accept a lock and hold nobody off: refuse those."""
        path = self.private / f"probe-{secrets.token_hex(4)}.lock"
        first = try_lock(path)
        if first is None:
            raise RootRefused(f"File locks don't work in {self.path}; use a local file system.")
        try:
            second = try_lock(path)
            if second is not None:
                os.close(second)
                raise RootRefused(f"File locks don't work in {self.path}; use a local file system.")
        finally:
            unlock(path, first)

    @property
    def runtime(self) -> str | None:
        """The strongest runtime this root's sessions have had, or None before the first."""
        value = self._read_marker()["runtime"]
        return value if isinstance(value, str) else None

    def remember_runtime(self, runtime: str) -> None:
        """Record `runtime` as the strongest one used."""
        with self.lock():
            marker = self._read_marker()
            if marker["runtime"] != runtime:
                marker["runtime"] = runtime
                write_durably(self.path / MARKER, json.dumps(marker).encode())

    def lock(self) -> AbstractContextManager[None]:
        """Hold while names are added to the root or taken out of it."""
        return locked(self._locks / "root.lock")

    def project_lock(self, project_id: str) -> AbstractContextManager[None]:
        """Hold while a project's metadata is read, changed and written."""
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
        if not owner_id.isalnum():
            return False
        path = self._owners / f"{owner_id}.lock"
        if not path.exists():
            return False
        fd = try_lock(path)
        if fd is None:
            return True
        unlock(path, fd)
        return False

    def sweep_locks(self) -> None:
        """Remove the lock files that a killed process left behind."""
        for directory in (self._owners, self._locks):
            for path in directory.glob("*.lock"):
                fd = try_lock(path)
                if fd is not None:
                    unlock(path, fd)
