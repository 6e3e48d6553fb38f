"""Another process on the same root: does what it reads on standard input, a line of JSON each."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cognition_jupyter.exceptions import CognitionError, Conflict
from cognition_jupyter.models import CreateProject, Metadata, utcnow
from cognition_jupyter.projects.stage import ProjectPaths
from cognition_jupyter.projects.store import ProjectStore

from .store_support import session


class Calls:
    def __init__(self, store: ProjectStore) -> None:
        self.store = store

    async def ready(self) -> bool:
        return True

    async def create(self, prefix: str, **fields: Any) -> str:
        made = await self.store.create(CreateProject(user_prefix=prefix, **fields))
        return made.project_id

    async def get(self, project_id: str) -> str:
        return (await self.store.get(project_id)).model_dump_json()

    async def ids(self, **filters: Any) -> list[list[str | None]]:
        entries, _ = await self.store.select(**filters)
        return [[entry.project_id, entry.broken] for entry in entries]

    async def describe(self, project_id: str, description: str) -> bool:
        def change(metadata: Metadata) -> None:
            metadata.description = description

        await self.store.change(project_id, change)
        return True

    async def delete(self, project_id: str, permanent: bool = False) -> bool:
        trash = self.store.trash
        await (trash.delete if permanent else trash.put)(project_id)
        return True

    async def recover(self) -> bool:
        self.store.recover()
        return True

    async def count(self, project_id: str, times: int) -> bool:
        def change(metadata: Metadata) -> None:
            metadata.statistics.total_messages += 1

        for _ in range(times):
            await self.store.change(project_id, change)
        return True

    async def use(self, project_id: str, name: str, times: int) -> bool:
        """Open and close sessions."""
        for number in range(times):
            key = f"{name}-{number}"
            await self.store.open_session(project_id, session(key), 0, 0)

            def close(metadata: Metadata, key: str = key) -> None:
                record = metadata.session(key)
                assert record is not None
                record.ended_at = utcnow()
                record.reason = "client"

            await self.store.change(project_id, close)
        return True

    async def create_many(self, times: int) -> int:
        """How many of so many concurrent attempts a limit let through."""
        made = await asyncio.gather(
            *(self.create(f"many{number}") for number in range(times)), return_exceptions=True
        )
        return _successes(made)

    async def open_many(
        self, project_ids: list[str], name: str, max_total: int, max_per_project: int
    ) -> int:
        attempts = (
            self.store.open_session(one, session(f"{name}-{n}"), max_total, max_per_project)
            for n, one in enumerate(project_ids)
        )
        return _successes(await asyncio.gather(*attempts, return_exceptions=True))

    async def stage(self, prefix: str) -> str:
        """Begin to create a project and stay there until the process ends."""
        begun = asyncio.get_running_loop().create_future()

        async def populate(paths: ProjectPaths, metadata: Metadata) -> None:
            (paths.repo / "half").write_text("half")
            begun.set_result(paths.project.name)
            await asyncio.sleep(3600)

        self.creating = asyncio.ensure_future(
            self.store.create(CreateProject(user_prefix=prefix), populate)
        )
        return await begun

    async def own(self) -> str:
        """Register as an owner and stay one."""
        self.owner = self.store.directory.register_owner()
        return self.owner.owner_id


def _successes(results: list[Any]) -> int:
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Conflict):
            raise result
    return sum(not isinstance(result, BaseException) for result in results)


async def serve(root: Path, traits: dict[str, Any]) -> None:
    store = ProjectStore(**traits)
    calls = Calls(store)
    loop = asyncio.get_running_loop()
    try:
        store.open(root)
        problem = None
    except CognitionError as error:
        problem = error
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        arguments = json.loads(line)
        call: Callable[..., Any] = getattr(calls, arguments.pop("call"))
        try:
            if problem is not None:
                raise problem
            answer = await call(**arguments)
        except CognitionError as error:
            answer = {"error": type(error).__name__, "code": error.code, "message": error.message}
        except OSError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[3] != "None":
        # Not before: that user may not be able to read what was imported.
        user = int(sys.argv[3])
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    asyncio.run(serve(Path(sys.argv[1]), json.loads(sys.argv[2])))
