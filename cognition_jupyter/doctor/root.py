"""The root: is it there, ours and writable, and has its disk room?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..memory.shapes import MIB
from ..projects.naming import is_project_id
from .finding import Finding, fault, ok, unknown
from .subject import Subject, user_name

LEAST_FREE = 100 * MIB
LEAST_INODES = 1000
_PARTS = (".", ".cognition", ".cognition/owners", ".cognition/locks", ".trash")


def check_root(subject: Subject) -> Iterator[Finding]:
    """One finding on the root itself, one on the room on its disk. Waits for the disk."""
    if subject.marker.problem:
        yield _refused(subject)
    elif (stranger := _not_writable(subject.root)) is not None:
        yield _unwritable(*stranger)
    elif not subject.marker.uuid:
        yield ok("root", f"{subject.root} is no root yet; a server's first start makes it one.")
    else:
        projects = sum(map(is_project_id, os.listdir(subject.root)))
        yield ok("root", f"{subject.root} holds {projects} projects and can be written.")
    yield room("disk", subject.root, LEAST_FREE, "projects")


def _refused(subject: Subject) -> Finding:
    try:
        owner = os.stat(subject.root).st_uid
    except OSError:
        owner = os.geteuid()
    if owner not in (os.geteuid(), 0):
        cure = f"Run server and doctor as {user_name(owner)}, to whom the root belongs."
    else:
        cure = "Put the marker back from a backup, or name another root with ProjectStore.root."
    return fault("root", "root_refused", subject.marker.problem, cure)


def _not_writable(root: Path) -> tuple[Path, bool] | None:
    """The first directory we have to write into and can't, and whether its disk is read-only.

    Of a root to come, the nearest directory above it.
    """
    if not os.path.lexists(root):
        places = [next(path for path in root.parents if os.path.lexists(path))]
    else:
        places = [path for part in _PARTS if os.path.lexists(path := root / part)]
    for path in places:
        if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
            return path, bool(os.statvfs(path).f_flag & os.ST_RDONLY)
        if not path.is_dir():
            return path, False
    return None


def _unwritable(path: Path, read_only: bool) -> Finding:
    if read_only:
        message = f"{path} is on a file system that is mounted read-only."
        cure = "Mount it writable, or set ProjectStore.root."
    elif not path.is_dir():
        message = f"{path} is no directory."
        cure = "Move it away, or set ProjectStore.root."
    else:
        status = path.stat()
        message = (
            f"{user_name(status.st_uid)} owns {path}, mode {status.st_mode & 0o7777:04o}: "
            f"{user_name()} can't write there."
        )
        uid = os.geteuid()
        cure = f"Give it to the server's user (chown -R {uid} {path}), or run as its owner."
    return fault("root", "root_unwritable", message, cure)


def room(check: str, path: Path, least: int, what: str) -> Finding:
    """How much room is left on the file system of `path`, or of the nearest above it."""
    while not os.path.lexists(path):
        path = path.parent
    try:
        found = os.statvfs(path)
    except OSError as error:
        return unknown(check, f"{path} can't be looked at: {error.strerror}.")
    free = found.f_bavail * found.f_frsize
    if free < least:
        message = f"{free / MIB:.4g} MiB are free at {path}; {what} need {least / MIB:.4g} MiB."
    elif found.f_files > 0 and found.f_favail < LEAST_INODES:  # some file systems count none
        message = f"No more than {found.f_favail} files can be made at {path}: it has no inodes."
    else:
        return ok(check, f"{free / MIB:,.0f} MiB are free at {path}.")
    cure = (
        "Make room: `jupyter cognition cleanup` removes what is due, the trash is below "
        ".trash/; or enlarge the file system."
        if check == "disk"
        else "Enlarge it (mount -o remount,size=…; --shm-size of a container), or set "
        "RamDirectories.hot_root to a larger one."
    )
    return fault(check, f"{check}_full", message, cure)
