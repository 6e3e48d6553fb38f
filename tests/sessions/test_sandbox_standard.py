"""LangChain's standard tests of sandboxes, over a real session without a network."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from traitlets.config import Config

pytest.importorskip("deepagents", reason="the extra `agent` needs Python 3.11")

from jupyter_client.multikernelmanager import AsyncMultiKernelManager
from langchain_tests.integration_tests import SandboxIntegrationTests

from cognition_jupyter.core import Cognition
from cognition_jupyter.models import CreateProject
from cognition_jupyter.sessions.commands import Commands
from cognition_jupyter.sessions.kernel import SessionKernel
from cognition_jupyter.sessions.responders.sandbox import ProjectSandbox

from .container import IMAGE

pytestmark = pytest.mark.filterwarnings("ignore:Class-scoped fixtures defined as instance methods")


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The server's loop, in a thread of its own; the tests are other threads and loops."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


@asynccontextmanager
async def session(root: Path, hot: Path) -> AsyncIterator[ProjectSandbox]:
    """The sandbox of a session as a server has it, only that nobody serves."""
    config = Config()
    config.RamDirectories.hot_root = str(hot)
    config.SessionPolicy.image = IMAGE
    cognition = Cognition(root, config=config)
    cognition.open()
    cognition.serve()
    kernels = AsyncMultiKernelManager()
    try:
        made = await cognition.store.create(CreateProject(user_prefix="standard"))
        repo = cognition.store.paths(made.project_id).repo
        kernel_id = await kernels.start_kernel(kernel_name="cognition", cwd=str(repo))
        kernel = SessionKernel(kernels, kernel_id)
        memory = await cognition.memories.of(made.project_id, kernel_id)
        yield ProjectSandbox(kernel_id, memory, Commands(kernel).run)
        kernel.lose()
    finally:
        await kernels.shutdown_all(now=True)
        await cognition.launcher.close_all("client")
        cognition.stop_serving()
        await cognition.close()


@pytest.fixture(scope="module")
def real(
    loop: asyncio.AbstractEventLoop, engine: docker.DockerClient, tmp_path_factory: Any
) -> Iterator[ProjectSandbox]:
    hot = Path(tempfile.mkdtemp(prefix="cgn", dir="/dev/shm"))
    live = session(tmp_path_factory.mktemp("root"), hot)
    yield asyncio.run_coroutine_threadsafe(live.__aenter__(), loop).result(60)
    asyncio.run_coroutine_threadsafe(live.__aexit__(None, None, None), loop).result(60)
    shutil.rmtree(hot, ignore_errors=True)


class TestProjectSandbox(SandboxIntegrationTests):
    @pytest.fixture(scope="class")
    def sandbox(self, real: ProjectSandbox) -> ProjectSandbox:
        return real
