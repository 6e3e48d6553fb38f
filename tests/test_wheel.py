"""What people install is small."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
MOST_BYTES = 500 * 1024


def test_the_wheel_is_small_and_has_the_front_end(tmp_path: Path) -> None:
    # The front end is the one that `make install` has built.
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    environment = os.environ | {"HATCH_BUILD_NO_HOOKS": "true"}
    subprocess.run(
        [*command, "--directory", str(tmp_path)], cwd=CHECKOUT, env=environment, check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any("/static/remoteEntry." in name and "labextensions" in name for name in names)
    assert any(name.endswith("kernels/cognition/kernel.json") for name in names)
    size = wheel.stat().st_size
    assert size < MOST_BYTES
