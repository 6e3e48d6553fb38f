"""The conversation of a project, kept in its `.agent/` across sessions."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from ...projects.files import in_thread
from .agent_settings import ConversationRefused
from .pruning import prune
from .strict_serializer import StrictSerializer

DATABASE = "conversation.sqlite"


class KeptConversation:
    """The database of one project, open for one session. Bound to the loop it is opened on."""

    def __init__(self, directory: Path) -> None:
        """`directory`: the project's `.agent`, which is there."""
        self._directory = directory
        self._connection: aiosqlite.Connection | None = None
        self._saver: AsyncSqliteSaver | None = None

    async def open(self) -> AsyncSqliteSaver:
        """The checkpointer of the project's agent; for who has the turn, since it may set it up.

        Raises ConversationRefused.
        """
        self._connection = await aiosqlite.connect(self._directory / DATABASE)
        saver = AsyncSqliteSaver(self._connection, serde=StrictSerializer())
        try:
            await saver.setup()
        except BaseException as error:
            await self.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise damaged(error) from None
            raise
        self._saver = saver
        return saver

    async def prune(self, thread_id: str, channels: Collection[str]) -> None:
        """Remove what the conversation does not need any more; for who has the turn, at its end."""
        assert self._saver is not None
        try:
            async with self._saver.lock:  # a turn cancelled at its end may still be writing
                await in_thread(prune)(self._directory / DATABASE, thread_id, channels)
        except Exception as error:  # the turn went as it went, and the next one tries again
            kind = type(error).__name__
            logging.getLogger(__name__).warning("%s is not pruned: %s", self._directory, kind)

    async def close(self) -> None:
        """Let go of the database; it may be opened again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def damaged(error: sqlite3.DatabaseError) -> ConversationRefused:
    """What SQLite says of the database, as an error of the session."""
    return ConversationRefused(
        f"The project's conversation can't be read ({error}); remove .agent/{DATABASE} of the "
        "project to begin a new one.",
        "conversation_damaged",
    )
