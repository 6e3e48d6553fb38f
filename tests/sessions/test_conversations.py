"""Which conversations there are, at moments that no client of a real server can choose."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.exceptions import Conflict, NotFound
from cognition_jupyter.models import SESSIONS_KEPT, CreateProject, SessionRecord, utcnow
from cognition_jupyter.sessions.conversation import Conversation
from cognition_jupyter.sessions.conversations import Conversations


class Sessions:
    """In place of ProjectSessions: sessions that are only records."""

    def __init__(self, cognition: Cognition) -> None:
        self._cognition = cognition
        self.kernels: dict[str, Any] = {}
        self.live: dict[str, str] = {}
        self.records: dict[str, SessionRecord] = {}
        self.stopped: list[str] = []
        self.on_disconnect: Any = None
        #: Called with the id of a session that is just being started.
        self.starting: Callable[[str], Awaitable[None]] | None = None

    async def start(
        self, project_id: str, network_mode: Any = None, session_id: str | None = None
    ) -> SessionRecord:
        session_id = session_id or str(uuid.uuid4())
        self.records[session_id] = SessionRecord(
            session_id=session_id,
            kernel_id=session_id,
            owner=self._cognition.owner.owner_id,
            runtime="docker",
            isolated=True,
            network_mode="OFF",
            started_at=utcnow(),
        )
        self.live[session_id] = project_id
        if self.starting is not None:
            await self.starting(session_id)
        return self.records[session_id]

    async def stop(self, project_id: str, session_id: str, reason: str) -> None:
        self.live.pop(session_id, None)
        self.stopped.append(session_id)

    async def get(self, project_id: str, session_id: str) -> SessionRecord:
        if session_id not in self.records:
            raise NotFound("There is no such session.", "session_not_found")
        return self.records[session_id]

    def project_of(self, session_id: str) -> str | None:
        return self.live.get(session_id)

    def clients(self, session_id: str) -> int:
        return 1

    def connected(self, session_id: str) -> None:
        """Nobody counts home."""

    left = connected


class Home:
    """A root with one project, and conversations about it."""

    def __init__(self, base: Path) -> None:
        config = Config()
        config.ProjectStore.root = str(base / "root")
        config.RamDirectories.hot_root = str(base / "ram")
        self.cognition = Cognition(base, config=config)
        self.cognition.open()
        self.sessions = Sessions(self.cognition)
        self.conversations = Conversations(
            self.cognition.store,
            cast("Any", None),
            cast("Any", self.sessions),
            self.cognition.memories,
        )
        made = asyncio.run(self.cognition.store.create(CreateProject(user_prefix="talk")))
        self.project_id = made.project_id
        self.logs = self.cognition.store.paths(self.project_id).logs

    async def joined(self, session_id: str | None = None) -> Conversation:
        """As a client of `/ws` does."""
        session = await self.conversations.create_or_resume_session(
            project_id=self.project_id, session_id=session_id
        )
        return await self.conversations.join(session)

    async def end(self, session_id: str) -> None:
        await self.sessions.stop(self.project_id, session_id, "client")
        self.conversations.note("ended", {"session_id": session_id, "reason": "client"})
        await self.conversations.close()

    def events(self, session_id: str) -> list[tuple[int, str]]:
        lines = (self.logs / f"{session_id}.jsonl").read_text().splitlines()
        return [(event["seq"], event["event"]) for event in map(json.loads, lines)]


@pytest.fixture
def home() -> Iterator[Home]:
    base = Path(tempfile.mkdtemp(prefix="cgn-talk", dir="/dev/shm"))
    made = Home(base)
    yield made
    asyncio.run(made.cognition.close())
    shutil.rmtree(base)


def test_who_joins_a_session_before_its_creator_shares_the_conversation(home: Home) -> None:
    """Its id can be had over REST a moment before."""
    others: list[asyncio.Task[Conversation]] = []

    async def join_it(session_id: str) -> None:
        others.append(asyncio.ensure_future(home.joined(session_id)))

    async def body() -> None:
        home.sessions.starting = join_it
        conversation = await home.joined()
        assert await others[0] is conversation
        session_id = conversation.stream.session_id
        await home.end(session_id)
        names = ["session_started", "agent_ready", "session_ended"]
        assert home.events(session_id) == [*enumerate(names, 1)]

    asyncio.run(body())


def test_a_session_that_ends_as_it_begins_leaves_no_conversation(home: Home) -> None:
    async def end_it(session_id: str) -> None:
        await home.end(session_id)

    async def body() -> None:
        home.sessions.starting = end_it
        with pytest.raises(Conflict, match="has ended"):
            await home.joined()
        (session_id, _) = home.sessions.stopped
        home.sessions.starting = None
        again = await home.joined(session_id)  # and it can begin anew
        assert again.stream.session_id == session_id
        await home.end(session_id)

    asyncio.run(body())


def test_the_journal_of_a_session_that_is_just_being_resumed_stays(home: Home) -> None:
    """A container takes its time; what other sessions tidy up meanwhile is not its journal."""

    async def body() -> None:
        old = (await home.joined()).stream.session_id
        await home.end(old)
        before = home.events(old)
        for number in range(SESSIONS_KEPT + 5):
            (home.logs / f"later-{number}.jsonl").touch()
        os.utime(home.logs / f"{old}.jsonl", (1, 1))  # the oldest of all
        starting, may_start = asyncio.Event(), asyncio.Event()

        async def take_time(session_id: str) -> None:
            if session_id == old:
                starting.set()
                await may_start.wait()

        home.sessions.starting = take_time
        resuming = asyncio.ensure_future(home.joined(old))
        await starting.wait()
        other = (await home.joined()).stream.session_id  # which prunes
        assert len([*home.logs.glob("later-*")]) == SESSIONS_KEPT - 1
        assert home.events(old) == before
        may_start.set()
        await resuming
        await home.end(old)
        await home.end(other)
        assert home.events(old)[: len(before)] == before
        assert [seq for seq, _ in home.events(old)] == [*range(1, 2 * len(before) + 1)]

    asyncio.run(body())
