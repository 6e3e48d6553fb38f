"""Projects as archives: out, in, and copied within the root; what handlers and CLI call."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from threading import Event
from typing import Any, TypeVar

from traitlets import Float, Integer
from traitlets.config import LoggingConfigurable

from ..events import Tell
from ..exceptions import RuntimeUnavailable
from ..memory.hot import HotMemories
from ..memory.snapshots.durable import storage_full
from ..models import CreateProject, DuplicateProject, Metadata, ProjectConfig
from ..projects.files import in_thread
from ..projects.git import GitClone
from ..projects.stage import ProjectPaths
from ..projects.store import ProjectStore
from .fill import Filling
from .layout import Report, Totals, header_of
from .pipes import Closed, Drain, Feed
from .read import ArchiveReader
from .source import Choice, Source, check_size
from .write import write_archive

T = TypeVar("T")
_NOT_IMPORTED = "The project was not made"


class Archives(LoggingConfigurable):
    """Exports, imports and duplicates projects. For one event loop."""

    max_bytes = Integer(
        8 << 30,
        min=1,
        help="Bytes that the files of an archive may have in all, unpacked; of one that is made "
        "and of one that is taken.",
    ).tag(config=True)
    max_entries = Integer(
        1_000_000, min=1, help="Files, directories and links that an imported archive may hold."
    ).tag(config=True)
    max_transfers = Integer(
        4, min=1, help="Exports, imports and duplicates that may go on at once."
    ).tag(config=True)
    stall_timeout = Float(
        60.0, min=0.1, help="Seconds after which a transfer in which nothing moves is given up."
    ).tag(config=True)

    def __init__(
        self,
        store: ProjectStore,
        hot: HotMemories,
        check: Callable[[ProjectConfig], None],
        git: GitClone,
        tell: Tell,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store = store
        self._hot = hot
        self._check = check
        self._git = git
        self._tell = tell
        # Of their own: a client that is slow must keep nobody else from the disk.
        self._threads = ThreadPoolExecutor(self.max_transfers, "cognition-archive")
        self._ends: set[Callable[[], None]] = set()

    @property
    def max_body_bytes(self) -> int:
        """What an archive that may be imported can have at most, compressed badly."""
        return self.max_bytes + self.max_bytes // 64 + self.max_entries * 4096 + (1 << 20)

    async def close(self) -> None:
        """End all transfers; what was on its way in is gone."""
        for end in [*self._ends]:
            end()
        await in_thread(self._threads.shutdown)()

    # -- out -------------------------------------------------------------------------------

    async def export(
        self,
        project_id: str,
        deps: bool = False,
        logs: bool = False,
        on_report: Callable[[Report], None] = lambda report: None,
    ) -> AsyncGenerator[bytes, None]:
        """The archive, piece by piece. To be closed; one that ends early is not whole.

        Whatever is wrong from the start is raised before the first piece: NotFound,
        BrokenProject, TooLarge (`archive_too_large`), RuntimeUnavailable, StorageFull. Later on,
        Conflict when it was deleted meanwhile, and OSError. A project in use is read as it is: not
        all its files as of one moment.
        """
        metadata = await self._store.get(project_id)
        drain = Drain(self.stall_timeout)
        sent = 0
        with self._transfer(drain.close):
            await self._save_hot(project_id)
            loop = asyncio.get_running_loop()
            work = functools.partial(self._write, drain, metadata, Choice(True, deps, logs))
            step = loop.run_in_executor(self._threads, work)
            try:
                async for piece in drain.pieces():
                    sent += len(piece)
                    yield piece
                report, size = await step
            except BaseException:
                if sent:  # whoever breaks off at the end has all but the end
                    data = {"project_id": project_id, "bytes": sent, "complete": False}
                    self._tell("exported", data)
                raise
            finally:
                drain.close()
                await _over(step)
        for note in report.notes:
            self.log.warning("Archive of %s: %s", project_id, note)
        on_report(report)
        self._tell("exported", {"project_id": project_id, "bytes": size})

    def _write(self, drain: Drain, metadata: Metadata, choice: Choice) -> tuple[Report, int]:
        try:
            source = Source(self._store.paths(metadata.project_id), choice)
            source.measure(self.max_bytes)
            scratch = self._store.directory.private
            with storage_full("The archive was not made"), closing(source.items()) as items:
                return write_archive(
                    header_of(metadata), items, drain.write, scratch, self.max_bytes
                )
        finally:
            with suppress(Closed):
                drain.end()

    async def _save_hot(self, project_id: str) -> None:
        """Get what is in RAM into a generation."""
        if project_id in await self._hot.in_ram():
            await self._hot.ensure(project_id)  # somebody may just have released it
            await self._hot.snapshot(project_id, "request", thorough=True)

    # -- in --------------------------------------------------------------------------------

    async def take(self, pieces: AsyncIterator[bytes]) -> Metadata:
        """A new project from an archive. What `pieces` raises ends it, and nothing is left.

        Raises InvalidInput (`bad_archive`, or whatever the project asks for that can't be),
        Forbidden (the policy), Conflict (`project_limit`), RuntimeUnavailable, StorageFull.
        """
        feed = Feed(self.stall_timeout)
        with self._transfer(feed.close):
            pump = asyncio.ensure_future(feed.pump(pieces))
            try:
                reader = ArchiveReader(feed.read, self.max_bytes, self.max_entries)
                header = await self._in_thread(feed.close, reader.header)
                request = self._allowed(header.request())
                statistics = header.statistics()

                async def populate(paths: ProjectPaths, metadata: Metadata) -> None:
                    metadata.statistics = statistics
                    await self._in_thread(feed.close, self._fill, reader, paths)

                made = await self._store.create(request, populate)
            finally:
                feed.close()
                pump.cancel()
                await _over(pump)
        source = header.project.project_id[:64]
        data = {"project_id": made.project_id, "origin": "import", "source": source}
        self._tell("created", data)
        return made

    def _fill(self, reader: ArchiveReader, paths: ProjectPaths) -> Totals:
        with (
            storage_full(_NOT_IMPORTED),
            Filling(paths, self._store.directory.uuid) as filling,
        ):
            totals = reader.fill(filling, paths.project / "tmp")
            filling.finish()
        return totals

    def _allowed(self, request: CreateProject) -> CreateProject:
        """The request, if policy allows what it asks for."""
        fields = request.model_dump(include=set(ProjectConfig.model_fields))
        self._check(ProjectConfig(**fields))
        if request.repo_url is None:
            return request
        url = self._git.redact(request.repo_url)
        self._git.check(url)
        return request.model_copy(update={"repo_url": url})

    # -- within ----------------------------------------------------------------------------

    async def duplicate(self, project_id: str, request: DuplicateProject) -> Metadata:
        """A new project with the files of an old one, and with its memory if that is asked for.

        Raises NotFound, BrokenProject, InvalidInput, Forbidden (the policy), Conflict
        (`project_limit`), TooLarge, RuntimeUnavailable, StorageFull.
        """
        old = await self._store.get(project_id)
        document = old.model_dump(include={"description", "tags", "cleanup_after_days"})
        fields = old.config.model_dump(include=set(ProjectConfig.model_fields))
        new = CreateProject.model_construct(**fields, **document, user_prefix=old.user_prefix)
        if request.user_prefix is not None:
            new.user_prefix = request.user_prefix
        if request.description is not None:
            new.description = request.description
        stop = Event()
        with self._transfer(stop.set):
            self._allowed(new)
            if request.memory:
                await self._save_hot(project_id)
            choice = Choice(request.memory, deps=True)

            async def populate(paths: ProjectPaths, metadata: Metadata) -> None:
                work = functools.partial(self._copy, old, choice, paths, stop)
                report = await self._in_thread(stop.set, work)
                for note in report.notes:
                    self.log.warning("Copy of %s: %s", project_id, note)
                # The trust may have been taken back meanwhile.
                now = await self._store.get(project_id)
                self._store.set_trusted(metadata, self._store.is_trusted(now))

            made = await self._store.create(new, populate)
        data = {"project_id": made.project_id, "origin": "duplicate", "source": project_id}
        self._tell("created", data)
        return made

    def _copy(self, old: Metadata, choice: Choice, paths: ProjectPaths, stop: Event) -> Report:
        source = Source(self._store.paths(old.project_id), choice)
        source.measure(self.max_bytes)
        report = Report()
        with (
            storage_full(_NOT_IMPORTED),
            Filling(paths, self._store.directory.uuid) as filling,
            closing(source.items()) as items,
        ):
            for found in items:
                if stop.is_set():
                    raise Closed("The copy was ended.")
                if found.entry is None:
                    report.note(found.name, f"it is left out: {found.why}")
                    continue
                report.totals.count(found.entry)
                check_size(report.totals.bytes, self.max_bytes)
                filling.add(found.entry, found.content)
                if found.content is not None and (why := found.content.finish(found.name)[1]):
                    report.note(found.name, why)
            filling.finish()
        return report

    # -- both ------------------------------------------------------------------------------

    @contextmanager
    def _transfer(self, end: Callable[[], None]) -> Iterator[None]:
        """Count a transfer that `end` ends. Raises RuntimeUnavailable."""
        if len(self._ends) >= self.max_transfers:
            raise RuntimeUnavailable(
                f"{self.max_transfers} projects are exported, imported or duplicated already "
                "(Archives.max_transfers); try again.",
                "too_many_transfers",
            )
        self._ends.add(end)
        try:
            yield
        finally:
            self._ends.discard(end)

    async def _in_thread(self, end: Callable[[], None], work: Callable[..., T], *args: Any) -> T:
        """Run a step that `end` ends. When it is cancelled it has ended, too."""
        loop = asyncio.get_running_loop()
        step = loop.run_in_executor(self._threads, functools.partial(work, *args))
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            end()
            await _over(step)
            raise


async def _over(step: asyncio.Future[Any]) -> None:
    """Wait until it has ended, however; a cancelled caller waits, too."""
    while not step.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([step])
    if not step.cancelled():
        step.exception()  # has been told, or nobody is left to be told
