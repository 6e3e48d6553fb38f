"""A real Chromium on a real JupyterLab."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Page, expect

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
# On a busy machine Lab needs its time; only a hang takes as long as this.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)
# What a browser says about the machine and not about us.
NOT_OURS = ("favicon", "net::ERR_INTERNET_DISCONNECTED", "net::ERR_NETWORK_CHANGED")
CARD = ".jp-LauncherCard"
# Lab's toolbar buttons repeat `aria-pressed` of the button inside on their own element.
LABS_BUTTONS = ("aria-allowed-attr", "<jp-button")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium: the driver's own browser can't be downloaded everywhere."""
    path = shutil.which("chromium")
    assert path, "the browser tests need Chromium; `make test` installs it"
    return {"executable_path": path, "args": QUIET}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    return {"viewport": {"width": 1280, "height": 800}}


@pytest.fixture
def page(page: Page) -> Page:
    """As patient as `expect`."""
    page.set_default_timeout(PATIENCE)
    return page


@pytest.fixture(scope="module")
def lab_config() -> dict[str, dict[str, Any]]:
    """Configuration of `lab`; modules override it."""
    return {}


@pytest.fixture(scope="module")
def lab(make_server: Callable[..., Server], lab_config: dict[str, dict[str, Any]]) -> Server:
    """JupyterLab with its news and its tips turned off."""
    server = make_server(
        start=False,
        command="lab",
        arguments=("--LabApp.expose_app_in_browser=True",),
        config=lab_config,
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
def may_log(console_errors: list[str]) -> Callable[[str], None]:
    """`may_log(text)`: what the browser logged with that text was to be, such as a refusal."""

    def check(text: str) -> None:
        kept = [error for error in console_errors if text not in error]
        assert len(kept) < len(console_errors), f"nothing logged has {text}"
        console_errors[:] = kept

    return check


@pytest.fixture
def open_lab(page: Page, lab: Server, console_errors: list[str]) -> Callable[[], Page]:
    """Open JupyterLab with a fresh layout."""

    # Chromium gives up all that it waits for when the machine's network changes, as it does when
    # a test beside this one makes a network of the engine. Then it has to begin again.
    given_up: list[str] = []
    page.on(
        "requestfailed",
        lambda request: (
            given_up.append(request.url) if "ERR_NETWORK_CHANGED" in str(request.failure) else None
        ),
    )

    def is_there(deadline: float) -> bool:
        """Whether all of the page has come."""
        try:
            page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
        except Error:
            if given_up:
                return False
            raise
        # The launcher takes the focus when it comes, from whatever was typed into before.
        while page.locator("#jupyterlab-splash").count() or not page.locator(CARD).count():
            assert time.monotonic() < deadline, "JupyterLab did not come"
            if given_up:
                return False
            page.wait_for_timeout(100)
        return not given_up

    def open_page() -> Page:
        deadline = time.monotonic() + 120
        while not is_there(deadline):
            given_up.clear()
            console_errors.clear()
        return page

    return open_page


@pytest.fixture
def axe(page: Page) -> Callable[..., None]:
    """`axe(selector)`: what it selects has no serious or critical fault for assistive technology.

    Everything that matches is looked at, and something has to match. `without` names rules that
    do not count, each with a reason beside the call.
    """

    def check(selector: str, without: tuple[str, ...] = ()) -> None:
        assert page.locator(selector).count(), f"nothing matches {selector}"
        off = {rule: {"enabled": False} for rule in without}
        results = Axe().run(page, selector, {"resultTypes": ["violations"], "rules": off}).response
        faults = [
            f"{fault['id']}: {fault['help']}\n  {node['html'][:300]}\n  {node['failureSummary']}"
            for fault in results["violations"]
            for node in fault["nodes"]
            if fault["impact"] in ("serious", "critical")
            if (fault["id"], node["html"].partition(" ")[0]) != LABS_BUTTONS
        ]
        assert not faults, "\n".join(faults)

    return check


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures are kept to be looked at."""
    path = Path(__file__).parents[2] / "test-results"
    path.mkdir(exist_ok=True)
    return path
