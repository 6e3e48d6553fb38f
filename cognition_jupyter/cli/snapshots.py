"""The history of hot memory: `jupyter cognition memory history`, `diff` and `restore`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ..core import Cognition
from ..exceptions import CognitionError, Conflict
from ..memory.hot import HotMemories
from ..memory.paths import decode_path
from ..memory.snapshots.take import take
from ..projects.files import in_tree_thread
from .project import ProjectCommand, snapshot_number
from .text import columns, seconds, visible

_HEADINGS = ("SNAPSHOT", "TIME", "REASON", "FILES", "BYTES", "SKIPPED", "")


class MemoryHistory(ProjectCommand):
    """List the snapshots of a project's hot memory, newest first. Times are UTC.

    SKIPPED counts what could not be kept (FIFOs, for instance).
    """

    name = "jupyter-cognition-memory-history"
    description = __doc__ or ""
    examples = "jupyter cognition memory history my-api-a7b3c2d1"

    def run(self) -> None:
        """Print the table."""
        (project_id,) = self.given()
        rows = self.ask(project_id, lambda cognition: cognition.memories.history(project_id))
        if rows:
            self.say(*columns([_HEADINGS, *map(_row, rows)], right={0, 3, 4, 5}))
        else:
            self.say(f"There is no snapshot of {project_id} yet.")


def _row(summary: dict[str, Any]) -> tuple[str, ...]:
    number = str(summary["generation"])
    if summary["damaged"]:
        return number, "-", "-", "-", "-", "-", f"damaged: {visible(summary['damaged'])}"
    counts = (str(summary[key]) for key in ("files", "bytes", "skipped"))
    reason = visible(summary["reason"] or "-")[:20]  # an imported one may be anything
    return number, seconds(summary["taken_at"]), reason, *counts, ""


class MemoryDiff(ProjectCommand):
    """Show what changed in a project's hot memory up to snapshot N.

    Compared with the snapshot AGAINST, by default the one before N. Text as a unified diff; of
    everything else the sizes.
    """

    name = "jupyter-cognition-memory-diff"
    description = __doc__ or ""
    arguments = "PROJECT N [AGAINST]"
    examples = """
jupyter cognition memory diff my-api-a7b3c2d1 5
jupyter cognition memory diff my-api-a7b3c2d1 5 3
"""

    def run(self) -> None:
        """Print the differences."""
        project_id, *texts = self.given()
        numbers = [*map(snapshot_number, texts)]
        found = self.ask(project_id, lambda c: c.memories.diff(project_id, *numbers))
        lines = [*_differences(found)]
        self.say(*lines or [f"Snapshots {found['from']} and {found['to']} hold the same."])


def _differences(found: dict[str, Any]) -> Iterator[str]:
    changes = (change for kind in ("added", "removed", "changed") for change in found[kind])
    for change in sorted(changes, key=lambda change: decode_path(change["path"])):
        if change["diff"]:
            for line in change["diff"].removesuffix("\n").split("\n"):
                yield visible(line, kept="\t")
        else:
            yield _other(change)
    if found["more"]:
        yield f"{found['more']} more changes are not shown."


def _other(change: dict[str, Any]) -> str:
    before, after = change["before"], change["after"]
    note = change["note"] or ""
    if not note and before and after and before["mode"] != after["mode"]:
        note = f"mode {before['mode']} -> {after['mode']}"
    name = visible(decode_path(change["path"]))
    head = f"Binary/other: {name}  {_size(before)} -> {_size(after)}"
    return f"{head} ({visible(note.rstrip('.'))})" if note else head


def _size(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "absent"
    return f"{entry['size']} bytes" if entry["type"] == "file" else str(entry["type"])


class MemoryRestore(ProjectCommand):
    """Go back to snapshot N of a project's hot memory. Running sessions see it at once.

    What is there now is snapshotted first, and its number said: restore that one to undo it.
    """

    name = "jupyter-cognition-memory-restore"
    description = __doc__ or ""
    arguments = "PROJECT N"
    examples = "jupyter cognition memory restore my-api-a7b3c2d1 3"

    def run(self) -> None:
        """Restore, and tell what came of it."""
        project_id, text = self.given()
        number = snapshot_number(text)
        done, problem = self.ask(project_id, lambda c: self._restore(c, project_id, number))
        self.say(
            f"Snapshot {number} of {project_id} is restored: {done['files']} files, "
            f"{done['bytes']} bytes.",
            *(
                f"Recovered from snapshot {one['generation']}: {_problem(one)}"
                for one in done["recovered"]
            ),
            *(f"Lost: {_problem(one)}" for one in done["lost"]),
            f"To undo it: {self._command} {project_id} {done['undo']}",
        )
        if problem is not None:
            raise problem

    async def _restore(
        self, cognition: Cognition, project_id: str, number: int
    ) -> tuple[dict[str, Any], Exception | None]:
        """What was done, and why it may not last."""
        await cognition.store.get(project_id)
        await cognition.hot.ensure(project_id)  # what this loses is told on the log
        level, self.log_level = self.log_level, logging.CRITICAL  # what comes now is said by `run`
        try:
            done = await cognition.memories.restore(project_id, number)
        finally:
            self.log_level = level
        try:
            await in_tree_thread(_keep)(cognition.hot, project_id)
        except (CognitionError, OSError) as error:
            return done, error
        return done, None


def _keep(hot: HotMemories, project_id: str) -> None:
    """Get what was restored onto the disk: it is in RAM only, and perhaps no server runs.

    Without thinning out, which might take the snapshot that undoes the restore.
    """
    with suppress(Conflict):  # somebody's `release` has just done the same
        take(hot.of(project_id), "request", thorough=True)


def _problem(one: dict[str, Any]) -> str:
    return f"{visible(decode_path(one['path']))} ({visible(one['why'])})"
