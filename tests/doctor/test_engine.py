"""Faults of the engine and of what is on it, each produced for real."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import docker

from ..kernels.helpers import LEAN, containers, wait_until
from ..support.server import Server
from .conftest import Patient, as_root, cure, faults


def test_no_engine(patient: Patient) -> None:
    missing = {"DOCKER_HOST": f"unix://{patient.directory}/none.sock"}
    found = patient.examine(environment=missing)
    assert f"{patient.directory}/none.sock: No such file" in faults(found)["no_engine"]
    assert "systemctl start docker" in cure(found, "no_engine")
    assert {found[name][0]["status"] for name in ("image", "containers")} == {"unknown"}
    with socket.socket(socket.AF_UNIX) as nobody:  # bound, and nobody listens
        nobody.bind(f"{patient.directory}/dead.sock")
        dead = {"DOCKER_HOST": f"unix://{patient.directory}/dead.sock"}
        assert "Connection refused" in faults(patient.examine(environment=dead))["no_engine"]
    # It is not missed where sessions are not to have one.
    found = patient.examine("--RuntimeChoice.runtime=bubblewrap", environment=missing)
    assert faults(found) == {} and "bubblewrap" in found["runtime"][0]["message"]


def test_no_engine_for_a_root_that_had_one(patient: Patient) -> None:
    patient.project()
    missing = f"--DockerRuntime.base_url=unix://{patient.directory}/none.sock"
    patient.within(lambda cognition: cognition.choice.note_use(cognition.choice.for_reconcile()[0]))
    found = faults(patient.examine(missing))
    assert "has used docker" in found["no_runtime"] and "no_engine" in found


def test_an_engine_elsewhere_or_of_another_kind(patient: Patient) -> None:
    found = faults(patient.examine("--DockerRuntime.base_url=tcp://secret@10.0.0.1:1"))
    assert "only one on this machine" in found["engine_fails"]
    assert "secret" not in str(found)


def test_no_permission_on_the_socket(patient: Patient) -> None:
    path = patient.directory / "private.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        path.chmod(0)
        # Root may use every socket.
        examine = patient.as_user if os.geteuid() == 0 else patient.examine
        found = examine(f"--DockerRuntime.base_url=unix://{path}")
    assert f"may not use the engine's socket {path}" in faults(found)["engine_permission"]
    assert "usermod -aG" in cure(found, "engine_permission")


def test_no_image(patient: Patient) -> None:
    found = patient.examine("--SessionPolicy.image=127.0.0.1:1/nothing:1")
    assert "127.0.0.1:1/nothing:1" in faults(found)["image_missing"]
    assert "jupyter cognition image build" in cure(found, "image_missing")
    assert found["mounts"][0]["status"] == "unknown"


@as_root
def test_an_engine_that_sees_other_files(patient: Patient) -> None:
    patient.project()
    # As in a container that has the engine's socket: our paths lead somewhere else there.
    other = patient.directory / "other"
    other.mkdir()
    swapped = f"cp -a {patient.root} {other}; mount --bind {other}/workspaces {patient.root}"
    found = patient.examine(mounts=swapped)
    assert f"{patient.root} is another directory" in faults(found)["mounts_unusable"]
    assert "same files" in cure(found, "mounts_unusable")
    # Or nowhere.
    hidden = "mount -t tmpfs none /mnt; mkdir /mnt/root-of-tests"
    found = patient.examine("--root", "/mnt/root-of-tests", mounts=hidden)
    assert "does not see the directory /mnt/root-of-tests" in faults(found)["mounts_unusable"]
    uuid = os.listdir(patient.ram)[0]
    hidden = f"mount -t tmpfs none {patient.ram}; mkdir {patient.ram}/{uuid}"
    found = patient.examine(mounts=hidden)
    assert f"{patient.ram}/{uuid} is another directory" in faults(found)["mounts_unusable"]


def test_the_doctor_leaves_no_container(patient: Patient, engine: docker.DockerClient) -> None:
    def there() -> set[str]:
        found = engine.containers.list(
            all=True, ignore_removed=True, filters={"label": "cognition.root=doctor"}
        )
        return {container.id for container in found}

    patient.examine()
    left = there()  # of another test's doctor, which is at work
    wait_until(lambda: not left & there())


def test_containers_of_a_server_that_was_killed(
    patient: Patient, make_server: Callable[..., Server], engine: docker.DockerClient
) -> None:
    server = make_server(config=LEAN)
    project_id = server.create("orphan")
    server.start_session(project_id)
    (container_id,) = containers(engine, server)
    look = ("--root", str(server.root), f"--RamDirectories.hot_root={server.hot_root}")
    found = patient.examine(*look)
    assert "1 containers, each of a server that lives" in found["containers"][0]["message"]
    server.kill()
    found = patient.examine(*look)
    assert f"{container_id[:12]} ({project_id})" in faults(found)["orphan_containers"]
    assert "Start a server" in cure(found, "orphan_containers")
    assert [*containers(engine, server)] == [container_id]
    assert os.listdir(server.root / ".cognition/owners") != []
    server.start()
    wait_until(lambda: containers(engine, server) == {})
    assert "orphan_containers" not in faults(patient.examine(*look))


@as_root
def test_paths_that_the_engine_has_elsewhere(patient: Patient) -> None:
    patient.project()
    (patient.directory / "seen").mkdir()
    seen = f"{patient.directory}/seen"
    moved = f"mount --bind {patient.root} {seen}"
    look = ("--root", seen)
    assert faults(patient.examine(*look, mounts=moved)).keys() == {"mounts_unusable"}
    mappings = {seen: str(patient.root), "/dev/shm": "/dev/shm"}
    found = patient.examine(*look, f"--DockerRuntime.path_mappings={mappings}", mounts=moved)
    assert faults(found) == {}
    assert f"{seen} (there {patient.root})" in found["mounts"][0]["message"]
    mappings = {seen: f"{patient.root}/none", "/dev/shm": "/dev/shm"}
    found = patient.examine(*look, f"--DockerRuntime.path_mappings={mappings}", mounts=moved)
    assert f"does not see the directory {patient.root}/none" in faults(found)["mounts_unusable"]
    mappings = {seen: str(patient.root)}
    found = patient.examine(*look, f"--DockerRuntime.path_mappings={mappings}", mounts=moved)
    assert f"{patient.ram}" in faults(found)["mounts_unusable"]
    assert "path_mappings" in faults(found)["mounts_unusable"]
