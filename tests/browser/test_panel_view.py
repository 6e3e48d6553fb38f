"""The panel among a thousand projects, by keyboard, in the dark, live, and without its server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cognition_jupyter.models import CreateProject

from ..kernels.helpers import wait_until
from ..projects.store_support import opened
from ..support.server import TOKEN, Server
from .panel_support import created, row, said, show_panel

Axe = Callable[..., None]
MANY = 1000


async def make_many(root: Path) -> None:
    with opened(root) as store:
        for i in range(MANY):
            tags = ["even" if i % 2 == 0 else "odd"]
            description = f"Measurement n{i} of the series"
            await store.create(
                CreateProject(user_prefix=f"many-{i % 7}", description=description, tags=tags)
            )


@pytest.fixture(scope="module")
def crowded(make_server: Callable[..., Server]) -> Server:
    """JupyterLab with a thousand projects."""
    server = make_server(start=False, command="lab", environment={"MAX_PROJECTS": "5000"})
    # The browser's driver has an event loop in this thread.
    with ThreadPoolExecutor() as pool:
        pool.submit(asyncio.run, make_many(server.root)).result()
    return server.start()


def test_a_thousand_projects_are_no_more_for_the_page_than_ten(
    crowded: Server, page: Page, console_errors: list[str]
) -> None:
    page.goto(f"{crowded.url}/lab?token={TOKEN}&reset")
    page.wait_for_selector(".jp-LauncherCard", timeout=60_000)
    show_panel(page)
    rows = page.locator("#cognition-projects").get_by_role("row")
    grid = page.get_by_role("grid", name="Projects")
    expect(grid).to_have_attribute("aria-rowcount", str(MANY))
    few = 40
    expect(rows.nth(5)).to_be_attached()
    assert 5 < rows.count() < few

    # All of them can be reached.
    expect(rows.first).to_contain_text(f"Measurement n{MANY - 1} of")
    rows.first.focus()
    page.keyboard.press("End")
    expect(page.locator(":focus")).to_contain_text("Measurement n0 of")
    assert rows.count() < few
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator(":focus")).to_contain_text(re.compile(r"Measurement n\d\d? of"))
    # What has the focus stays there when it is scrolled out of view.
    grid.evaluate("grid => { grid.parentElement.scrollTop = 0; }")
    expect(rows.filter(has_text=f"Measurement n{MANY - 1} of")).to_have_count(1)
    expect(page.locator(":focus")).to_contain_text(re.compile(r"Measurement n\d\d? of"))
    assert rows.count() < few

    # Each letter that is typed filters all of them, and makes few rows.
    search = page.get_by_label("Search names, descriptions and tags")
    search.focus()
    for typed in "measurement n77", "7":
        page.keyboard.type(typed)
        assert rows.count() < few
    expect(grid).to_have_attribute("aria-rowcount", "1")
    expect(rows).to_contain_text("Measurement n777 of")
    expect(page.get_by_text("1 project", exact=True)).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(rows).to_be_focused()
    search.fill("")
    page.get_by_label("Tag", exact=True).select_option("odd")
    expect(grid).to_have_attribute("aria-rowcount", str(MANY // 2))

    # One that changes is one row that is asked for again.
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    project_id = rows.nth(1).get_attribute("data-project-id")
    assert project_id is not None
    change = {"description": "Changed elsewhere"}
    crowded.call("PATCH", f"/api/projects/{project_id}", json=change)
    expect(rows.first).to_contain_text("Changed elsewhere")
    lists = [url for url in asked if "/api/projects?" in url]
    assert lists == []


def test_everything_can_be_reached_by_keyboard_alone(
    lab: Server, open_lab: Callable[[], Page]
) -> None:
    first, second = lab.create("one"), lab.create("two")
    page = open_lab()
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("projects new project")
    page.keyboard.press("Enter")
    name = page.get_by_role("dialog").get_by_label("Name", exact=True)
    expect(name).to_be_focused()
    page.keyboard.type("typed")
    # Lab may have taken the focus for a moment.
    if name.input_value() != "typed":
        name.fill("typed")
    page.keyboard.press("Enter")
    project_id = created(page, "typed")
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.get_by_role("tab", name="Projects").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Search names, descriptions and tags").focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, project_id)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(row(page, second)).to_be_focused()

    # The buttons of the row are next, and those of no other.
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "New notebook")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "Pin")
    page.keyboard.press("Enter")
    expect(row(page, second)).to_contain_text("Kept")
    page.keyboard.press("ArrowDown")
    expect(row(page, first)).to_be_focused()

    # The menu gives the focus back, and what it starts works.
    page.keyboard.press("Shift+F10")
    expect(page.get_by_role("menuitem", name="Open Project")).to_be_visible()
    page.keyboard.press("Escape")
    expect(row(page, first)).to_be_focused()
    page.keyboard.press("Delete")
    expect(row(page, first)).to_have_count(0)
    expect(row(page, second)).to_be_focused()
    expect(said(page, f"{first} was moved to the trash")).to_be_visible()
    page.get_by_label("Search names, descriptions and tags").focus()
    page.keyboard.type("two")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    crumbs = page.locator(".jp-FileBrowser-crumbs")
    expect(crumbs).to_contain_text(second)


def test_it_looks_well_in_the_dark_and_stays_where_it_was(
    lab: Server, open_lab: Callable[[], Page], screenshots: Path, axe: Axe
) -> None:
    soon = lab.create("soon", description="Will be cleaned up", cleanup_after_days=2, tags=["a"])
    page = show_panel(open_lab())
    expect(row(page, soon)).to_contain_text("2 days left")
    row(page, soon).hover()
    axe("#cognition-projects")
    page.screenshot(path=screenshots / "panel-light.png")
    theme = "apputils:change-theme"
    page.evaluate(f"window.jupyterapp.commands.execute('{theme}', {{theme: 'JupyterLab Dark'}})")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    axe("#cognition-projects")
    page.screenshot(path=screenshots / "panel-dark.png")
    page.get_by_role("button", name="New Project").first.click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("No Name")
    axe(".jp-Dialog-content")
    page.screenshot(path=screenshots / "create-dark.png")
    page.keyboard.press("Escape")
    page.evaluate(f"window.jupyterapp.commands.execute('{theme}', {{theme: 'JupyterLab Light'}})")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "true")

    # The layout comes back with the panel in front. Lab saves it a while after the last change.
    workspace = f"{lab.url}/lab/api/workspaces/default"

    def is_saved(panel: str) -> bool:
        layout = lab.http.get(workspace, timeout=60).json()["data"].get("layout-restorer:data", {})
        return bool(layout.get("left", {}).get("current") == panel)

    page.get_by_role("tab", name="Running Terminals and Kernels").click()
    wait_until(lambda: is_saved("running-sessions"))
    page.get_by_role("tab", name="Projects").click()
    wait_until(lambda: is_saved("cognition-projects"))
    page.goto(f"{lab.url}/lab")
    expect(row(page, soon)).to_be_visible(timeout=60_000)


def test_the_users_settings_hold(lab: Server, open_lab: Callable[[], Page]) -> None:
    soon = lab.create("settled", cleanup_after_days=2)
    settings = "/lab/api/settings/cognition-jupyter:panel"
    chosen = {
        "warningDays": 1,
        "extendDays": 5,
        "defaultTemplate": "python-package",
        "defaultNetwork": "ON",
    }
    lab.call("PUT", settings, 204, json={"raw": json.dumps(chosen)})
    page = show_panel(open_lab())
    expect(row(page, soon)).to_contain_text("2 days left")
    expect(row(page, soon).locator(".jp-mod-warning")).to_have_count(0)
    row(page, soon).hover()
    row(page, soon).get_by_role("button", name="Extend by 5 days").click()
    expect(row(page, soon)).to_contain_text("7 days left")
    page.get_by_role("button", name="New Project").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Start from")).to_have_value("python-package")
    expect(dialog.get_by_label("Network")).to_have_value("ON")
    page.keyboard.press("Escape")
    lab.call("PUT", settings, 204, json={"raw": "{}"})
    expect(row(page, soon)).to_be_visible()


def test_warnings_are_answered_and_a_restart_of_the_server_is_told(
    lab: Server, open_lab: Callable[[], Page], screenshots: Path, console_errors: list[str]
) -> None:
    page = show_panel(open_lab())
    kept = lab.create("kept", cleanup_after_days=2)
    expect(row(page, kept)).to_contain_text("2 days left")
    lab.call("POST", "/api/projects/cleanup")
    warning = said(page, f"{kept} goes to the trash in 2 days")
    expect(warning).to_be_visible()
    expect(warning.get_by_role("button", name="Extend by 30 days")).to_be_visible()
    page.wait_for_timeout(1_000)  # it slides in
    page.screenshot(path=screenshots / "warning.png")
    page.reload()  # as who opens Lab later on that day
    expect(warning).to_be_visible()
    warning.get_by_role("button", name="Pin").click()
    expect(row(page, kept)).to_contain_text("Kept")
    expect(warning).to_have_count(0)

    lab.stop()
    lost = page.get_by_text("The connection to the server is lost.")
    expect(lost).to_be_visible(timeout=60_000)
    page.screenshot(path=screenshots / "lost.png")
    lab.start(port=int(lab.url.rpartition(":")[2]))
    later = lab.create("later")
    expect(lost).to_have_count(0, timeout=60_000)
    expect(row(page, later)).to_be_visible(timeout=60_000)
    # Lab says what it could not reach meanwhile.
    away = ("ERR_CONNECTION_REFUSED", "WebSocket connection to", "ERR_EMPTY_RESPONSE")
    console_errors[:] = [e for e in console_errors if not any(text in e for text in away)]


def test_commands_are_where_they_are_wanted(
    lab: Server, open_lab: Callable[[], Page], console_errors: list[str], screenshots: Path
) -> None:
    project_id = lab.create("work")
    page = open_lab()
    expect(page.locator(".jp-LauncherCard", has_text="New Project")).to_have_count(1)
    logo = page.locator(".jp-LauncherCard[title='Project (Python 3)'] img").first
    expect(logo).to_be_visible()
    assert logo.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    page.screenshot(path=screenshots / "launcher.png")
    show_panel(page)
    page.get_by_role("button", name=project_id).click()
    content = page.locator(".jp-DirListing-content")
    expect(page.locator(".jp-FileBrowser-crumbs")).to_contain_text(project_id)
    content.click(button="right", position={"x": 100, "y": 300})
    page.get_by_role("menuitem", name="New Console in Project").click()
    prompt = page.locator(".jp-CodeConsole-input .cm-content")
    expect(page.get_by_text("Project (Python 3) | Idle")).to_be_visible(timeout=60_000)
    prompt.click()
    page.keyboard.type("import os; os.getcwd()")
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-CodeConsole .jp-OutputArea-output")
    expect(output.filter(has_text="/workspace")).to_be_visible(timeout=60_000)

    # Outside of a project there are no such items.
    page.evaluate("window.jupyterapp.commands.execute('filebrowser:open-path', {path: '/'})")
    expect(page.locator(".jp-FileBrowser-crumbs")).not_to_contain_text(project_id)
    content.click(button="right", position={"x": 100, "y": 300})
    expect(page.get_by_role("menuitem", name="New Folder")).to_be_visible()
    expect(page.get_by_role("menuitem", name="New Console in Project")).to_have_count(0)
    page.keyboard.press("Escape")

    # The palette asks which project, and before that does not know whether it is pinned.
    in_palette = "window.jupyterapp.commands.label('cognition:pin-project', {isPalette: true})"
    assert page.evaluate(in_palette) == "Pin or Unpin Project…"
    dialog = page.get_by_role("dialog")
    for label, view in ("open overview", "Overview of"), ("open chat", "Chat in"):
        page.keyboard.press("Control+Shift+C")
        page.keyboard.type(label)
        page.keyboard.press("Enter")
        dialog.locator("select").select_option(project_id)
        dialog.get_by_role("button", name="Ok").click()
        expect(page.get_by_role("tab", name=f"{view} {project_id}")).to_be_visible()
    # The chat takes the keyboard when it is there, and would have what is typed next.
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("new notebook in project")
    page.keyboard.press("Enter")
    dialog.locator("select").select_option(project_id)
    dialog.get_by_role("button", name="Ok").click()
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
    notebooks = lab.root / project_id / "repo/Untitled.ipynb"
    assert notebooks.exists()


def test_without_the_server_part_the_panel_says_what_to_do(
    make_server: Callable[..., Server],
    page: Page,
    console_errors: list[str],
    screenshots: Path,
    may_log: Callable[[str], None],
) -> None:
    disabled = {"ServerApp": {"jpserver_extensions": {"cognition_jupyter": False}}}
    server = make_server(command="lab", config=disabled)
    page.goto(f"{server.url}/lab?token={TOKEN}&reset")
    page.wait_for_selector(".jp-LauncherCard", timeout=60_000)
    page.get_by_role("tab", name="Projects").click()
    expect(page.get_by_text("jupyter server extension enable cognition_jupyter")).to_be_visible()
    page.screenshot(path=screenshots / "disabled.png")
    page.get_by_role("button", name="New Project").first.click()
    # The panel says so as well.
    toast = page.locator(".Toastify__toast").filter(has_text="is not enabled")
    expect(toast).to_be_visible()
    may_log("404 (Not Found)")
