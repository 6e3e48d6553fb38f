"""The Jupyter Server extension: wiring, start, stop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_server.base.call_context import CallContext
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from traitlets import TraitError

from . import __version__
from .core import Cognition
from .events import SERVER, Event
from .exceptions import CognitionError, NotFound
from .handlers import HANDLERS
from .hub.authorizer import ScopeAuthorizer
from .hub.guard import guard
from .isolated.contents import ProjectContentsManager
from .maintenance.periodic import Periodic
from .maintenance.reconcile_clock import ReconcileClock
from .metrics import Metrics
from .models import utcnow
from .projects.projects import Projects
from .sessions.conversations import Conversations
from .sessions.preparation import Preparation
from .sessions.project_sessions import ProjectSessions
from .sessions.responders.agent_settings import AgentSettings
from .sessions.responders.choice import ResponderChoice
from .stopping import requests_at_rest, stop_on_interrupt

_EVENTS = "https://schema.jupyter.org/cognition/{}/v1"
CLEANUP_TICK = 60.0  # seconds between two looks at the clock
ACTIVITY_TICK = 5.0  # and between two looks whether a session is at work
_SCHEMAS = Path(__file__).parent / "event_schemas"


class CognitionApp(ExtensionApp):
    """Projects that last and kernels that don't."""

    name = "cognition"
    description = __doc__ or ""
    extension_url = "/api/projects"
    load_other_extensions = True
    classes = [*Cognition.classes, Conversations, ResponderChoice, AgentSettings]
    # Jupyter stops also extensions that it could not load.
    _running = False
    _stopping: asyncio.Future[None] | None = None

    def load_config_file(self, suppress_errors: bool = True) -> None:  # type: ignore[override]
        """Called first. Jupyter would go on without what it can't read, which may be the policy."""
        self.raise_config_file_errors = True
        try:
            super().load_config_file(suppress_errors)
        except Exception as error:  # any code may stand in a configuration file
            sentence = "cognition_jupyter can't start: jupyter_cognition_config can't be read: %s"
            self.log.critical(sentence, error)
            self.exit(1)

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
        parts.events.who = _who
        parts.events.subscribe(self._publish)
        parts.events.subscribe(self._note_session)
        self.projects = Projects(
            parts.store,
            parts.git,
            parts.templates,
            parts.check,
            parts.contents_path,
            parts.events,
        )
        self.memories = parts.memories
        self.sessions = ProjectSessions(parts.store, parts.launcher, self.serverapp.kernel_manager)
        self.preparation = Preparation(
            parts.templates, self.sessions, parts.removal.take_back, parts.events, self.log
        )
        self.projects.prepare = self.preparation.run
        try:
            self.conversations = Conversations(
                parts.store, self.projects, self.sessions, parts.memories, parent=self
            )
            self.agent = AgentSettings(parent=self)
        except TraitError as error:
            self.log.critical("cognition_jupyter can't start: %s", error)
            self.exit(1)
        self.conversations.on_work = self._note_work
        self.conversations.on_growth = parts.events.of("journal")
        assert self.serverapp.event_logger is not None
        for schema in _SCHEMAS.glob("*/*.yaml"):
            self.serverapp.event_logger.register_event_schema(schema)
        parts.serve()
        snapshots = parts.snapshots
        interval = snapshots.memory_snapshot_interval if snapshots.memory_snapshot_enabled else 0
        self._reconcile = ReconcileClock(parts.reconcile, self.serverapp.kernel_manager, self.log)
        self._snapshots = Periodic("Snapshots", snapshots.run, interval, self.log)
        cleanup = parts.cleanup
        tick = min(CLEANUP_TICK, cleanup.project_cleanup_check_interval)
        self._cleanup = Periodic("Cleanup", cleanup.run_if_due, tick, self.log)
        self._activity = Periodic("Activity", self._look_for_work, ACTIVITY_TICK, self.log)
        self.metrics = Metrics(parts.store, parts.launcher, self.log)
        parts.events.subscribe(self.metrics.note)
        self._running = True

    def initialize_handlers(self) -> None:
        """Add the REST routes."""
        self.handlers.extend(HANDLERS)

    def _note_session(self, event: Event) -> None:
        if event.noun == "session":
            self.conversations.note(event.action, event.data)

    def _note_work(self) -> None:
        """Real work in a session keeps the server from being culled; JupyterHub looks here, too."""
        assert self.serverapp is not None
        self.serverapp.web_app.settings["cognition_last_activity"] = utcnow()

    async def _look_for_work(self) -> None:
        """What computes for hours without a word is work, too."""
        if self.sessions.at_work() or self.conversations.at_work():
            self._note_work()

    def _publish(self, event: Event) -> None:
        """Put the event on the server's event bus."""
        assert self.serverapp is not None and self.serverapp.event_logger is not None
        self.serverapp.event_logger.emit(schema_id=_EVENTS.format(event.noun), data=event.document)

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Called once the event loop runs, also if the extension could not be loaded."""
        if isinstance(serverapp.authorizer, ScopeAuthorizer):
            # Here, when all extensions have added their handlers; no request is served yet.
            try:
                guard(serverapp.web_app, serverapp.authorizer)
            except Exception:
                # Jupyter would go on without.
                self.log.critical("The handlers can't be guarded", exc_info=True)
                self.exit(1)
        if not self._running:
            return
        stop_on_interrupt(serverapp)
        self._reconcile.start()
        self._snapshots.start()
        self._cleanup.start()
        self._activity.start()
        self.metrics.start()

    async def stop_extension(self) -> None:
        """Called before Jupyter stops its kernels: end ours while everything still stands.

        Raises nothing: Jupyter would neither stop its kernels then, nor itself.
        """
        if not self._running:
            return
        if self._stopping is None:
            self._stopping = asyncio.ensure_future(self._stop_all())
        # Who asks again waits, too: Jupyter ends its event loop after that.
        await asyncio.shield(self._stopping)

    async def _stop_all(self) -> None:
        steps = (
            self._reconcile.stop,
            self.metrics.stop,
            self._snapshots.stop,
            self._cleanup.stop,
            self._activity.stop,
            self._stop_sessions,
            self._save_memory,
            self.cognition.close,
            requests_at_rest,
        )
        for step in steps:
            try:
                await step()
            except Exception:
                self.log.exception("Not everything could be stopped")

    async def _stop_sessions(self) -> None:
        await self.sessions.stop_all("server_stopped")
        await self.preparation.close()
        await self.conversations.close()
        self.cognition.stop_serving()

    async def _save_memory(self) -> None:
        """What REST has written since the last session, too."""
        if self.cognition.snapshots.memory_snapshot_enabled:
            await self.cognition.snapshots.run()

    async def delete_project(self, project_id: str, force: bool, permanent: bool) -> None:
        """Delete a project; with `force`, end its sessions first."""
        if force:
            with suppress(NotFound):  # it may be in the trash
                await self.sessions.stop_project(project_id, "deleted")
        if permanent:
            await self.cognition.removal.delete(project_id)
        else:
            await self.cognition.removal.trash(project_id, force=force)

    async def restore_project(self, project_id: str) -> dict[str, Any]:
        """Bring a project back from the trash; its details."""
        await self.cognition.removal.restore(project_id)
        return await self.projects.details(project_id)

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
            "agent": {
                "configured": bool(self.agent.default_model),
                "model": self.agent.default_model or None,
            },
        }


def _who() -> str:
    """The user whose request is being served, or the server itself."""
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    user = getattr(handler, "current_user", None)
    return str(getattr(user, "username", None) or SERVER)
