"""Whole directory trees: giving them to another user, removing them. Never through a link."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def give_tree(directory: Path, uid: int, gid: int) -> None:
    """Make `uid` and `gid` the owner of `directory` and all that is in it (needs root)."""
    for _, directories, files, folder in os.fwalk(directory, follow_symlinks=False):
        for name in (*directories, *files):
            os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
        os.fchown(folder, uid, gid)


def _make_writable_and_retry(function: Callable[..., Any], path: str, error: Any) -> None:
    """A read-only directory keeps its owner from emptying it: unlock it and try once more."""
    parent = os.path.dirname(path)
    for locked in (parent, path):
        try:
            if not os.path.islink(locked) and os.path.isdir(locked):
                os.chmod(locked, stat.S_IRWXU)
        except OSError:
            pass
    if function in (os.unlink, os.rmdir):
        function(path)
    else:
        shutil.rmtree(path)


def remove_tree(directory: Path) -> None:
    """Remove `directory` and all that is in it; links are removed, not followed."""
    if sys.version_info >= (3, 12):
        shutil.rmtree(directory, onexc=_make_writable_and_retry)
    else:
        shutil.rmtree(directory, onerror=_make_writable_and_retry)
