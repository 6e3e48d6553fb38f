"""Projects from their creation to the trash and back, in the panel, as a person does it."""

from __future__ import annotations

import re
import secrets
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ..projects.git_server import GitServer, make_repository
from ..support.server import Server
from .panel_support import act, choose, created, row, said, show_panel

Axe = Callable[..., None]


@pytest.fixture(scope="module")
def lab_config() -> dict[str, dict[str, Any]]:
    """The repositories of these tests are on loopback, without TLS."""
    return {"GitClone": {"allowed_schemes": ["https", "http"]}}


@pytest.fixture
def panel(open_lab: Callable[[], Page]) -> Page:
    """JupyterLab with the panel in front."""
    return show_panel(open_lab())


def test_a_project_lives_goes_to_the_trash_and_comes_back(
    lab: Server, panel: Page, screenshots: Path, axe: Axe, may_log: Callable[[str], None]
) -> None:
    page = panel
    lab.create("other", tags=["work"])

    # The name is checked while it is typed.
    page.get_by_role("button", name="New Project").first.click()
    dialog = page.get_by_role("dialog")
    make = dialog.get_by_role("button", name="Create")
    expect(make).to_be_disabled()
    name = dialog.get_by_label("Name", exact=True)
    expect(name).to_be_focused()
    name.fill("My API")
    expect(dialog.get_by_text("Use 1 to 32 of")).to_be_visible()
    expect(make).to_be_disabled()
    axe(".jp-Dialog-content")
    page.screenshot(path=screenshots / "create.png")
    name.fill("my-api")
    dialog.get_by_label("Description").fill("Payment service, <b>second</b> try")
    dialog.get_by_label("Tags").fill("work, python")
    dialog.get_by_label("Start from").select_option(label="Python package with tests")
    make.click()
    project_id = created(page, "my-api")
    mine = row(page, project_id)
    expect(mine).to_contain_text("Payment service, <b>second</b> try")
    details = lab.call("GET", f"/api/projects/{project_id}")
    assert details["tags"] == ["work", "python"]
    assert details["config"]["template"] == "python-package"
    assert (lab.root / project_id / "repo/pyproject.toml").exists()

    # It says how long it will last, and what it takes.
    expect(mine).to_contain_text("30 days left")
    expect(mine).to_contain_text(re.compile(r"\d kB"), timeout=60_000)
    act(page, project_id, "Extend by 30 days")
    expect(mine).to_contain_text("60 days left")
    act(page, project_id, "Pin")
    expect(mine).to_contain_text("Kept")
    expect(mine.get_by_role("img", name="Pinned")).to_be_visible()
    assert lab.call("GET", f"/api/projects/{project_id}")["pinned"] is True
    act(page, project_id, "Unpin")
    expect(mine).to_contain_text("60 days left")

    # Its menu knows from the start that what was made here is trusted, and whether it is pinned.
    choose(page, project_id, "Pin Project")
    expect(mine).to_contain_text("Kept")
    choose(page, project_id, "Unpin Project")
    expect(mine).to_contain_text("60 days left")
    mine.click(button="right")
    expect(page.get_by_role("menuitem", name="Stop Trusting Project…")).to_be_visible()
    page.get_by_role("menuitem", name="Edit Project…").click()
    expect(dialog.get_by_label("Description")).to_be_focused()
    dialog.get_by_label("Description").fill("Payments")
    dialog.get_by_label("Days without use until cleanup").fill("2")
    axe(".jp-Dialog-content")
    dialog.get_by_role("button", name="Save").click()
    expect(mine).to_contain_text("Payments")
    details = lab.call("GET", f"/api/projects/{project_id}")
    assert (details["cleanup_after_days"], details["network_mode"]) == (2, "OFF")

    choose(page, project_id, "Duplicate Project…")
    expect(dialog.get_by_label("Name of the copy")).to_be_focused()
    dialog.get_by_label("Name of the copy").fill("copy")
    dialog.get_by_role("button", name="Duplicate").click()
    copied = said(page, f"is a copy of {project_id}")
    expect(copied).to_be_visible(timeout=60_000)
    copy_id = copied.inner_text().split()[0]
    assert (lab.root / copy_id / "repo/pyproject.toml").exists()

    # To the trash and back by the notification; then by the trash itself.
    choose(page, project_id, "Delete Project")
    expect(mine).to_have_count(0)
    said(page, "was moved to the trash").get_by_role("button", name="Undo").click()
    expect(mine).to_be_visible()
    choose(page, project_id, "Delete Project")
    expect(mine).to_have_count(0)
    shown = page.get_by_label("Which projects are shown")
    shown.select_option("Trash")
    expect(mine).to_contain_text("Gone for good in 7 days")
    axe("#cognition-projects")
    mine.click(button="right")
    expect(page.locator(".jp-CognitionProjects-menu [data-type=command]:visible")).to_have_text(
        ["Open Overview", "Restore Project", "Delete Project Permanently…"]
    )
    page.keyboard.press("Escape")
    act(page, project_id, "Restore")
    expect(mine).to_have_count(0)
    shown.select_option("All")
    expect(mine).to_be_visible()
    assert lab.call("GET", f"/api/projects/{project_id}")["status"] == "idle"

    lab.call("DELETE", f"/api/projects/{copy_id}")
    shown.select_option("Trash")
    act(page, copy_id, "Delete permanently…")
    expect(dialog).to_contain_text("This can not be undone.")
    dialog.get_by_role("button", name="Cancel").click()
    choose(page, copy_id, "Delete Project Permanently…")
    expect(dialog).to_contain_text("This can not be undone.")
    # Whether it is trusted was known, and is asked for again.
    with page.expect_console_message(lambda message: "404 (Not Found)" in message.text):
        dialog.get_by_role("button", name="Delete Permanently").click()
    may_log("404 (Not Found)")
    expect(row(page, copy_id)).to_have_count(0)
    lab.call("GET", f"/api/projects/{copy_id}", 404)


def test_a_project_with_a_session_is_only_deleted_when_the_user_insists(
    lab: Server, panel: Page, may_log: Callable[[str], None]
) -> None:
    page = panel
    project_id = lab.create("busy")
    lab.start_session(project_id)
    expect(row(page, project_id).get_by_role("img", name="1 live session")).to_be_visible()
    page.get_by_label("Which projects are shown").select_option("Active")
    choose(page, project_id, "Delete Project")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("It has live sessions.")
    dialog.get_by_role("button", name="Shut Down Sessions and Delete").click()
    expect(said(page, f"{project_id} was moved to the trash")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("No project is like that.")).to_be_visible()
    assert lab.call("GET", f"/api/projects/{project_id}")["status"] == "trashed"
    may_log("409 (Conflict)")


def test_a_repository_is_cloned_and_a_refusal_is_told_in_the_servers_words(
    lab: Server,
    panel: Page,
    screenshots: Path,
    tmp_path: Path,
    may_log: Callable[[str], None],
) -> None:
    page = panel
    noise = "".join(secrets.token_hex(32) + "\n" for _ in range(10_000))
    files = {"main.py": "print('hello')\n", "noise.txt": noise}
    make_repository(tmp_path / "demo.git", files)
    dialog = page.get_by_role("dialog")

    def clone(name: str, url: str) -> None:
        page.get_by_role("button", name="New Project").first.click()
        dialog.get_by_label("Name", exact=True).fill(name)
        dialog.get_by_label("Start from").select_option(label="Git repository")
        dialog.get_by_label("Address of the repository").fill(url)
        dialog.get_by_role("button", name="Create").click()

    with GitServer(tmp_path) as git:
        clone("cloned", git.url("demo.git"))
        project_id = created(page, "cloned")
        said(page, project_id).get_by_role("button", name="Open").click()
        expect(page.locator(".jp-DirListing-content")).to_contain_text("main.py")
        show_panel(page)
        clone("missing", git.url("none.git"))
        refusal = said(page, "could not be cloned")
        expect(refusal).to_contain_text("not found", timeout=60_000)
    # While it is cloned, what git says of it is shown.
    with GitServer(tmp_path, stall_after=100_000) as git:
        clone("slow", git.url("demo.git"))
        assert git.stuck.wait(60)
        expect(said(page, re.compile("slow: .*objects: +[0-9]+%"))).to_be_visible(timeout=60_000)
        page.screenshot(path=screenshots / "cloning.png")
    expect(refusal).to_have_count(2, timeout=60_000)
    page.screenshot(path=screenshots / "clone-failed.png")
    assert (lab.root / project_id / "repo/main.py").read_text() == "print('hello')\n"

    may_log("502 (Bad Gateway)")


def test_a_project_goes_out_as_a_file_and_comes_in_again(
    lab: Server, panel: Page, tmp_path: Path, may_log: Callable[[str], None]
) -> None:
    page = panel
    project_id = lab.create("travel", description="Goes far")
    data = secrets.token_bytes(4_000_000)
    (lab.root / project_id / "repo/data.bin").write_bytes(data)
    with page.expect_download() as download:
        choose(page, project_id, "Export Project")
    archive = tmp_path / download.value.suggested_filename
    download.value.save_as(archive)
    assert archive.name == f"{project_id}.tar.gz"
    with tarfile.open(archive) as tar:
        assert "repo/data.bin" in tar.getnames()
    expect(said(page, f"{project_id} was exported")).to_be_visible()

    def bring(file: Path) -> None:
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Import Project").first.click()
        chooser.value.set_files(file)

    bring(archive)
    imported = said(page, "was imported")
    expect(imported).to_be_visible(timeout=60_000)
    new_id = imported.inner_text().split()[0]
    expect(row(page, new_id)).to_contain_text("Goes far")
    assert (lab.root / new_id / "repo/data.bin").read_bytes() == data

    # On a slow line it says how far it is, and can be called off.
    line = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", slow)
    bring(archive)
    sending = said(page, re.compile(r"Importing travel.*: \d+ % sent"))
    expect(sending).to_be_visible(timeout=60_000)
    sending.get_by_role("button", name="Cancel").click()
    expect(sending).to_have_count(0)
    line.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    expect(page.get_by_role("row", name="travel")).to_have_count(2)
    assert lab.call("GET", "/api/projects?prefix=travel")["total"] == 2

    archive.write_bytes(archive.read_bytes()[:5000])
    bring(archive)
    expect(said(page, "The archive is refused: it is cut short.")).to_be_visible()
    may_log("400 (Bad Request)")
