"""This process's mounts, as /proc/self/mountinfo tells them: proc(5)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class MountPoint:
    """`point` is where a file system stands in our tree, `root` what of that file system it is.

    `kind` is the type of the file system, such as `tmpfs`.
    """

    root: str
    point: str
    kind: str


def mount_table() -> list[MountPoint]:
    """All mounts, in the order in which they were made; none where there is no /proc."""
    try:
        text = os.fsdecode(Path("/proc/self/mountinfo").read_bytes())
    except OSError:
        return []
    rows = [line.split(" ") for line in text.rstrip("\n").split("\n")]
    return [
        MountPoint(_plain(row[3]), _plain(row[4]), _plain(row[row.index("-", 6) + 1]))
        for row in rows
        if len(row) > 7
    ]


def innermost(path: str, table: list[MountPoint]) -> MountPoint | None:
    """The mount that the real path `path` is on. Of two on one point, the later is on top."""
    found = None
    for mount in table:
        longer = found is None or len(mount.point) >= len(found.point)
        if longer and is_below(path, mount.point):
            found = mount
    return found


def is_below(path: str, directory: str) -> bool:
    """Whether the path is the directory, or lies in it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _plain(field: str) -> str:
    return _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), field)
