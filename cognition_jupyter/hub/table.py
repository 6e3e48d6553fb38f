"""Which level each request needs: by the class that serves it, since addresses have many spellings.

What is not here needs ADMIN: other extensions, terminals, settings, whatever comes with a later
release. `docs/jupyterhub.md` has the same as a table.
"""

from __future__ import annotations

import inspect
from typing import Any

from .levels import Level
from .requests import (
    Rule,
    changed_session,
    deletion,
    ended_session,
    exported_file,
    file_of_project,
    kernel,
    moved_file,
    new_file,
    new_kernel,
    new_session,
)

NONE, READ, WRITE, EXECUTE, ADMIN = Level
_PAGE: dict[str, Rule] = {"GET": NONE, "HEAD": NONE}
_SEEN: dict[str, Rule] = {"GET": READ, "HEAD": READ}

OURS: dict[str, dict[str, Rule]] = {
    "archive.ArchiveHandler": {"GET": READ},
    "archive.DuplicateHandler": {"POST": WRITE},
    "archive.ImportHandler": {"POST": WRITE},
    "base.NotFoundHandler": dict.fromkeys(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"), READ),
    "health.HealthHandler": {"GET": READ},
    "memory.MemoryHandler": {"GET": READ, "PUT": WRITE, "DELETE": WRITE},
    "memory.RoutesHandler": {"GET": READ},
    "projects.CleanupHandler": {"POST": ADMIN},
    "projects.ExtendHandler": {"POST": WRITE},
    "projects.ProjectHandler": {"GET": READ, "PATCH": WRITE, "DELETE": deletion},
    "projects.ProjectsHandler": {"GET": READ, "POST": WRITE},  # EXECUTE with a template
    "projects.RestoreHandler": {"POST": WRITE},
    # Trusted outputs run scripts in their reader's page, who can be the server's owner.
    "projects.TrustHandler": {"POST": ADMIN},
    "projects.UnpinHandler": {"POST": WRITE},
    "sessions.SessionsHandler": {"GET": READ},
    "sessions.SessionUsageHandler": {"GET": READ},
    "sessions.EventsHandler": {"GET": READ},
    "sessions.ProjectSessionHandler": {"GET": READ, "DELETE": EXECUTE},
    "sessions.ProjectSessionsHandler": {"GET": READ, "POST": EXECUTE},
    "sessions.ResumableHandler": {"GET": READ},
    "snapshots.DiffHandler": {"GET": READ},
    "snapshots.RestoreHandler": {"POST": WRITE},
    "snapshots.SnapshotHandler": {"GET": READ},
    "snapshots.SnapshotsHandler": {"GET": READ, "POST": WRITE},
    "templates.TemplatesHandler": {"GET": READ},
    "usage.UsageHandler": {"GET": READ},
    "websocket.SessionsSocket": {"GET": EXECUTE},
}

_FILE = {"GET": file_of_project(READ), "HEAD": file_of_project(READ)}
_CONTENTS = "jupyter_server.services.contents.handlers"
_KERNELS = "jupyter_server.services.kernels"
_SESSIONS = "jupyter_server.services.sessions.handlers"

JUPYTERS: dict[str, dict[str, Rule]] = {
    # Files. Those outside of projects need ADMIN.
    "cognition_jupyter.isolated.files.ProjectFilesHandler": _FILE,
    "jupyter_server.files.handlers.FilesHandler": _FILE,
    "jupyter_server.view.handlers.ViewHandler": _FILE,
    f"{_CONTENTS}.ContentsHandler": {
        "GET": file_of_project(READ),
        "POST": new_file,
        "PUT": file_of_project(WRITE, inside=True),
        "PATCH": moved_file,
        "DELETE": file_of_project(WRITE, inside=True),
    },
    f"{_CONTENTS}.CheckpointsHandler": {
        "GET": file_of_project(READ),
        "POST": file_of_project(WRITE, inside=True),
    },
    f"{_CONTENTS}.ModifyCheckpointsHandler": {
        "POST": file_of_project(WRITE, inside=True),
        "DELETE": file_of_project(WRITE, inside=True),
    },
    "jupyter_server.nbconvert.handlers.NbconvertFileHandler": {"GET": exported_file},
    # Kernels. Those that are no sessions of projects need ADMIN.
    f"{_KERNELS}.handlers.MainKernelHandler": {"GET": READ, "POST": new_kernel},
    f"{_KERNELS}.handlers.KernelHandler": {"GET": READ, "DELETE": kernel(EXECUTE)},
    f"{_KERNELS}.handlers.KernelActionHandler": {"POST": kernel(EXECUTE)},
    f"{_KERNELS}.websocket.KernelWebsocketHandler": {"GET": kernel(EXECUTE)},
    f"{_SESSIONS}.SessionRootHandler": {"GET": READ, "POST": new_session},
    f"{_SESSIONS}.SessionHandler": {
        "GET": READ,
        "PATCH": changed_session,
        "DELETE": ended_session,
    },
    "jupyter_server.services.events.handlers.SubscribeWebsocket": {"GET": READ},
    # What the pages are made of, and what says nothing of a user's work.
    "jupyter_server.base.handlers.APIVersionHandler": _PAGE,
    "jupyter_server.base.handlers.FileFindHandler": _PAGE,
    "jupyter_server.base.handlers.Template404": dict.fromkeys(
        ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"), NONE
    ),
    "jupyter_server.services.api.handlers.APISpecHandler": _PAGE,
    "jupyter_server.services.api.handlers.APIStatusHandler": _PAGE,
    "jupyter_server.services.api.handlers.IdentityHandler": _PAGE,
    "jupyter_server.services.kernelspecs.handlers.KernelSpecHandler": _PAGE,
    "jupyter_server.services.kernelspecs.handlers.MainKernelSpecHandler": _PAGE,
    "jupyter_server.kernelspecs.handlers.KernelSpecResourceHandler": _PAGE,
    "jupyter_server.services.nbconvert.handlers.NbconvertRootHandler": _PAGE,
    "jupyter_server.services.security.handlers.CSPReportHandler": {"POST": NONE},
    "jupyterlab.handlers.announcements.CheckForUpdateHandler": _PAGE,
    "jupyterlab.handlers.announcements.NewsHandler": _PAGE,
    "jupyterlab_server.handlers.LabHandler": _PAGE,
    "jupyterlab_server.handlers.NotFoundHandler": _PAGE,
    "jupyterlab_server.licenses_handler.LicensesHandler": _PAGE,
    "jupyterlab_server.listings_handler.ListingsHandler": _PAGE,
    "jupyterlab_server.settings_handler.SettingsHandler": _PAGE,
    "jupyterlab_server.themes_handler.ThemesHandler": _PAGE,
    "jupyterlab_server.translations_handler.TranslationsHandler": _PAGE,
    "jupyterlab_server.workspaces_handler.WorkspacesHandler": _SEEN,
    # Logging in and out.
    "jupyterhub.singleuser.extension.JupyterHubLogoutHandler": _PAGE,
    "jupyterhub.singleuser.extension.JupyterHubOAuthCallbackHandler": _PAGE,
}

_OURS = "cognition_jupyter.handlers."
TABLE = JUPYTERS | {_OURS + name: rules for name, rules in OURS.items()}


async def needed(handler: Any) -> Level:
    """The level that the request needs which `handler` serves."""
    method = handler.request.method
    rules = TABLE.get(name_of(type(handler)), {})
    # Of handlers that we know, OPTIONS tells nothing; others pass it on to programs they start.
    rule = rules.get(method, Level.NONE if rules and method == "OPTIONS" else Level.ADMIN)
    if isinstance(rule, Level):
        return rule
    found = rule(handler)
    return await found if inspect.isawaitable(found) else found


def name_of(kind: type[Any]) -> str:
    """The name that a handler's class has here; of a guarded one, that of what it guards."""
    kind = getattr(kind, "guarded", kind)
    return f"{kind.__module__}.{kind.__qualname__}"
