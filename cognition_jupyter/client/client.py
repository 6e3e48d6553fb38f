"""The client: calls of REST, and conversations over `/ws`."""

from __future__ import annotations

from types import TracebackType

from ..models import NetworkMode
from .conversation import Conversation
from .memory import MemoryCalls
from .projects import ProjectCalls
from .sessions import SessionCalls
from .socket import Connector


class Client(ProjectCalls, SessionCalls, MemoryCalls):
    """One server, as one user or service sees it."""

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def converse(
        self,
        project_id: str | None = None,
        *,
        user_prefix: str | None = None,
        repo_url: str | None = None,
        network_mode: NetworkMode | None = None,
        session_id: str | None = None,
        since: int | None = None,
        reconnect_seconds: float = 60.0,
    ) -> Conversation:
        """A conversation with a session: `async with` connects and leaves again.

        A session in a project, in a new one (`user_prefix`), or the same again (`session_id`; what
        was missed after event `since` comes first). A lost connection is made again for
        `reconnect_seconds`; 0 for never.
        """
        wishes = {
            "project_id": project_id,
            "user_prefix": user_prefix,
            "repo_url": repo_url,
            "network_mode": network_mode,
            "session_id": session_id,
            "since": since,
        }
        return Conversation(
            Connector(self.url, self._headers, self._ssl),
            {name: value for name, value in wishes.items() if value is not None},
            reconnect_seconds,
        )
