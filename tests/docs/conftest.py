"""The documentation, built once as `make docs` builds it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .site import Site

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The pages as HTML. A warning of Sphinx is an error: of a broken link, for instance."""
    out = tmp_path_factory.mktemp("docs")
    done = subprocess.run(
        ["sh", CHECKOUT / "scripts/docs.sh", out], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Site(out)
