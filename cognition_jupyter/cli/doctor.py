"""`jupyter cognition doctor`: what is wrong, and what can be done about it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path

from traitlets import Bool, Float, TraitError

from ..core import root_without_server
from ..doctor.examine import examine
from ..doctor.finding import Finding
from ..doctor.subject import Subject
from ..exceptions import InvalidInput
from .project import ProjectCommand
from .text import visible

_WORDS = {"ok": "ok", "fault": "FAULT", "unknown": "?"}


class DoctorCommand(ProjectCommand):
    """Say what is wrong with root, memory, engine and image, and how to put it right.

    Changes nothing; starts one container that looks at its mounts, and removes it. Run it as the
    server's user, and where the server runs. Exit status 1 when something is wrong, or could not
    be looked at.
    """

    name = "jupyter-cognition-doctor"
    description = __doc__ or ""
    arguments = ""
    options = f"[--json] {ProjectCommand.options}"
    examples = """
jupyter cognition doctor
jupyter cognition doctor --root /srv/projects --json
"""
    flags = {
        **ProjectCommand.flags,
        "json": ({"DoctorCommand": {"as_json": True}}, "Print one JSON object."),
    }

    as_json = Bool(False, help="Print one JSON object.").tag(config=True)
    patience = Float(
        0,
        min=0,
        help="Seconds that a change in hot memory may be in no snapshot. Default, 0: two rounds of "
        "MemorySnapshots.memory_snapshot_interval and a minute.",
    ).tag(config=True)

    def run(self) -> None:
        """Look and print."""
        self.given()
        self.log.setLevel(logging.ERROR)  # what is worth a warning is a finding
        try:
            findings = asyncio.run(examine(Subject(self._place(), self.config, self.patience)))
        except TraitError as error:
            raise InvalidInput(f"The configuration is wrong: {error}", "bad_config") from None
        # What could not be looked at may be anything.
        well = all(finding.status == "ok" for finding in findings)
        if self.as_json:
            found = {"ok": well, "findings": [finding.document for finding in findings]}
            self.say(json.dumps(found, indent=2))
        else:
            self.say(*(line for finding in findings for line in _lines(finding)))
        if not well:
            self.exit(1)

    def _place(self) -> Path:
        """The root that was given, configured or found, or where a server here would make one."""
        here = Path(os.path.realpath(os.curdir))
        given = self.cli_config.get("ProjectStore", {}).get("root")
        if given:
            return Path(here, os.path.expanduser(given))
        found = root_without_server(self.config, here)
        return found or Path(here, self.config.get("ProjectStore", {}).get("root") or "workspaces")


def _lines(finding: Finding) -> list[str]:
    lines = [f"{_WORDS[finding.status]:6}{finding.check:12}{visible(finding.message)}"]
    if finding.cure:
        lines.append(f"{'':18}Cure: {visible(finding.cure)}")
    return lines
