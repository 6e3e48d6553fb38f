"""Tests that are coroutines: each has a loop of its own, and an end."""

from __future__ import annotations

import asyncio
import inspect

import pytest

SECONDS = 180  # far more than any of them takes


def run_coroutine(pyfuncitem: pytest.Function) -> bool | None:
    """For `pytest_pyfunc_call` of a conftest."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), SECONDS))
    return True
