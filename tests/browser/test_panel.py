"""The panel, and a notebook of a project, as a person sees them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from ..support.server import Server

NEW_NOTEBOOK = """async directory => {
    const app = window.jupyterapp;
    await app.restored;
    void app.commands.execute('notebook:create-new', { cwd: directory, kernelName: 'cognition' });
}"""


def new_notebook(page: Page, directory: str) -> None:
    """What the launcher's card does."""
    page.evaluate(NEW_NOTEBOOK, directory)


def test_a_notebook_in_a_project_runs_in_its_container(
    open_lab: Callable[[], Page], lab: Server, screenshots: Path, axe: Callable[..., None]
) -> None:
    project_id = lab.create("my-api", description="Payment service, second try")
    lab.create("notes", description="Notes on the rewrite")
    page = open_lab()

    page.get_by_role("tab", name="Projects").click()
    row = page.get_by_role("button", name=project_id)
    expect(row).to_be_visible()
    expect(page.get_by_text("Payment service, second try")).to_be_visible()
    axe("#cognition-projects")
    row.click()
    new_notebook(page, f"workspaces/{project_id}/repo")
    # Lab drops what is run before the kernel is there.
    expect(page.get_by_text("Project (Python 3) | Idle")).to_be_visible(timeout=60_000)
    cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first
    cell.click()
    page.keyboard.type(
        "import os, socket\nos.getcwd(), os.getuid(), [name for _, name in socket.if_nameindex()]"
    )
    page.keyboard.press("Shift+Enter")
    uid = 1000 if os.geteuid() == 0 else os.geteuid()
    output = page.locator(".jp-OutputArea-output").first
    expect(output).to_contain_text(f"('/workspace', {uid}, ['lo'])", timeout=60_000)

    page.get_by_role("tab", name="Projects").click()
    expect(page.get_by_label("1 live session").first).to_be_visible(timeout=60_000)
    page.wait_for_timeout(500)
    page.screenshot(path=screenshots / "lab.png")

    kernels = lab.call("GET", "/api/kernels")
    sessions = lab.call("GET", f"/api/projects/{project_id}/sessions")["sessions"]
    assert [s["kernel_id"] for s in sessions] == [k["id"] for k in kernels]


def test_a_kernel_outside_of_every_project_is_refused_with_the_reason(
    open_lab: Callable[[], Page], lab: Server, console_errors: list[str], screenshots: Path
) -> None:
    page = open_lab()
    new_notebook(page, "")
    expect(page.get_by_text("is in no project").first).to_be_visible(timeout=60_000)
    page.screenshot(path=screenshots / "refused.png")
    # The browser's own word on the refused request.
    console_errors[:] = [text for text in console_errors if "/api/sessions" not in text]
    console_errors[:] = [text for text in console_errors if "status of 50" not in text]
