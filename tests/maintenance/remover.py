"""A server's user without root's rights, who deletes projects: reads ids, answers how it went."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from traitlets.config import Config

from cognition_jupyter.core import Cognition
from cognition_jupyter.exceptions import CognitionError
from cognition_jupyter.models import CreateProject


async def main(base: Path, base_url: str) -> None:
    config = Config()
    config.ProjectStore.root = str(base / "root")
    config.RamDirectories.hot_root = str(base / "ram")
    config.DockerRuntime.base_url = base_url
    config.DockerRuntime.engine_timeout = 2
    cognition = Cognition(base, config=config)
    cognition.open()
    try:
        while line := sys.stdin.readline().strip():
            if line == "create":
                made = await cognition.store.create(CreateProject(user_prefix="of-others"))
                print(made.project_id, flush=True)
            elif line.startswith("watch "):
                removal = asyncio.ensure_future(cognition.removal.delete(line.split()[1]))
                seen = False
                while not removal.done():
                    seen = seen or bool(cognition.remains.at_work)
                    await asyncio.sleep(0)
                await removal
                left = cognition.remains.at_work
                print("at work, then gone" if seen and not left else "unknown", flush=True)
            elif line == "cleanup":
                await cognition.cleanup.run()
                print("done", flush=True)
            else:
                try:
                    await cognition.removal.delete(line)
                    print("gone", flush=True)
                except CognitionError as error:
                    print(error.code, flush=True)
    finally:
        await cognition.close()


if __name__ == "__main__":
    directory, url, user, group = sys.argv[1:]
    os.setgroups([int(group)])
    os.setgid(int(user))
    os.setuid(int(user))
    asyncio.run(main(Path(directory), url))
