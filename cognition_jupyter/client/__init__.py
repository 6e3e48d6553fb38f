"""A client of servers with this extension: all of REST, and conversations over `/ws`.

It needs the extra `client` (httpx), and none of the server's parts.

    async with Client("http://127.0.0.1:8888", "token") as client:
        project = await client.create_project("my-api")
        async with client.converse(project.project_id) as conversation:
            events = await conversation.run("print(1)")
"""

from __future__ import annotations

from .client import Client
from .conversation import Conversation
from .errors import ClientError
from .shapes.memory import (
    Change,
    Difference,
    Entry,
    File,
    Listing,
    MemoryRoutes,
    Restored,
    Route,
    Snapshot,
    SnapshotDetails,
    SnapshotEntry,
    Taken,
    Written,
)
from .shapes.projects import Cleanup, CleanupCase, Project, ProjectSummary, Template, Usage
from .shapes.service import Health
from .shapes.sessions import Event, Events, Resumable, Session

__all__ = [
    "Change",
    "Cleanup",
    "CleanupCase",
    "Client",
    "ClientError",
    "Conversation",
    "Difference",
    "Entry",
    "Event",
    "Events",
    "File",
    "Health",
    "Listing",
    "MemoryRoutes",
    "Project",
    "ProjectSummary",
    "Restored",
    "Resumable",
    "Route",
    "Session",
    "Snapshot",
    "SnapshotDetails",
    "SnapshotEntry",
    "Taken",
    "Template",
    "Usage",
    "Written",
]
