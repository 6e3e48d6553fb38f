"""What people install is small and whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
MOST_BYTES = 500_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The front end is the one that `make install` has built.
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    environment = os.environ | {"HATCH_BUILD_NO_HOOKS": "true"}
    subprocess.run([*command, "--directory", str(out)], cwd=CHECKOUT, env=environment, check=True)
    (made,) = out.glob("*.whl")
    return made


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES


def test_the_wheel_has_the_front_end_and_all_code_and_nothing_twice(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any("/static/remoteEntry." in name and "labextensions" in name for name in names)
    assert sum(name.endswith("/kernel.json") for name in names) == 1
    assert any(name.endswith("kernels/cognition/kernel.json") for name in names)
    package = CHECKOUT / "cognition_jupyter"
    assert {name for name in names if name.endswith(".py")} == {
        str(path.relative_to(CHECKOUT)) for path in package.rglob("*.py")
    }
    # Everything but code that lies in the package is there too, unless no code of it reads that.
    listed = subprocess.run(
        ["git", "ls-files", "cognition_jupyter"], cwd=CHECKOUT, capture_output=True, text=True
    )
    if listed.returncode == 0:  # a source distribution has no history
        assert set(listed.stdout.splitlines()) - set(names) == {
            "cognition_jupyter/handlers/openapi.yaml",
            "cognition_jupyter/kernels/kernelspec/kernel.json",
            "cognition_jupyter/kernels/kernelspec/logo-svg.svg",
        }


def test_the_description_says_what_the_readme_says_and_has_no_link_that_leads_nowhere(
    wheel: Path,
) -> None:
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (one for one in opened.namelist() if one.endswith(".dist-info/METADATA"))
        description = message_from_bytes(opened.read(name)).get_payload(decode=True).decode()
    assert not re.search(r"\]\((?!https?:)", description)
    readme = words(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", (CHECKOUT / "README.md").read_text()))
    paragraphs = re.split(r"\n\n|\n(?=- )", description)
    assert len(paragraphs) > 15
    for paragraph in paragraphs:
        assert words(paragraph).rstrip(".") in readme


def words(text: str) -> str:
    return " ".join(text.split())
