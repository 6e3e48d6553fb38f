"""Every runtime in turn."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from cognition_jupyter.runtimes.choice import RUNTIMES

from .support import Place, new_uuid


@pytest.fixture(params=[*RUNTIMES])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(RUNTIMES[request.param](root_uuid=new_uuid()))
    yield made
    shutil.rmtree(made.path, ignore_errors=True)
