"""The README's tour works as printed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .support.server import TOKEN, Server, clean_environment

README = Path(__file__).parents[1] / "README.md"


def test_the_tour_works_as_printed(server: Server, tmp_path: Path) -> None:
    tour = README.read_text().partition("## A five-minute tour")[2].partition("\n## ")[0]
    blocks = re.findall(r"```bash\n(.*?)```", tour, re.DOTALL)
    assert len(blocks) >= 4
    # Only where the server is and its token differ from what is printed.
    script = "\n".join(blocks).replace("http://127.0.0.1:8888", server.url)
    script = script.replace("token tour", f"token {TOKEN}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=clean_environment(server.home),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert '"description": "My first project"' in said
    assert '"isolated": true' in said and '"network_mode": "OFF"' in said
    assert '"reason": "client"' in said
    assert "-first plan" in said and "+second thoughts" in said
    assert said.count("first plan") == 3, "in the diff, over REST, in the notebook's output"
    assert re.search(r"/workspace \d+ \['lo'\]", said)
    assert "from a container" in said
    assert "True" in said.splitlines(), "extend did not pin"
    assert "was moved to the trash" in said
