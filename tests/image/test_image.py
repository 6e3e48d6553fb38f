"""The session image on a real engine, and the command that builds it."""

from __future__ import annotations

import os
import subprocess
import sys

import docker
import pytest
from docker.errors import ImageNotFound

from cognition_jupyter.exceptions import InvalidInput
from cognition_jupyter.image.build import build_session_image
from cognition_jupyter.kernels.policy import DEFAULT_IMAGE

ENGINE = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
TAG = "cognition-test-image:built"


def cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cognition_jupyter.cli", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=120,
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith(".\n")


def run(engine: docker.DockerClient, *command: str, **options: object) -> tuple[int, str]:
    """Exit status and output (both streams) of `command` in a container like a session's."""
    hardened = {
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "tmpfs": {"/tmp": "mode=1777"},
        "environment": {"HOME": "/tmp/home", "PYTHONUSERBASE": "/deps"},
    }
    labels = {"cognition.test": "1"}
    container = engine.containers.create(
        DEFAULT_IMAGE, list(command), labels=labels, **(hardened | options)
    )
    try:
        container.start()
        status = container.wait(timeout=60)["StatusCode"]
        return status, container.logs().decode()
    finally:
        container.remove(force=True)


# -- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "word"),
    [([], "image"), (["image"], "build"), (["image", "build"], "--wheels")],
    ids=" ".join,
)
def test_help_names_what_there_is(arguments: list[str], word: str) -> None:
    done = cli(*arguments, "--help")
    assert done.returncode == 0, done.stderr
    assert word in done.stdout


def test_help_all_shows_every_trait_of_the_configuration() -> None:
    done = cli("--help-all")
    assert "--DockerRuntime.base_url" in done.stdout
    assert "--SessionPolicy.image" in done.stdout


def test_no_subcommand_shows_the_subcommands() -> None:
    done = cli("image")
    assert done.returncode == 1
    assert "build" in done.stdout


@pytest.mark.parametrize("base", ["127.0.0.1:1/none", "Not A Name"])
def test_a_base_that_is_not_there_is_one_sentence(base: str) -> None:
    assert_one_sentence(cli("image", "build", "--base", base, "--tag", TAG))


def test_no_engine_is_one_sentence() -> None:
    assert_one_sentence(cli("image", "build", DOCKER_HOST="unix:///nonexistent.sock"))


def test_wheels_that_are_not_there_are_one_sentence(tmp_path) -> None:
    done = cli("image", "build", "--wheels", str(tmp_path / "none"))
    assert_one_sentence(done)
    assert str(tmp_path / "none") in done.stderr
    with pytest.raises(InvalidInput, match="no wheels"):
        build_session_image(ENGINE, TAG, wheels=tmp_path)


def test_build_on_a_base_that_has_everything(engine, tmp_path) -> None:
    """The session image itself as the base, so that no package is needed."""
    (tmp_path / "none-1-py3-none-any.whl").touch()
    lines: list[str] = []
    try:
        build_session_image(ENGINE, TAG, DEFAULT_IMAGE, tmp_path, {"a.b": "c"}, lines.append)
        built = engine.images.get(TAG)
        assert built.labels["a.b"] == "c"
        assert built.attrs["Config"]["User"] == "1000:1000"
        assert not built.attrs["Config"]["Entrypoint"]
        assert any(line.startswith("Step 1/") for line in lines)
    finally:
        second = max((n for n, line in enumerate(lines) if ": FROM" in line), default=1)
        for leftover in (TAG, lines[second - 1].split()[-1] if lines else TAG):
            try:
                engine.images.remove(leftover, force=True)
            except ImageNotFound:
                pass


# -- the image ---------------------------------------------------------------------------------


def test_runs_as_an_ordinary_user_unless_told_otherwise(engine) -> None:
    assert run(engine, "sh", "-c", "id -u; id -g; pwd") == (0, "1000\n1000\n/workspace\n")


def test_has_no_setuid_or_setgid_files(engine) -> None:
    everywhere = {"user": "0:0", "cap_add": ["DAC_READ_SEARCH"]}
    assert run(engine, "find", "/", "-xdev", "-perm", "/6000", **everywhere) == (0, "")


def test_mount_points_are_there(engine) -> None:
    places = "/workspace", "/memories/hot", "/memories/persistent", "/deps", "/run/cognition"
    status, output = run(engine, "ls", "-d", *places)
    assert status == 0, output


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m ipykernel_launcher --version",
        "python3 -m pip --version",
        "git --version",
        "pytest --version",
    ],
)
def test_programs_work_for_any_user_without_network_or_a_writable_root(engine, command) -> None:
    status, output = run(engine, *command.split(), user="12345:12345")
    assert status == 0, output


def test_all_that_a_kernel_imports_is_compiled(engine) -> None:
    imports = "import ipykernel.kernelapp, ipykernel.debugger, IPython.core.completer, pytest"
    status, output = run(engine, "python3", "-v", "-c", imports, user="12345:12345")
    assert status == 0, output
    loaded = [line for line in output.splitlines() if line.startswith("# code object from ")]
    assert len(loaded) > 300
    # Python names the source when it had to compile it, the .pyc otherwise.
    assert [line for line in loaded if line.endswith(".py'")] == []
