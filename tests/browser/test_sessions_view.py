"""The sessions in the sidebar panel, however they were started."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from ..kernels.helpers import wait_until
from ..support.server import Server


def test_sessions_are_seen_joined_interrupted_and_stopped(
    open_lab: Callable[[], Page], lab: Server, screenshots: Path, axe: Callable[..., None]
) -> None:
    project_id = lab.create("seen")
    session = lab.start_session(project_id)
    gone = lab.end_session(lab.start_session(lab.create("gone")))
    page = open_lab()
    page.get_by_role("tab", name="Projects").click()
    live = page.get_by_role("list", name="Live sessions")
    row = live.get_by_role("listitem").filter(has_text=project_id)
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
        row.get_by_role("button", name="Interrupt").click()
        path = f"/api/kernels/{session['kernel_id']}"
        wait_until(lambda: lab.call("GET", path)["execution_state"] == "idle")

    # A console on that kernel, which stays when the console is closed.
    row.get_by_role("button", name="Connect").click()
    expect(page.locator(".jp-CodeConsole-promptCell")).to_be_visible(timeout=60_000)
    page.wait_for_function(
        "id => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.id === id",
        arg=session["kernel_id"],
    )

    # Stopped here, and from elsewhere.
    other = lab.start_session(project_id)
    expect(live.get_by_role("listitem")).to_have_count(2)
    lab.end_session(other)
    expect(live.get_by_role("listitem")).to_have_count(1)
    row.get_by_role("button", name="Stop").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Stop Session").click()
    expect(page.get_by_text("No live sessions.")).to_be_visible(timeout=60_000)
    expect(ended).to_contain_text(project_id)
    assert lab.call("GET", f"/api/projects/{project_id}")["active_sessions"] == 0
