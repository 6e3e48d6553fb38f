"""The tour, which is the README's and goes on in docs/tour.md, works as printed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .support.server import TOKEN, Server, clean_environment

CHECKOUT = Path(__file__).parents[1]
README = CHECKOUT / "README.md"


def test_the_tour_works_as_printed(server: Server, tmp_path: Path) -> None:
    first = README.read_text().partition("## A five-minute tour")[2].partition("\n## ")[0]
    rest = (CHECKOUT / "docs/tour.md").read_text()
    blocks = [re.findall(r"```bash\n(.*?)```", part, re.DOTALL) for part in (first, rest)]
    assert all(len(part) >= 4 for part in blocks)
    # Only where the server is and its token differ from what is printed.
    script = "\n".join(blocks[0] + blocks[1]).replace("http://127.0.0.1:8888", server.url)
    script = script.replace("token tour", f"token {TOKEN}").replace(', "tour")', f', "{TOKEN}")')
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=clean_environment(server.home),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert '"description": "My first project"' in said
    assert '"isolated": true' in said and '"network_mode": "OFF"' in said
    assert '"reason": "client"' in said
    assert "-first plan" in said and "+second thoughts" in said
    assert said.count("first plan") == 4, "in the diff, over REST, in the notebook, in the copy"
    assert re.search(r"/workspace \d+ \['lo'\]", said)
    assert "from a container" in said
    assert "True" in said.splitlines(), "extend did not pin"
    assert "was moved to the trash" in said
    # What docs/tour.md adds.
    assert "SNAPSHOT" in said
    assert said.count("second thoughts") == 2, "in the diff, from snapshot 2"
    assert "python-package" in said and re.search(r"\d passed", said)
    assert re.search(r"(?m)^\d+ tool_output .*42", said) and re.search("(?m)^hello", said)
    assert re.search(r"tour-[0-9a-f]{8}\.tar\.gz: \d+ bytes", said)
