"""Where a project's hot memory lives, and the marker that says whether it is whole.

The directory in RAM counts only with a marker that says "complete", of this root, of this boot and
of this very directory: what a killed restore or a reboot left never wins over the disk.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...projects.files import read_bounded, remove_temporary_files
from ...projects.tree import remove_tree
from .generations import numbers, opened
from .manifest import Damaged
from .scan import write_all

# Being replaced: what was there, here or in `old`, counts ("restoring") or does not ("filling").
COMPLETE, RESTORING, FILLING = "complete", "restoring", "filling"
_LARGEST = 4096


def boot_id() -> str:
    """The id of this boot of the machine: random(4)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class HotMemory:
    """One project's hot memory.

    `ram` is the directory that containers mount (its inode stays the same), `disk` holds the
    generations, `marker` is a file outside of `ram`, on the same file system. Beside `ram` stand
    `.{name}.new` and `.{name}.old` during a restore. `user` owns what is restored, if we are root.
    """

    ram: Path
    disk: Path
    marker: Path
    root_uuid: str
    user: tuple[int, int] | None = None
    boot: str = field(default_factory=boot_id)

    @property
    def new(self) -> Path:
        """Where a restore builds."""
        return self.ram.with_name(f".{self.ram.name}.new")

    @property
    def old(self) -> Path:
        """Where a restore moves what was there before."""
        return self.ram.with_name(f".{self.ram.name}.old")

    @property
    def lock(self) -> Path:
        """Held while a generation or the directory in RAM is made. Beside `disk`, not in it."""
        return self.disk.with_name(f"{self.disk.name}.lock")

    def make(self) -> None:
        """Make `ram` if it is missing. The caller holds the lock."""
        if not self.ram.exists():
            # The new directory may get the inode of the one that the marker is about.
            self.marker.unlink(missing_ok=True)
        self.ram.mkdir(mode=0o700, exist_ok=True)
        if self.user is not None and os.geteuid() == 0:
            os.chown(self.ram, *self.user, follow_symlinks=False)

    def remove_leftovers(self) -> None:
        """Remove what a killed restore left beside `ram`. The caller holds the lock."""
        for path in (self.new, self.old):
            if os.path.lexists(path):
                remove_tree(path)


@dataclass(frozen=True)
class Marker:
    """What the marker file says.

    `incarnation` is one life of the directory's content, `generation` what was restored, `newest`
    the newest generation then.
    """

    root_uuid: str
    boot: str
    generation: int | None
    state: str
    device: int
    inode: int
    incarnation: str
    newest: int = 0


def read_marker(hot: HotMemory) -> Marker | None:
    """The marker of this root, this boot and this directory; None when there is none.

    Raises OSError: a marker that can't be read just now, as without a free descriptor, is not one
    that says the directory in RAM may be replaced.
    """
    try:
        found = Marker(**json.loads(read_bounded(hot.marker, _LARGEST)))
        directory = os.stat(hot.ram, follow_symlinks=False)
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return None
    if (found.root_uuid, found.boot) != (hot.root_uuid, hot.boot):
        return None
    if (found.device, found.inode) != (directory.st_dev, directory.st_ino):
        return None
    return found


def new_marker(hot: HotMemory, generation: int | None, state: str) -> Marker:
    """A marker of the directory in RAM as it is now: another incarnation each time."""
    directory = os.stat(hot.ram, follow_symlinks=False)
    return Marker(
        root_uuid=hot.root_uuid,
        boot=hot.boot,
        generation=generation,
        state=state,
        device=directory.st_dev,
        inode=directory.st_ino,
        incarnation=secrets.token_hex(16),
        newest=max(numbers(hot.disk), default=0),
    )


def stage_marker(hot: HotMemory, marker: Marker) -> Path:
    """Write it beside; one rename to `hot.marker` makes it the marker, even without any room.

    Not synced: after a power cut it is another boot, and the marker counts for nothing. What is
    not renamed goes with `remove_temporary_files`. The caller holds the lock.
    """
    staged = hot.marker.with_name(f".{hot.marker.name}.{secrets.token_hex(4)}.tmp")
    fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write_all(fd, json.dumps(asdict(marker)).encode())
    finally:
        os.close(fd)
    return staged


def write_marker(hot: HotMemory, generation: int | None, state: str) -> Marker:
    """Replace the marker; each time it is another incarnation. The caller holds the lock."""
    remove_temporary_files(hot.marker)
    marker = new_marker(hot, generation, state)
    os.rename(stage_marker(hot, marker), hot.marker)
    return marker


def complete_marker(hot: HotMemory) -> Marker | None:
    """The marker when it says that the directory in RAM is whole; else None."""
    marker = read_marker(hot)
    return marker if marker is not None and marker.state == COMPLETE else None


def newer_elsewhere(hot: HotMemory, marker: Marker) -> int | None:
    """The newest generation, if it was made from another directory in RAM since then; else None.

    As by a server in another container, whose RAM is not ours. Takes microseconds.
    """
    newest = max(numbers(hot.disk), default=0)
    if newest <= marker.newest:
        return None
    try:
        with opened(hot.disk, newest, check=False) as generation:
            ours = generation.header.incarnation == marker.incarnation
    except (Damaged, OSError):  # what can't be read is no reason to replace what is whole
        return None
    return None if ours else newest


def is_complete(hot: HotMemory) -> bool:
    """Whether the directory in RAM is whole and may win over the disk. Takes microseconds."""
    return complete_marker(hot) is not None
