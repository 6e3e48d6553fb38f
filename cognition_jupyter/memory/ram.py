"""Directories in RAM: a project's hot memory, a session's `/tmp` and its sockets."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from traitlets import TraitError, Unicode
from traitlets.config import LoggingConfigurable

from ..exceptions import RootRefused
from ..projects.mount_table import innermost, mount_table
from ..projects.naming import check_project_id, is_project_id
from ..projects.root import Root
from ..projects.tree import remove_tree

# sun_path of sockaddr_un, with its closing NUL: unix(7).
SOCKET_PATH_BYTES = 107
SHM = Path("/dev/shm")
_RAM = ("tmpfs", "ramfs")
_OWNER_EXAMPLE = "0" * 16
_TRACE = re.compile(r"\.([^.]+)\.(?:json|new|old)")  # see snapshots/marker.py


@dataclass(frozen=True)
class SessionDirectories:
    """What exists for one session only, and goes with it."""

    base: Path
    tmp: Path
    deps: Path
    sockets: Path


class RamDirectories(LoggingConfigurable):
    """Makes and removes the RAM directories of one root. Its methods wait for the disk."""

    hot_root = Unicode(
        help="Directory in RAM for hot memory, `/tmp` of the sessions and their sockets. "
        "Default: /dev/shm/cognition-{uid}; a directory on disk where there is no tmpfs."
    ).tag(config=True)

    def __init__(self, root: Root, user: tuple[int, int], **kwargs: object) -> None:
        """Raise RootRefused when the directories can't be made there, TraitError for no place."""
        super().__init__(**kwargs)
        self._user = user
        self.base = hot_root_of(self.hot_root) / root.uuid
        self._sessions = self.base / ".s"
        self._check_length()
        for path in (self.base.parent, self.base, self._sessions):
            _private_directory(path)
        self.kind = "ram" if is_ram(self.base) else "disk"

    def _check_length(self) -> None:
        """Every session's socket path has the same length: better known now than at the first."""
        longest = self._session(_OWNER_EXAMPLE, "").sockets / "k-5"
        size = len(os.fsencode(longest))
        if size > SOCKET_PATH_BYTES:
            raise RootRefused(
                f"The sockets' path {longest} is {size} bytes long, at most {SOCKET_PATH_BYTES} "
                "work: set RamDirectories.hot_root to a shorter one."
            )

    def hot(self, project_id: str) -> Path:
        """The project's hot memory."""
        return self.base / check_project_id(project_id)

    def marker(self, project_id: str) -> Path:
        """The file that says whether the project's hot memory is whole; outside of it."""
        return marker_in(self.base, project_id)

    def projects(self) -> list[str]:
        """Projects that have hot memory here."""
        return [name for name in os.listdir(self.base) if is_project_id(name)]

    def traces(self) -> list[str]:
        """Projects of which anything is here, half a restore or only the marker included."""
        names = {_TRACE.sub(r"\1", name) for name in os.listdir(self.base)}
        return sorted(filter(is_project_id, names))

    def remove_hot(self, project_id: str) -> None:
        """Remove the project's hot memory; first its marker, or a part might pass for the whole."""
        self.marker(project_id).unlink(missing_ok=True)
        for name in (project_id, f".{project_id}.new", f".{project_id}.old"):
            remove_tree(self.base / name)

    def session_tmp(self, owner: str, session_id: str) -> Path | None:
        """What is `/tmp` in a session; None when that has no directory (any more)."""
        path = self._session(owner, session_id).tmp
        return path if path.is_dir() else None

    def _session(self, owner: str, session_id: str) -> SessionDirectories:
        # A hash, because the path of a socket must be short.
        name = hashlib.sha256(session_id.encode()).hexdigest()[:12]
        base = self._sessions / owner / name
        return SessionDirectories(base, base / "tmp", base / "deps", base / "k")

    def make_session(self, owner: str, session_id: str) -> SessionDirectories:
        """The session's directories, new and empty. Raises OSError; `discard_session` tidies up."""
        directories = self._session(owner, session_id)
        self.remove_session(directories)
        directories.base.mkdir(mode=0o700, parents=True)
        for path in (directories.tmp, directories.deps, directories.sockets):
            self.make(path)
        self.make(directories.tmp / "home")
        return directories

    def discard_session(self, owner: str, session_id: str) -> None:
        """Remove what there is for a session that did not start."""
        self.remove_session(self._session(owner, session_id))

    def unused(self, owner: str, session_ids: Collection[str]) -> list[str]:
        """Names of a process's directories that belong to none of these sessions."""
        place = self._sessions / owner
        used = {self._session(owner, session_id).base.name for session_id in session_ids}
        return sorted({*os.listdir(place)} - used) if place.is_dir() else []

    def remove_unused(self, owner: str, name: str) -> None:
        """Remove one of what `unused` has found; its name is free at once."""
        place = self._sessions / owner
        gone = place / f".{name.lstrip('.')}"
        os.rename(place / name, gone)
        remove_tree(gone)

    def remove_session(self, directories: SessionDirectories) -> None:
        """Remove what existed for the session."""
        if directories.base.exists():
            remove_tree(directories.base)

    def remove_owner(self, owner: str) -> None:
        """Remove what is left of a process that is gone."""
        path = self._sessions / owner
        if path.exists():
            remove_tree(path)

    def owners(self) -> list[str]:
        """Processes that have session directories here."""
        return [path.name for path in self._sessions.iterdir()]

    def make(self, path: Path) -> None:
        """Make a directory for the sessions' user, unless it is there."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            # Also one that is there: whoever made it may have been killed just before this.
            os.chown(path, *self._user, follow_symlinks=False)


def hot_root_of(configured: str) -> Path:
    """The directory that `RamDirectories.hot_root` stands for: itself, or the default.

    Raises TraitError for a relative path: each program would have a RAM of its own.
    """
    if configured:
        place = Path(os.path.expanduser(configured))
        if not place.is_absolute():
            raise TraitError(f"RamDirectories.hot_root must be an absolute path, not {place}.")
        return place
    in_ram = is_ram(SHM) and os.access(SHM, os.W_OK)
    return (SHM if in_ram else Path(tempfile.gettempdir())) / f"cognition-{os.geteuid()}"


def marker_in(base: Path, project_id: str) -> Path:
    """The file below `base` that says whether the project's hot memory is whole."""
    return base / f".{check_project_id(project_id)}.json"


def is_ram(path: Path) -> bool:
    """Whether what is written there stays in RAM."""
    return file_system(path) in _RAM


def file_system(path: Path) -> str:
    """Type of the file system that `path` is on; '' when unknown."""
    mount = innermost(os.path.realpath(path), mount_table())
    return mount.kind if mount else ""


def _private_directory(path: Path) -> None:
    """A directory that only we can enter; an existing one is checked, /dev/shm is everybody's."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = os.stat(path, follow_symlinks=False)
    except OSError as error:
        raise RootRefused(
            f"The directory {path} can't be made ({error.strerror}); set RamDirectories.hot_root."
        ) from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        what = "is a symbolic link" if stat.S_ISLNK(status.st_mode) else "belongs to somebody else"
        raise RootRefused(f"{path} {what}; set RamDirectories.hot_root to another directory.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        os.chmod(path, 0o700)
