"""The Jupyter Server extension: wiring, start, stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from tornado.ioloop import PeriodicCallback
from traitlets import TraitError

from . import __version__
from .core import Cognition
from .exceptions import CognitionError
from .handlers import HANDLERS
from .isolated.contents import ProjectContentsManager
from .projects.projects import Projects
from .sessions.project_sessions import ProjectSessions

SESSION_EVENTS = "https://schema.jupyter.org/cognition/session/v1"
PROGRESS_EVENTS = "https://schema.jupyter.org/cognition/progress/v1"
_SCHEMAS = Path(__file__).parent / "event_schemas"


class CognitionApp(ExtensionApp):
    """Projects that last and kernels that don't."""

    name = "cognition"
    description = __doc__ or ""
    extension_url = "/api/projects"
    load_other_extensions = True
    classes = [*Cognition.classes]
    # Jupyter stops also extensions that it could not load.
    _running = False

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Called before the server makes its contents manager.

        Jupyter's own follows links that code in a container can plant (`.~note.ipynb`), so that
        saving a notebook would write where the container chose. Ours does not; one that the
        administrator has configured stays.
        """
        super()._link_jupyter_server_extension(serverapp)
        if "contents_manager_class" not in serverapp.config.ServerApp:
            serverapp.contents_manager_class = ProjectContentsManager

    def initialize_settings(self) -> None:
        """Build everything; a wrong configuration or an unusable root stops the server's start."""
        assert self.serverapp is not None
        try:
            self.cognition = Cognition(Path(self.serverapp.root_dir), parent=self)
            self.cognition.open()
        except (TraitError, CognitionError) as error:
            self.log.critical("cognition_jupyter can't start: %s", error)
            self.exit(1)
        parts = self.cognition
        parts.launcher.emit = self._emit_session
        self.projects = Projects(
            parts.store, parts.git, parts.policy.check, parts.contents_path, self._emit_progress
        )
        self.sessions = ProjectSessions(parts.store, parts.launcher, self.serverapp.kernel_manager)
        assert self.serverapp.event_logger is not None
        for schema in _SCHEMAS.glob("*/*.yaml"):
            self.serverapp.event_logger.register_event_schema(schema)
        parts.serve()
        self._periodic: PeriodicCallback | None = None
        self._reconciling: asyncio.Task[None] | None = None
        self._running = True

    def initialize_handlers(self) -> None:
        """Add the REST routes."""
        self.handlers.extend(HANDLERS)

    def _emit(self, schema_id: str, data: dict[str, Any]) -> None:
        assert self.serverapp is not None and self.serverapp.event_logger is not None
        self.serverapp.event_logger.emit(schema_id=schema_id, data=data)

    def _emit_session(self, action: str, data: dict[str, Any]) -> None:
        known = {key: value for key, value in data.items() if value is not None}
        self._emit(SESSION_EVENTS, {"action": action, **known})

    def _emit_progress(self, prefix: str, detail: str) -> None:
        self._emit(PROGRESS_EVENTS, {"stage": "clone", "user_prefix": prefix, "detail": detail})

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Called once the event loop runs, also if the extension could not be loaded."""
        if not self._running:
            return
        self._reconcile()
        interval = self.cognition.reconcile.interval
        if interval > 0:
            self._periodic = PeriodicCallback(self._reconcile, interval * 1000, jitter=0.1)
            self._periodic.start()

    def _reconcile(self) -> None:
        """Run a pass, unless one is still at it."""
        if self._reconciling is None or self._reconciling.done():
            self._reconciling = asyncio.ensure_future(self.cognition.reconcile.run())
            self._reconciling.add_done_callback(self._note_failure)

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.log.error("Reconcile failed", exc_info=task.exception())

    async def stop_extension(self) -> None:
        """Called before Jupyter stops its kernels: end ours while everything still stands.

        Raises nothing: Jupyter would neither stop its kernels then, nor itself.
        """
        if not self._running:
            return
        self._running = False
        for step in (self._stop_reconciling, self._stop_sessions, self.cognition.close):
            try:
                await step()
            except Exception:
                self.log.exception("Not everything could be stopped")

    async def _stop_reconciling(self) -> None:
        if self._periodic is not None:
            self._periodic.stop()
        if self._reconciling is not None and not self._reconciling.done():
            self._reconciling.cancel()
            await asyncio.gather(self._reconciling, return_exceptions=True)

    async def _stop_sessions(self) -> None:
        await self.sessions.stop_all("server_stopped")
        self.cognition.stop_serving()

    async def delete_project(self, project_id: str, force: bool, permanent: bool) -> None:
        """Delete a project; with `force`, end its sessions first."""
        if force:
            await self.sessions.stop_project(project_id, "deleted")
        await self.cognition.store.delete(project_id, permanent)

    async def health(self) -> dict[str, Any]:
        """What `/health` answers."""
        runtime = await self.cognition.choice.health()
        return {
            "status": "ok" if runtime.available else "degraded",
            "version": __version__,
            "sessions_active": len(self.cognition.launcher.live),
            "runtime": {
                "name": runtime.name,
                "available": runtime.available,
                "isolated": runtime.isolated,
                "detail": runtime.detail,
            },
            "memory": {"hot": self.cognition.ram.kind},
            "agent": {"configured": False, "model": None},
        }
