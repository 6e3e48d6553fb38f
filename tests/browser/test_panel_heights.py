"""How the panel's sections share its height, and that all of a row can be read at Lab's width."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, Page, expect

from ..kernels.helpers import wait_until
from ..support.server import Server
from .panel_support import row, show_panel

HANDLE = "#cognition-projects .lm-SplitPanel-handle:not(.lm-mod-hidden)"
CARDS = ".jp-LauncherCard[data-category=Projects]"
THEME = "'apputils:change-theme'"
LARGE = """[0, 1].forEach(i =>
    document.documentElement.style.setProperty(`--jp-ui-font-size${i}`, `${15 + i}px`))"""
# Of each element: whether its text is cut, or lies outside of its parent.
CUT = """nodes => nodes.filter(node => {
    const inner = node.getBoundingClientRect();
    const outer = node.parentElement.getBoundingClientRect();
    return node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1 ||
        inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1;
}).map(node => node.textContent)"""


def box(locator: Locator) -> FloatRect:
    found = locator.bounding_box()
    assert found is not None
    return found


def test_sessions_take_only_the_height_they_need_until_the_user_drags(
    lab: Server, open_lab: Callable[[], Page]
) -> None:
    project_id = lab.create("tall")
    page = show_panel(open_lab())
    projects, sessions = (
        page.locator(".jp-CognitionProjects-list"),
        page.locator(".jp-CognitionSessions"),
    )
    expect(page.get_by_text("No live sessions.")).to_be_visible()
    wait_until(lambda: box(sessions)["height"] < 50)
    assert box(projects)["height"] > 500

    # What comes has room, up to half of it.
    started = [lab.start_session(project_id) for _ in range(2)]
    live = page.get_by_role("list", name="Live sessions").get_by_role("listitem")
    expect(live).to_have_count(2)
    wait_until(lambda: sessions.evaluate("node => node.scrollHeight <= node.clientHeight"))
    assert box(sessions)["height"] <= box(projects)["height"] + 2

    # What the user has chosen stays, over a reload and when sessions come and go.
    handle = box(page.locator(HANDLE))
    x, y = handle["x"] + 50, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, 300, steps=5)
    with page.expect_response(lambda answer: "/api/workspaces/" in answer.url, timeout=30_000):
        page.mouse.up()
    chosen = box(projects)["height"]
    assert abs(box(page.locator(HANDLE))["y"] - 300) < 10
    page.wait_for_timeout(1_500)  # Lab may save it once more
    page.goto(f"{lab.url}/lab")
    expect(row(page, project_id)).to_be_visible(timeout=60_000)
    for session in started:
        lab.end_session(session)
    expect(page.get_by_text("No live sessions.")).to_be_visible()
    assert abs(box(projects)["height"] - chosen) < 3

    page.locator(HANDLE).dblclick()
    wait_until(lambda: box(projects)["height"] > chosen + 50)


def test_nothing_of_rows_and_cards_is_cut(
    lab: Server, open_lab: Callable[[], Page], screenshots: Path
) -> None:
    project_id = lab.create("full", description="A row with all facts", cleanup_after_days=2)
    with (lab.root / project_id / "repo/data.bin").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 123_000_000)
    session = lab.start_session(project_id)
    with lab.kernel(session["kernel_id"]) as kernel:
        kernel.check("open('/memories/hot/notes', 'w').write('x' * 456_000)")
    lab.call("POST", f"/api/projects/{project_id}/snapshots")
    page = show_panel(open_lab())
    facts = row(page, project_id).locator(".jp-CognitionProjects-facts > span")
    expect(facts).to_have_text(["2 days left", re.compile(r"\d{3} MB"), "456 kB mem."])
    for theme in "Light", "Dark":
        page.evaluate(
            f"window.jupyterapp.commands.execute({THEME}, {{theme: 'JupyterLab {theme}'}})"
        )
        expect(page.locator("body")).to_have_attribute(
            "data-jp-theme-light", str(theme == "Light").lower()
        )
        assert facts.evaluate_all(CUT) == []
        cards = page.locator(CARDS)
        expect(cards.filter(has_text=re.compile("^(New|Import) Project$"))).to_have_count(2)
        cards.last.scroll_into_view_if_needed()
        assert page.locator(f"{CARDS} > div").evaluate_all(CUT) == []
        page.screenshot(path=screenshots / f"cards-{theme.lower()}.png")

    # Where there is less room for letters, facts take another line, and so does each row.
    high = box(row(page, project_id))["height"]
    page.get_by_role("tab", name="Projects").click()
    page.evaluate(LARGE)
    show_panel(page)
    wait_until(lambda: box(row(page, project_id))["height"] > high * 1.5)
    assert facts.evaluate_all(CUT) == []
    page.screenshot(path=screenshots / "panel-large.png")
