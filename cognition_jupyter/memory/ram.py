"""Directories in RAM: a project's hot memory, a session's `/tmp` and its sockets."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from traitlets import Unicode
from traitlets.config import LoggingConfigurable

from ..exceptions import RootRefused
from ..projects.naming import check_project_id
from ..projects.root import Root
from ..projects.tree import remove_tree

# sun_path of sockaddr_un, with its closing NUL: unix(7).
SOCKET_PATH_BYTES = 107
_RAM = ("tmpfs", "ramfs")


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
        super().__init__(**kwargs)
        self._root = root
        self._user = user
        name = f"cognition-{os.geteuid()}"
        shm = Path("/dev/shm")
        chosen = Path(self.hot_root) if self.hot_root else None
        if chosen is None:
            in_ram = file_system(shm) in _RAM and os.access(shm, os.W_OK)
            chosen = (shm if in_ram else Path(tempfile.gettempdir())) / name
        self.base = _private_directory(_private_directory(chosen) / root.uuid)
        self.kind = "ram" if file_system(self.base) in _RAM else "disk"
        self._sessions = _private_directory(self.base / ".s")

    def hot(self, project_id: str) -> Path:
        """The project's hot memory; made when it is missing."""
        path = self.base / check_project_id(project_id)
        self._make(path)
        return path

    def make_session(self, owner: str, session_id: str) -> SessionDirectories:
        """The session's directories, new and empty. RootRefused when the path is too long."""
        # The id may be any string; a hash is safe as a name and short enough for a socket.
        name = hashlib.sha256(session_id.encode()).hexdigest()[:12]
        base = self._sessions / owner / name
        directories = SessionDirectories(base, base / "tmp", base / "deps", base / "k")
        longest = len(os.fsencode(directories.sockets / "k-5"))
        if longest > SOCKET_PATH_BYTES:
            raise RootRefused(
                f"The sockets' path {directories.sockets} is {longest} bytes long, at most "
                f"{SOCKET_PATH_BYTES} work: set RamDirectories.hot_root to a shorter one."
            )
        _private_directory(self._sessions / owner)
        if base.exists():
            remove_tree(base)
        base.mkdir(mode=0o700)
        for path in (directories.tmp, directories.deps, directories.sockets):
            self._make(path)
        self._make(directories.tmp / "home")
        return directories

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

    def _make(self, path: Path) -> None:
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            return
        if os.geteuid() == 0:
            os.chown(path, *self._user)


def file_system(path: Path) -> str:
    """Type of the file system that `path` is on, from /proc/self/mounts; '' when unknown."""
    best, kind = "", ""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    target = os.path.realpath(path)
    for line in lines:
        point, found = line.split(" ")[1:3]
        point = point.replace("\\040", " ")
        if os.path.commonpath([point, target]) == point and len(point) >= len(best):
            best, kind = point, found
    return kind


def _private_directory(path: Path) -> Path:
    """A directory that only we can enter; an existing one is checked, /dev/shm is everybody's."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = os.stat(path, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise RootRefused(f"{path} belongs to somebody else; set RamDirectories.hot_root.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        os.chmod(path, 0o700)
    return path
