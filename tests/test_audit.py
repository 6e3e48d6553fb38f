"""The audit log: every event that really happened, in a file that only the server writes."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError

from cognition_jupyter.audit import AuditLog
from cognition_jupyter.events import Event
from cognition_jupyter.models import utcnow

from .kernels.helpers import LEAN, SCHEMA, wait_until
from .support.server import Server, clean_environment

WRITER = """
import sys
from pathlib import Path
from cognition_jupyter.audit import AuditLog
from cognition_jupyter.events import Event
from cognition_jupyter.models import utcnow
log = AuditLog(audit_log=sys.argv[1], audit_log_bytes=4096, audit_log_backups=200)
log.open([])
for number in range(300):
    data = {"number": number, "by": sys.argv[2]}
    log.note(Event("project", "changed", data, "somebody", utcnow()))
log.close()
"""


def event(**data: Any) -> Event:
    return Event("project", "created", data, "somebody", utcnow())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(path: Path, *events: Event, **traits: Any) -> None:
    log = AuditLog(audit_log=str(path), **traits)
    assert log.open([])
    for one in events:
        log.note(one)
    log.close()


def test_a_line_for_each_event(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    progress = Event("progress", "clone", {"detail": "50%"}, "somebody", utcnow())
    grown = Event("journal", "grown", {"last_seq": 3}, "somebody", utcnow())
    first_event = event(project_id="a", text="two\nlines \ud800")
    written(path, first_event, progress, grown, event(actor="forged"))
    first, second = lines(path)
    assert (first["noun"], first["action"], first["actor"]) == ("project", "created", "somebody")
    assert first["project_id"] == "a" and first["time"].endswith("Z")
    assert second["actor"] == "somebody"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    written(path, event())
    assert len(lines(path)) == 3 and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_by_default() -> None:
    log = AuditLog()
    assert not log.open([])
    log.close()


def test_rotation_keeps_so_many(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    many = [event(number=number) for number in range(100)]
    written(path, *many, audit_log_bytes=1024, audit_log_backups=2)
    files = [tmp_path / "audit.2", tmp_path / "audit.1", path]
    numbers = [line["number"] for file in files for line in lines(file)]
    assert numbers == [*range(numbers[0], 100)] and numbers[0] > 0
    assert all(file.stat().st_size <= 1024 for file in files)
    assert not (tmp_path / "audit.3").exists()
    written(path, *many, audit_log_bytes=1024, audit_log_backups=0)
    assert lines(path)[-1]["number"] == 99


def test_several_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "abcd"]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    found = [line for file in tmp_path.glob("audit*") for line in lines(file)]
    assert sorted((line["by"], line["number"]) for line in found) == [
        (name, number) for name in "abcd" for number in range(300)
    ]


@pytest.fixture
def bad_places(tmp_path: Path) -> Iterator[dict[str, Path]]:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "one").write_text("")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    (tmp_path / "root").mkdir()
    (tmp_path / "in").symlink_to(tmp_path / "root")
    yield {
        "a symbolic link": tmp_path / "link",
        "no regular file": tmp_path / "fifo",
        "Is a directory": tmp_path,
        "No such file": tmp_path / "none" / "audit",
        "Not a directory": tmp_path / "file" / "audit",
        "second name": tmp_path / "two",
        "below": tmp_path / "in" / "audit",
        "absolute": Path("audit"),
        "regular": Path("/dev/full"),
    }


def test_places_that_are_refused(bad_places: dict[str, Path], tmp_path: Path) -> None:
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    for why, path in bad_places.items():
        log = AuditLog(audit_log=str(path))
        with pytest.raises(TraitError, match=why) as error:
            log.open([tmp_path / "root"])
        assert "AuditLog.audit_log" in str(error.value)
        log.close()
    os.close(reader)
    (tmp_path / ".planted.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TraitError, match="symbolic link"):
        AuditLog(audit_log=str(tmp_path / "planted")).open([])
    assert not (tmp_path / "elsewhere").exists() and not [*(tmp_path / "root").iterdir()]


def test_whoever_holds_the_lock_for_ever_does_not_hang_the_start(tmp_path: Path) -> None:
    with (tmp_path / ".audit.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TraitError, match="holds its lock"):
            AuditLog(audit_log=str(tmp_path / "audit")).open([])
    written(tmp_path / "audit", event())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_told_and_made_up_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("can't mount here")
    try:
        log = AuditLog(audit_log=str(disk / "audit"))
        log.open([])
        (disk / "ballast").write_bytes(b"x" * 50_000)
        big = "x" * 30_000
        log.note(event(number=0, big=big))
        wait_until(lambda: "can't be written: No space" in caplog.text)
        (disk / "ballast").unlink()
        log.note(event(number=1))
        log.close()
        assert [line["number"] for line in lines(disk / "audit")] == [0, 1]
        assert "lacks" not in caplog.text
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_in_a_server_and_from_the_command_line(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    runtime = {"RuntimeChoice": {"runtime": "bubblewrap"}}
    server = make_server(config=LEAN | runtime | {"AuditLog": {"audit_log": str(path)}})
    user = server.call("GET", "/api/me")["identity"]["username"]
    project_id = server.create("audited")
    session = server.start_session(project_id)
    # Whoever is authorised may post to the bus; that never happened.
    forged = {"action": "deleted", "actor": "somebody else", "project_id": project_id}
    body = {"schema_id": SCHEMA.format("project"), "version": "1", "data": forged}
    server.call("POST", "/api/events", 204, json=body)
    server.call("PUT", f"/api/projects/{project_id}/memory/memories/hot/a", 201, data=b"a")
    server.call("POST", f"/api/projects/{project_id}/snapshots", 201)
    done = subprocess.run(
        ["jupyter", "cognition", "memory", "restore", project_id, "1"],
        cwd=server.root,
        env=clean_environment(server.home),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    server.stop()
    told = [(line["noun"], line["action"]) for line in lines(path)]
    assert told[:2] == [("project", "created"), ("session", "started")]
    assert (
        ("memory", "snapshot") in told
        and ("memory", "restored") in told
        and ("project", "deleted") not in told
    )
    ended = next(line for line in lines(path) if line["action"] == "ended")
    assert ended["reason"] == "server_stopped" and ended["session_id"] == session["session_id"]
    assert lines(path)[0]["actor"] == user
    restored = next(line for line in lines(path) if line["action"] == "restored")
    assert restored["actor"] == getpass.getuser()


def test_a_place_that_is_refused_stops_the_start(make_server: Callable[..., Server]) -> None:
    server = make_server(start=False, config=LEAN)
    server.config = {**LEAN, "AuditLog": {"audit_log": str(server.root / "audit")}}
    server.start(wait=False)
    assert server.process is not None and server.process.wait(30) == 1
    assert "AuditLog.audit_log" in server.tail() and "below" in server.tail()
    server.process = None
