"""`docs/agent.md`: its program runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from ..kernels.helpers import LEAN
from ..sessions.model_server import ModelServer, calls, says
from ..support.server import TOKEN, Server
from .conftest import CHECKOUT

PAGE = (CHECKOUT / "docs/agent.md").read_text()


def test_the_program_runs_as_printed(make_server: Callable[..., Server]) -> None:
    settings, program, *_ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with ModelServer().running() as model:
        (base_url,) = re.findall(r'base_url = "(.*)"', settings)
        (allowed,) = re.findall(r'allowed_models = \["(.*)"\]', settings)
        agent = {"base_url": base_url.replace("http://127.0.0.1:8000/v1", model.url)}
        server = make_server(config=LEAN | {"AgentSettings": agent | {"allowed_models": [allowed]}})
        model.script = [calls(ls={"path": "/workspace"}), says("Nothing yet.")]
        for printed, here in (("http://127.0.0.1:8888", server.url), ("tour", TOKEN)):
            assert f'"{printed}"' in program
            program = program.replace(f'"{printed}"', f'"{here}"', 1)
        command = [sys.executable, "-W", "error", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180)
        assert (done.returncode, done.stderr, done.stdout) == (0, "", "Nothing yet.\n")
        assert model.asked[0]["model"] == "qwen-3"
