"""What every part of reconcile stands on: the server's own parts, and a voice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from logging import Logger, LoggerAdapter
from typing import Any

from ..exceptions import InvalidInput
from ..kernels.launcher import Launcher
from ..kernels.session import check_session_id
from ..memory.hot import HotMemories
from ..memory.ram import RamDirectories
from ..projects.naming import is_project_id
from ..projects.store import ProjectStore
from .remains import Remains

Emit = Callable[[str, dict[str, Any]], None]


@dataclass
class Parts:
    """What is to agree. `emit` is told of what was mended."""

    store: ProjectStore
    ram: RamDirectories
    hot: HotMemories
    launcher: Launcher
    remains: Remains
    log: Logger | LoggerAdapter[Any]
    emit: Emit = field(default=lambda action, data: None)

    @property
    def owner(self) -> str:
        """This process, as containers and records name it."""
        return self.launcher.owner.owner_id

    def tell(self, action: str, message: str, project_id: str = "", session_id: str = "") -> None:
        """Tell what was mended, and why: to the log and as an event.

        The ids may be claims of a label; what is no id is not passed on.
        """
        self.log.warning("Reconcile: %s", message)
        data = {"project_id": project_id if is_project_id(project_id) else None}
        data["session_id"] = session_id if _is_session_id(session_id) else None
        self.emit(action, {**data, "message": message})

    async def save_memory(self, project_id: str) -> None:
        """Snapshot what is in RAM of a project whose session is gone."""
        if project_id in await self.hot.in_ram():
            await self.hot.save(project_id, "reconcile")


class Suspects:
    """One pass of grace: what is just coming or going is on no list for a moment."""

    def __init__(self) -> None:
        self._before: set[str] = set()

    def certain(self, now: set[str]) -> set[str]:
        """Those that the look before this one has found, too."""
        certain, self._before = now & self._before, now
        return certain


def _is_session_id(text: str) -> bool:
    try:
        return bool(check_session_id(text))
    except InvalidInput:
        return False
