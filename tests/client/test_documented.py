"""`docs/client.md`: its program runs, and it names every call."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cognition_jupyter.client import Client

from ..support.server import TOKEN, Server

PAGE = (Path(__file__).parents[2] / "docs/client.md").read_text()


def test_the_program_runs_as_printed(small: Server) -> None:
    program = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    for printed, here in (("http://127.0.0.1:8888", small.url), ("tour", TOKEN)):
        assert f'"{printed}"' in program
        program = program.replace(f'"{printed}"', f'"{here}"', 1)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"42\n\n(tour-[0-9a-f]{8} (idle|active) 30\n)+", done.stdout)


def test_every_call_is_named() -> None:
    calls = {name for name in dir(Client) if not name.startswith("_")} - {"close"}
    assert calls <= set(re.findall(r"`(\w+)", PAGE))
