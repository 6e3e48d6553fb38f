"""A real Chromium on a real JupyterLab."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from ..support.server import TOKEN, Server

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
# What a browser says about the machine and not about us.
NOT_OURS = ("favicon", "net::ERR_INTERNET_DISCONNECTED")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium: the driver's own browser can't be downloaded everywhere."""
    path = shutil.which("chromium")
    assert path, "the browser tests need Chromium; `make test` installs it"
    return {"executable_path": path, "args": QUIET}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    return {"viewport": {"width": 1280, "height": 800}}


@pytest.fixture(scope="module")
def lab(make_server: Callable[..., Server]) -> Server:
    """JupyterLab with its news and its tips turned off."""
    server = make_server(
        start=False, command="lab", arguments=("--LabApp.expose_app_in_browser=True",)
    )
    settings = server.home / "lab-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    return server.start()


@pytest.fixture
def console_errors(page: Page) -> Iterator[list[str]]:
    """What the page complained about; a test that leaves any fails."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on(
        "console", lambda message: found.append(message.text) if message.type == "error" else None
    )
    yield found
    assert not [text for text in found if not any(known in text for known in NOT_OURS)]


@pytest.fixture
def open_lab(page: Page, lab: Server, console_errors: list[str]) -> Callable[[], Page]:
    """Open JupyterLab with a fresh layout."""

    def open_page() -> Page:
        page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
        page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
        return page

    return open_page


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures are kept to be looked at."""
    path = Path(__file__).parents[2] / "test-results"
    path.mkdir(exist_ok=True)
    return path
