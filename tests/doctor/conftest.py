"""The doctor as a user calls it, on a root of its own, also as another user and in another mount
namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ..cli.conftest import PACKAGE, Place
from ..support.server import clean_environment

AS_USER = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--")

Report = dict[str, list[dict[str, Any]]]


class Patient(Place):
    """A root, and what the doctor says of it."""

    command = ("doctor",)

    def examine(
        self,
        *arguments: str,
        mounts: str = "",
        prefix: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> Report:
        """The findings by the name of their check. `mounts`: shell, in a namespace of its own."""
        command = [*prefix, sys.executable, "-m", "cognition_jupyter.cli", "doctor", "--json"]
        if mounts:
            command = ["unshare", "--mount", "sh", "-ec", f'{mounts}\nexec "$@"', "sh", *command]
        done = subprocess.run(
            [*command, *arguments],
            cwd=self.files,
            env=clean_environment(self.home, **{"PYTHONPATH": str(PACKAGE), **(environment or {})}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stderr == "" and done.returncode in (0, 1), done
        report = json.loads(done.stdout)
        found: Report = {}
        for finding in report["findings"]:
            assert set(finding) == {"check", "status", "message", "code", "cure"}
            assert (finding["status"] == "fault") == bool(finding["code"]) == bool(finding["cure"])
            assert finding["message"].endswith(".") and "\n" not in finding["message"]
            found.setdefault(finding["check"], []).append(finding)
        well = all(f["status"] == "ok" for f in report["findings"])
        assert report["ok"] is well and done.returncode == (0 if well else 1)
        return found

    def as_user(self, *arguments: str) -> Report:
        """What an ordinary user is told, in a home that is its own."""
        home = self.directory / "home-of-1000"
        home.mkdir(exist_ok=True)
        (self.directory / "files").chmod(0o755)
        for path in (self.directory, home):
            path.chmod(0o755)
        os.chown(home, 1000, 1000)
        environment = {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config")}
        if subprocess.run([*AS_USER, sys.executable, "-c", ""], check=False).returncode:
            pytest.skip("uid 1000 can't use this Python")
        return self.examine(*arguments, prefix=AS_USER, environment=environment)

    def refuses_in(self, **environment: str) -> str:
        """The one sentence of the command in such an environment."""
        with self.start(**environment) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == 1 and out == b"" and err.count(b"\n") == 1, (out, err)
        return err.decode()


def faults(found: Report) -> dict[str, str]:
    """The message of each fault by its code."""
    return {f["code"]: f["message"] for several in found.values() for f in several if f["code"]}


def cure(found: Report, code: str) -> str:
    (one,) = [f["cure"] for several in found.values() for f in several if f["code"] == code]
    return str(one)


@pytest.fixture
def patient() -> Iterator[Patient]:
    made = Patient()
    yield made
    made.remove()


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
