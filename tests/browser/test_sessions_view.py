"""The sessions in the sidebar panel, however they were started."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from ..kernels.helpers import wait_until
from ..support.server import Server


def test_sessions_are_seen_joined_interrupted_and_shut_down(
    open_lab: Callable[[], Page], lab: Server, screenshots: Path, axe: Callable[..., None]
) -> None:
    project_id = lab.create("seen")
    session = lab.start_session(project_id)
    gone = lab.end_session(lab.start_session(lab.create("gone")))
    page = open_lab()
    page.get_by_role("tab", name="Projects").click()
    live = page.get_by_role("list", name="Live sessions")
    row = live.get_by_role("listitem").filter(has_text=session["session_id"][:8])
    expect(row).to_contain_text(project_id)
    expect(row).to_contain_text(re.compile(r"started \d+:\d\d"))
    expect(row).to_contain_text("docker · no network")
    expect(row).to_contain_text(re.compile(r"idle · up \d+ (sec|min)"), timeout=60_000)
    expect(row).to_contain_text(re.compile(r"memory \d.* of 2(\.\d+)? GB"), timeout=60_000)
    ended = page.get_by_role("list", name="Sessions that ended recently")
    expect(ended).to_contain_text(gone["project_id"])
    expect(ended.get_by_text("somebody asked for it", exact=True)).to_be_visible()

    # A kernel that is at work, started by somebody else.
    with lab.kernel(session["kernel_id"]) as kernel:
        kernel.start("while True: pass")
        expect(row).to_contain_text(re.compile(r"busy .*CPU \d+%"), timeout=60_000)
        page.screenshot(path=screenshots / "sessions.png")
        axe(".jp-CognitionSessions")
        row.get_by_role("button", name="Interrupt Kernel").click()
        path = f"/api/kernels/{session['kernel_id']}"
        wait_until(lambda: lab.call("GET", path)["execution_state"] == "idle")

    # A console on that kernel, which stays when the console is closed.
    row.get_by_role("button", name="Connect").click()
    expect(page.locator(".jp-CodeConsole-promptCell")).to_be_visible(timeout=60_000)
    page.wait_for_function(
        "id => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.id === id",
        arg=session["kernel_id"],
    )

    expect(row).to_contain_text("Console ·")

    # Of the same project, for a notebook; shut down here, and from elsewhere.
    notebook = {
        "type": "notebook",
        "name": "analysis.ipynb",
        "path": f"workspaces/{project_id}/repo/plots/analysis.ipynb",
        "kernel": {"name": "cognition"},
    }
    (lab.root / project_id / "repo/plots").mkdir()
    other = lab.call("POST", "/api/sessions", 201, json=notebook)
    expect(live.get_by_role("listitem")).to_have_count(2)
    named = live.get_by_role("listitem").filter(
        has_text=f"plots/analysis.ipynb · {other['kernel']['id'][:8]}"
    )
    expect(named).to_contain_text(project_id)
    expect(
        named.get_by_role("button", name="Shut Down Session: plots/analysis.ipynb")
    ).to_be_visible()
    page.screenshot(path=screenshots / "sessions-of-one.png")
    lab.call("DELETE", f"/api/sessions/{other['id']}", 204)
    expect(live.get_by_role("listitem")).to_have_count(1)
    row.get_by_role("button", name="Shut Down Session").click()
    expect(page.locator(".jp-Dialog")).to_contain_text(session["session_id"][:8])
    page.locator(".jp-Dialog").get_by_role("button", name="Shut Down Session").click()
    expect(page.get_by_text("No live sessions.")).to_be_visible(timeout=60_000)
    expect(ended).to_contain_text(project_id)
    assert lab.call("GET", f"/api/projects/{project_id}")["active_sessions"] == 0
