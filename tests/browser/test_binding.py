"""Notebooks in projects: their kernel, what the status bar says, and why a kernel has died."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat.v4
import pytest
from playwright.sync_api import Page, expect

from ..support.server import Server

OPEN = "path => { void window.jupyterapp.commands.execute('docmanager:open', { path }); }"
IDLE = """() => {
    const view = window.jupyterapp.shell.currentWidget;
    return view.sessionContext?.session?.kernel?.status === 'idle';
}"""


@pytest.fixture(scope="module")
def lab_config() -> dict[str, dict[str, Any]]:
    """So little memory that a kernel is soon out of it."""
    return {"DockerRuntime": {"memory_limit": "200m"}}


def test_a_notebook_from_elsewhere_runs_in_its_project(
    open_lab: Callable[[], Page],
    lab: Server,
    screenshots: Path,
    axe: Callable[..., None],
    console_errors: list[str],
) -> None:
    project_id = lab.create("bound")
    cells = [
        nbformat.v4.new_code_cell("import os; os.getcwd()"),
        nbformat.v4.new_code_cell("kept = b'x' * (400 << 20)"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    # Most that is on the web says this, and it would be a kernel of the server itself.
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata.language_info = {"name": "python"}
    folder = f"workspaces/{project_id}/repo"
    nbformat.write(notebook, lab.root / project_id / "repo/their.ipynb")
    nbformat.write(notebook, lab.root_dir / "outside.ipynb")

    page = open_lab()
    page.evaluate(OPEN, f"{folder}/their.ipynb")
    page.wait_for_function(IDLE, timeout=60_000)
    assert page.locator(".jp-Dialog").count() == 0
    (session,) = lab.call("GET", f"/api/projects/{project_id}/sessions")["sessions"]
    assert session["ended_at"] is None
    page.locator(".jp-Notebook .cm-content").first.click()
    page.keyboard.press("Control+Enter")
    output = page.locator(".jp-OutputArea-output").first
    expect(output).to_contain_text("/workspace", timeout=60_000)

    # What it runs in, and when its memory was saved.
    status = page.locator(".jp-CognitionStatus")
    expect(status).to_contain_text(f"{project_id} · docker · no network")
    expect(status).not_to_contain_text("saved")
    path = f"/api/projects/{project_id}"
    lab.call("PUT", f"{path}/memory/memories/hot/note", 201, data=b"text")
    lab.call("POST", f"{path}/snapshots", 201)
    expect(status).to_contain_text(re.compile(r"memory saved \d+ s ago"))
    expect(status).to_contain_text(re.compile(r"memory saved ([3-9]|\d\d+) s ago"), timeout=60_000)
    page.screenshot(path=screenshots / "binding.png")
    axe(".jp-CognitionStatus")

    # Why a kernel is gone.
    page.locator(".jp-Notebook .cm-content").nth(1).click()
    page.keyboard.press("Control+Enter")
    toast = page.locator(".jp-toastContainer, .Toastify").get_by_role("alert")
    told = toast.filter(has_text="needed more memory than it may have")
    expect(told).to_be_visible(timeout=60_000)
    expect(told).to_contain_text("their.ipynb")
    page.locator(".jp-Dialog").get_by_role("button", name="Ok").click()  # Lab's, without a reason
    page.screenshot(path=screenshots / "out-of-memory.png")

    # Outside of projects Lab does as it does; the status bar has nothing to say.
    page.evaluate(OPEN, "outside.ipynb")
    expect(page.get_by_role("tab", name="outside.ipynb")).to_be_visible(timeout=60_000)
    expect(status).to_be_hidden()
    assert {kernel["name"] for kernel in lab.call("GET", "/api/kernels")} <= {
        "cognition",
        "python3",
    }
    console_errors[:] = [text for text in console_errors if "WebSocket" not in text]


def test_the_status_opens_the_project(open_lab: Callable[[], Page], lab: Server) -> None:
    project_id = lab.create("opened")
    notebook = nbformat.v4.new_notebook()
    nbformat.write(notebook, lab.root / project_id / "repo/new.ipynb")
    page = open_lab()
    page.evaluate(OPEN, f"workspaces/{project_id}/repo/new.ipynb")
    page.wait_for_function(IDLE, timeout=60_000)
    page.locator(".jp-CognitionStatus").get_by_role("button").click()
    expect(page.locator(".jp-CognitionOverview")).to_contain_text(project_id, timeout=60_000)
