"""What the tests of memory through a server share: code for the kernel, looks at the disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ..kernels.helpers import root_uuid
from ..support.server import Server

#: Writes all kinds of files; prints nothing.
WRITE = r"""
import os
os.chdir(os.environ["COGNITION_HOT_MEMORY"])
os.makedirs("notes/deep/er", exist_ok=True)
os.makedirs("nothing in it", exist_ok=True)
open("plan.md", "w").write("# Plan\nremember\n")
open("notes/deep/er/page.txt", "w").write("nested")
open("empty", "w").close()
open("binary", "wb").write(bytes(range(256)) * 40)
open(b"caf\xe9 \xff", "wb").write(b"no UTF-8")
os.chmod("plan.md", 0o640)
os.symlink("plan.md", "link")
os.utime("plan.md", ns=(1_000_000_000_123456789, 1_000_000_000_123456789))
"""
#: Prints all that is in hot memory, as JSON.
READ = r"""
import hashlib, json, os, stat
def look(top):
    found = {}
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in folders + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            row = [stat.filemode(status.st_mode)]
            if stat.S_ISREG(status.st_mode):
                row += [status.st_mtime_ns, hashlib.sha256(open(path, "rb").read()).hexdigest()]
            elif stat.S_ISLNK(status.st_mode):
                row += [os.fsdecode(os.readlink(path))]
            found[ascii(os.path.relpath(path, os.fsencode(top)))] = row
    return found
print(json.dumps(look(os.environ["COGNITION_HOT_MEMORY"]), sort_keys=True))
"""


def remembered(server: Server, project_id: str, write: str = "") -> dict[str, Any]:
    """What a fresh session finds in hot memory, after it has run `write`."""
    session = server.start_session(project_id)
    with server.kernel(session["kernel_id"]) as kernel:
        if write:
            kernel.check(write)
        found: dict[str, Any] = json.loads(kernel.check(READ))
    server.end_session(session)
    return found


def hot(server: Server, project_id: str) -> Path:
    """The project's directory in RAM."""
    return server.hot_root / root_uuid(server) / project_id


def disk(server: Server, project_id: str) -> Path:
    """Where the project's generations are."""
    return server.root / project_id / ".memories/hot"


def reboot(server: Server) -> None:
    """Take away what a machine that was switched off would have lost; the server must be down."""
    shutil.rmtree(server.hot_root)


def snapshots(server: Server, project_id: str) -> list[dict[str, Any]]:
    """The project's snapshots, newest first."""
    path = f"/api/projects/{project_id}/snapshots"
    found: list[dict[str, Any]] = server.call("GET", path)["snapshots"]
    return found


def put(server: Server, project_id: str, path: str, data: bytes, expect: int = 201) -> None:
    """Write a file through REST."""
    server.call("PUT", f"/api/projects/{project_id}/memory/{path}", expect, data=data)


def get(server: Server, project_id: str, path: str) -> bytes:
    """Read a file through REST."""
    answer = server.request("GET", f"/api/projects/{project_id}/memory/{path}")
    assert answer.status_code == 200, answer.text
    return answer.content
