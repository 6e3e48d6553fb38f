"""Faults of root, RAM and snapshots, each produced for real."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path

from cognition_jupyter.memory.snapshots.marker import HotMemory

from ..kernels.helpers import wait_until
from .conftest import Patient, as_root, cure, faults


def everything(*tops: Path) -> dict[str, tuple[int, ...]]:
    paths = [path for top in tops for path in (top, *top.rglob("*"))]
    stats = {str(path): path.lstat() for path in paths}
    return {p: (s.st_ino, s.st_mode, s.st_uid, s.st_size, s.st_ctime_ns) for p, s in stats.items()}


def test_all_is_well_and_nothing_is_changed(patient: Patient) -> None:
    project_id = patient.project({"plan.md": "first"}, release=False)
    before = everything(patient.files, patient.ram)
    found = patient.examine()
    assert faults(found) == {}
    assert [several[-1]["status"] for several in found.values()] == ["ok"] * len(found)
    assert "1 projects" in found["root"][0]["message"]
    assert "1 projects" in found["snapshots"][0]["message"], project_id
    assert everything(patient.files, patient.ram) == before
    # As text: a line for each.
    lines = patient.says()
    assert all(line.startswith("ok    ") for line in lines) and len(lines) == len(found)


def test_where_there_is_no_root_none_is_made(patient: Patient) -> None:
    found = patient.examine("--root", "to/come")
    assert faults(found) == {} and "no root yet" in found["root"][0]["message"]
    assert os.listdir(patient.files) == [] and os.listdir(patient.ram) == []


def test_wrong_calls_and_wrong_configuration(patient: Patient) -> None:
    assert "takes nothing" in patient.refuses("something", status=2)
    assert "memory_limit can't be" in patient.refuses("--DockerRuntime.memory_limit=1")
    assert "MEMORY_SNAPSHOT_INTERVAL" in patient.refuses_in(MEMORY_SNAPSHOT_INTERVAL="soon")


# -- the root ----------------------------------------------------------------------------------


@as_root
def test_a_full_disk(patient: Patient) -> None:
    patient.root.mkdir()
    full = f"mount -t tmpfs -o size=1m none {patient.root}\nhead -c 2M /dev/zero >"
    found = faults(patient.examine(mounts=f"{full} {patient.root}/filler 2>&- || true"))
    assert found["disk_full"].startswith(f"0 MiB are free at {patient.root};")
    few = f"mount -t tmpfs -o nr_inodes=20 none {patient.root}"
    found = faults(patient.examine(mounts=few))
    assert "no inodes" in found["disk_full"]


@as_root
def test_a_root_on_a_read_only_file_system(patient: Patient) -> None:
    patient.project()
    read_only = f"mount --bind {patient.root} {patient.root}; mount -o remount,ro,bind"
    found = patient.examine(mounts=f"{read_only} {patient.root}")
    assert "mounted read-only" in faults(found)["root_unwritable"]
    assert "Mount it writable" in cure(found, "root_unwritable")


def test_a_root_that_may_not_be_written(patient: Patient) -> None:
    above = patient.files / "above"
    above.mkdir()
    if os.geteuid() == 0:
        # A link to root's directory, as somebody else: nobody but its owner may write there.
        found = patient.as_user("--root", "/usr/share/cognition-none")
        assert "/usr/share" in faults(found)["root_unwritable"]
        assert "can't write there" in faults(found)["root_unwritable"]
        assert "chown" in cure(found, "root_unwritable")
    else:
        above.chmod(0o500)
        found = patient.examine("--root", "above/root")
        above.chmod(0o700)
        assert str(above) in faults(found)["root_unwritable"]
    (above / "file").touch()
    found = patient.examine("--root", "above/file")
    assert "can't be looked into" in faults(found)["root_refused"]


def test_a_root_that_can_not_be_trusted(patient: Patient) -> None:
    patient.project()
    marker = patient.root / ".cognition/root.json"
    if os.geteuid() == 0:
        os.chown(marker, 12345, 12345)
        os.chown(patient.root, 12345, 12345)
        found = patient.examine()
        assert "another user" in faults(found)["root_refused"]
        assert "as 12345" in cure(found, "root_refused")
        os.chown(patient.root, 0, 0)
        os.chown(marker, 0, 0)
    marker.write_text("{}")
    found = patient.examine()
    assert "can't be read" in faults(found)["root_refused"]
    assert "backup" in cure(found, "root_refused")


# -- hot memory --------------------------------------------------------------------------------


@as_root
def test_no_tmpfs_at_the_usual_place(patient: Patient) -> None:
    patient.configure({})
    disk = patient.directory / "disk"
    disk.mkdir()
    found = patient.examine(mounts=f"mount --bind {disk} /dev/shm")
    assert "on disk" in faults(found)["no_tmpfs"]
    assert "/dev/shm" in cure(found, "no_tmpfs")
    assert os.listdir(disk) == []


def test_a_hot_root_on_disk_or_of_somebody_else(patient: Patient) -> None:
    found = patient.examine(f"--RamDirectories.hot_root={patient.directory}/hot")
    assert f"{patient.directory}/hot" in faults(found)["no_tmpfs"]
    (patient.ram / "file").touch()
    found = patient.examine(f"--RamDirectories.hot_root={patient.ram}/file")
    assert "no directory of" in faults(found)["hot_root_unusable"]


@as_root
def test_too_little_ram(patient: Patient) -> None:
    found = patient.examine(mounts=f"mount -t tmpfs -o size=8m none {patient.ram}")
    assert "8 MiB are free" in faults(found)["ram_full"]
    assert "--shm-size" in cure(found, "ram_full")


def write_in_session(hot: HotMemory) -> float:
    """Change hot memory as code in a session would, long after it was restored."""
    os.utime(hot.marker, (1e9, 1e9))
    (hot.ram / "plan.md").write_text("second")
    return (hot.ram / "plan.md").stat().st_ctime


def test_changes_that_no_snapshot_has(patient: Patient) -> None:
    project_id = patient.project({"plan.md": "first", "other": "x"}, release=False)
    hot = patient.hot(project_id)
    time.sleep(0.05)  # the kernel's clock for files is coarse
    changed = write_in_session(hot)
    # In time yet: two rounds of five minutes have not passed.
    assert faults(patient.examine()) == {}
    found = wait_until(lambda: late(patient, "--DoctorCommand.patience=0.5"))
    message = faults(found)["snapshot_old"]
    when = datetime.fromtimestamp(changed, timezone.utc)
    assert project_id in message and f"since {when:%Y-%m-%dT%H:%M:%S}" in message
    assert "Start a server" in cure(found, "snapshot_old")
    found = patient.examine(
        "--DoctorCommand.patience=0.5", "--MemorySnapshots.memory_snapshot_enabled=False"
    )
    assert "memory_snapshot_enabled" in cure(found, "snapshot_old")
    # A snapshot mends it.
    patient.within(lambda cognition: cognition.memories.snapshot(project_id))
    assert late(patient, "--DoctorCommand.patience=0.001") is None


def test_times_that_changed_and_nothing_else(patient: Patient) -> None:
    project_id = patient.project({"plan.md": "first", "other": "x"}, release=False)
    hot = patient.hot(project_id)
    os.utime(hot.marker, (1e9, 1e9))
    time.sleep(0.05)
    mode = (hot.ram / "other").stat().st_mode
    for change in (mode | 0o111, mode):
        (hot.ram / "other").chmod(change)
    (hot.ram / "scratch").touch()
    (hot.ram / "scratch").unlink()
    time.sleep(0.05)
    assert late(patient, "--DoctorCommand.patience=0.001") is None
    (hot.ram / "other").unlink()
    assert late(patient, "--DoctorCommand.patience=0.001") is not None


def late(patient: Patient, *arguments: str) -> dict[str, list[dict[str, object]]] | None:
    found = patient.examine(*arguments)
    return found if "snapshot_old" in faults(found) else None


def test_what_can_t_be_looked_at_is_not_called_well(patient: Patient) -> None:
    project_id = patient.project({"plan.md": "first"}, release=False)
    place = patient.hot(project_id).ram.parent
    place.rename(patient.ram / "aside")
    place.touch()
    found = patient.examine()  # its exit status is 1 for that
    assert found["snapshots"][0]["status"] == "unknown" and faults(found) == {}
    assert "Not a directory" in found["snapshots"][0]["message"]
