"""docs/operations.md names the events, settings and metrics there are, and no others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.metrics import MetricWrapperBase

import cognition_jupyter
from cognition_jupyter import metrics
from cognition_jupyter.audit import AuditLog

PACKAGE = Path(cognition_jupyter.__file__).parent
PAGE = (PACKAGE.parent / "docs/operations.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the section's table."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def actions(noun: str) -> set[str]:
    schema: dict[str, Any] = yaml.safe_load((PACKAGE / f"event_schemas/{noun}/v1.yaml").read_text())
    return set(schema["properties"]["action"]["enum"])


def test_events() -> None:
    documented = {noun.strip("`"): set(re.findall("`(.*?)`", row)) for noun, row in rows("Events")}
    nouns = {path.name for path in (PACKAGE / "event_schemas").iterdir()}
    assert set(documented) == nouns
    for noun in nouns - {"reconcile"}:
        assert documented[noun] == actions(noun), noun


def test_reconcile() -> None:
    assert {action.strip("`") for action, _ in rows("Reconcile")} == actions("reconcile")
    told = set()
    for path in (PACKAGE / "maintenance").glob("*.py"):
        told |= set(re.findall(r'\.tell\(\s*"(\w+)"', path.read_text()))
    assert told == actions("reconcile")


def test_settings() -> None:
    named = set(re.findall(r"`AuditLog\.(\w+)`", PAGE))
    assert named == set(AuditLog.class_trait_names(config=True))


def test_metrics() -> None:
    made = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = family.name + ("_total" if family.type == "counter" else "")
            made[name] = family.type, set(metric._labelnames)
    documented = {
        name.strip("`"): (kind, set(re.findall("`(.*?)`", labels)))
        for name, kind, labels, _ in rows("Metrics")
    }
    assert documented == made
