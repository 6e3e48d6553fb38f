"""docs/doctor.md has every fault that the doctor can name, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import cognition_jupyter

PACKAGE = Path(cognition_jupyter.__file__).parent
PAGE = (PACKAGE.parent / "docs/doctor.md").read_text()


def test_faults() -> None:
    source = "".join(path.read_text() for path in (PACKAGE / "doctor").glob("*.py"))
    named = set(re.findall(r'fault\(\s*"\w+",\s*"(\w+)"', source))
    rooms = re.findall(r'room\("(\w+)"', source)
    assert rooms and 'f"{check}_full"' in source
    section = PAGE.partition("\n## Faults\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"(?m)^\| `(\w+)` \|", section)) == named | {f"{r}_full" for r in rooms}
