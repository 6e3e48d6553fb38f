"""An engine that removes a container later than it answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cognition_jupyter.exceptions import RuntimeUnavailable
from cognition_jupyter.maintenance.mending import Parts
from cognition_jupyter.maintenance.reconcile_containers import Containers
from cognition_jupyter.runtimes.base import Found

from ..kernels.desk import Desk, PaperRuntime

ORPHAN = Found("c1", "0" * 16, "desk-00000000", "s", running=False)


class LateRuntime(PaperRuntime):
    """Removes what it is asked to, and says that it did not answer in time."""

    def __init__(self) -> None:
        super().__init__()
        self.there = [ORPHAN]

    async def found(self) -> list[Found]:
        return [*self.there]

    async def remove(self, container_id: str) -> None:
        self.there.clear()
        raise RuntimeUnavailable("The engine did not answer within 1 s.")


def test_what_is_removed_late_is_told_as_well_and_once(tmp_path: Path, short_path: Path) -> None:
    desk = Desk(tmp_path, short_path)
    told: list[tuple[str, dict[str, Any]]] = []
    cognition = desk.cognition
    parts = Parts(
        desk.store,
        cognition.ram,
        cognition.hot,
        desk.launcher,
        cognition.remains,
        cognition.log,
        lambda action, data: told.append((action, data)),
    )
    containers = Containers(parts, LateRuntime())

    async def work() -> None:
        with pytest.raises(RuntimeUnavailable):
            await containers.mend()
        assert not told
        await containers.mend()
        await containers.mend()
        await cognition.close()

    asyncio.run(work())
    ((action, data),) = told
    assert action == "container_removed" and data["session_id"] == "s"
    assert "the process that started it is gone" in data["message"]
