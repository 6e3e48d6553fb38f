"""The memory view, as a person uses it beside code that uses the same memory."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from ..kernels.helpers import wait_until
from ..support.server import Server

OPEN = """async project_id => {
    const app = window.jupyterapp;
    await app.restored;
    await app.commands.execute('cognition:open-memory', { project_id });
}"""
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPj/HwADBwIAMCbHYQAAAABJRU5ErkJggg=="
)


def open_memory(page: Page, project_id: str) -> Locator:
    page.evaluate(OPEN, project_id)
    view = page.locator(".jp-CognitionMemory")
    expect(view.get_by_role("treeitem", name="/workspace/")).to_be_visible(timeout=60_000)
    return view


def put(lab: Server, project_id: str, path: str, data: bytes) -> None:
    answer = lab.request("PUT", f"/api/projects/{project_id}/memory{path}", data=data)
    assert answer.ok, answer.text


def text_of(lab: Server, project_id: str, path: str) -> str:
    return lab.request("GET", f"/api/projects/{project_id}/memory{path}").text


BESIDE = """async directory => {
    const app = window.jupyterapp;
    app.shell.collapseLeft();
    const options = { cwd: directory, kernelName: 'cognition' };
    const panel = await app.commands.execute('notebook:create-new', options);
    app.shell.add(panel, 'main', { mode: 'split-right' });
}"""
THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
REMEMBER = """from pathlib import Path
hot = Path("/memories/hot")
(hot / "plans").mkdir()
(hot / "plans/today.md").write_text("# Today\\n\\n- write a client\\n- test it\\n")
(hot / "facts.json").write_text('{"retries": 3}')
Path("/tmp/scratch.txt").write_text("mine")"""


def run_cell(page: Page, code: str) -> Locator:
    """Run code in the last cell of the notebook; the cell."""
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    at = cells.count() - 1
    cells.nth(at).locator(".cm-content").click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    return cells.nth(at)


def test_what_a_notebook_remembers_is_seen_edited_compared_and_restored(
    open_lab: Callable[[], Page],
    lab: Server,
    axe: Callable[..., None],
    screenshots: Path,
    console_errors: list[str],
) -> None:
    project_id = lab.create("my-api", description="Payment service")
    page = open_lab()
    page.set_viewport_size({"width": 1400, "height": 800})
    view = open_memory(page, project_id)
    view.get_by_role("treeitem", name="/memories/hot/").click()
    expect(view.get_by_role("treeitem", name="Empty")).to_be_visible()
    view.get_by_role("treeitem", name="/tmp/").click()
    expect(view.get_by_role("treeitem", name="none is live")).to_be_visible()

    # What a cell writes is there when it has run, its session's private memory too.
    page.evaluate(BESIDE, f"workspaces/{project_id}/repo")
    expect(page.get_by_text("Project (Python 3) | Idle")).to_be_visible(timeout=60_000)
    run_cell(page, REMEMBER)
    plans = view.get_by_role("treeitem", name="plans")
    expect(plans).to_be_visible(timeout=60_000)
    expect(view.get_by_role("treeitem", name="scratch.txt")).to_be_visible()
    plans.click()
    view.get_by_role("treeitem", name="today.md").click()
    editor = view.get_by_role("textbox", name="Text of today.md")
    expect(editor).to_contain_text("write a client")

    # What is saved here is there for the next cell.
    snapshot = view.get_by_role("button", name="Take a snapshot now")
    snapshot.click()
    expect(page.get_by_text("Snapshot 1 was taken.")).to_be_visible()
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("- release it")
    expect(view.get_by_role("img", name="Not saved")).to_be_visible()
    expect(page.locator(".lm-TabBar-tab.jp-mod-dirty", has_text="Memory")).to_have_count(1)
    page.keyboard.press("Control+s")
    expect(view.get_by_role("img", name="Not saved")).to_be_hidden()
    cell = run_cell(page, "print((hot / 'plans/today.md').read_text())")
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text("- release it")

    # The history, and the way back and forth.
    snapshot.click()
    view.get_by_role("button", name=re.compile("No. 2")).click()
    expect(view.locator("pre")).to_contain_text("+- release it")
    expect(view.get_by_role("combobox", name="From snapshot")).to_have_value("1")
    expect(page.locator(".Toastify__toast")).to_have_count(0, timeout=60_000)
    axe(".jp-CognitionMemory")
    page.screenshot(path=screenshots / "memory.png")
    page.evaluate(THEME, "JupyterLab Dark")
    page.wait_for_timeout(1000)
    axe(".jp-CognitionMemory")
    page.screenshot(path=screenshots / "memory-dark.png")
    view.get_by_role("treeitem", name="today.md").click()
    axe(".jp-CognitionMemory")
    page.screenshot(path=screenshots / "memory-file-dark.png")
    page.evaluate(THEME, "JupyterLab Light")
    view.get_by_role("button", name="Restore snapshot 1").click()
    expect(page.get_by_text("Hot memory is that of snapshot 1 again.")).to_be_visible()
    expect(editor).not_to_contain_text("release it")
    cell = run_cell(page, "print((hot / 'plans/today.md').read_text())")
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text("- test it")
    expect(cell.locator(".jp-OutputArea-output")).not_to_contain_text("- release it")
    page.get_by_role("button", name="Undo").click()
    expect(editor).to_contain_text("release it", timeout=60_000)
    assert "release it" in text_of(lab, project_id, "/memories/hot/plans/today.md")


DROP = """(row) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['dropped'], 'dropped.txt'));
    for (const type of ['dragenter', 'dragover', 'drop']) {
        row.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    }
}"""


def test_files_are_made_uploaded_saved_and_deleted_and_nobody_is_overwritten_unasked(
    open_lab: Callable[[], Page],
    lab: Server,
    axe: Callable[..., None],
    screenshots: Path,
    console_errors: list[str],
    tmp_path: Path,
) -> None:
    project_id = lab.create("notes")
    hot = "/memories/hot"
    put(lab, project_id, f"{hot}/pixel.png", PIXEL)
    put(lab, project_id, f"{hot}/data.bin", b"\xff\x00" * 100)
    put(lab, project_id, f"{hot}/a%E2%80%AEgnp.html", b"<script>document.title = 'run'</script>")
    page = open_lab()
    view = open_memory(page, project_id)

    # By keyboard alone: the tree has the focus, its arrows move it.
    expect(view.get_by_role("treeitem", name=f"{hot}/")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(view.get_by_role("treeitem", name="data.bin")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(view.get_by_role("treeitem", name="a\\u202egnp.html")).to_be_focused()
    page.keyboard.press("Enter")
    expect(view.get_by_role("textbox")).to_contain_text("<script>document.title")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(view.get_by_text("This is no text.")).to_be_visible()
    with page.expect_download() as download:
        view.get_by_role("button", name="Download", exact=True).press("Enter")
    assert Path(download.value.path()).read_bytes() == b"\xff\x00" * 100
    view.get_by_role("treeitem", name="pixel.png").press("Enter")
    image = view.get_by_role("img", name="pixel.png")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.naturalWidth") == 1

    # A new file, by its path; the directory that it needs is made.
    view.get_by_role("button", name="New file").press("Enter")
    page.get_by_role("textbox", name="Name").fill("../up")
    page.keyboard.press("Enter")
    expect(page.get_by_text('"../up" is no name for a file.')).to_be_visible()
    view.get_by_role("button", name="New file").press("Enter")
    page.get_by_role("textbox", name="Name").fill("plans/100%.md")
    page.keyboard.press("Enter")
    editor = view.get_by_role("textbox", name="Text of 100%.md")
    editor.focus()
    page.keyboard.type("mine")
    page.keyboard.press("Control+s")
    expect(view.get_by_role("img", name="Not saved")).to_be_hidden()
    plan = f"{hot}/plans/100%25.md"
    assert text_of(lab, project_id, plan) == "mine"

    # Somebody else was quicker.
    page.keyboard.type(" too")
    put(lab, project_id, plan, b"theirs")
    page.keyboard.press("Control+s")
    expect(view.get_by_role("alert")).to_contain_text("The file was changed")
    axe(".jp-CognitionMemory")
    page.screenshot(path=screenshots / "memory-conflict.png")
    assert text_of(lab, project_id, plan) == "theirs"
    view.get_by_role("button", name="Overwrite with mine").click()
    expect(view.get_by_role("alert")).to_be_hidden()
    assert text_of(lab, project_id, plan) == "mine too"
    editor.focus()
    page.keyboard.type("!")
    put(lab, project_id, plan, b"theirs again")
    page.keyboard.press("Control+s")
    view.get_by_role("button", name="Reload, and lose my changes").click()
    expect(editor).to_have_text("theirs again")

    # Changes that are not saved are not lost by going elsewhere.
    editor.focus()
    page.keyboard.type("? ")
    view.get_by_role("treeitem", name="pixel.png").click()
    page.get_by_role("button", name="Cancel").click()
    expect(editor).to_contain_text("? ")
    page.locator(".lm-TabBar-tab.jp-mod-dirty .lm-TabBar-tabCloseIcon").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.keyboard.press("Control+s")
    expect(view.get_by_role("img", name="Not saved")).to_be_hidden()

    # Uploads, with the button and dropped; what is there is not overwritten unasked.
    (tmp_path / "data.bin").write_bytes(b"new")
    (tmp_path / "new.txt").write_bytes(b"new")
    view.get_by_role("treeitem", name="pixel.png").focus()
    with page.expect_file_chooser() as chooser:
        view.get_by_role("button", name="Upload files").click()
    chooser.value.set_files([tmp_path / "data.bin", tmp_path / "new.txt"])
    page.get_by_role("dialog").get_by_role("button", name="Skip").click()
    expect(view.get_by_role("treeitem", name="new.txt")).to_be_visible()
    assert text_of(lab, project_id, f"{hot}/new.txt") == "new"
    assert lab.request("GET", f"/api/projects/{project_id}/memory{hot}/data.bin").content[0] == 255
    view.get_by_role("treeitem", name="plans").evaluate(DROP)
    expect(view.get_by_role("treeitem", name="dropped.txt")).to_be_visible()
    assert text_of(lab, project_id, f"{hot}/plans/dropped.txt") == "dropped"

    # Deleted after a question; the focus goes on from the directory.
    view.get_by_role("treeitem", name="plans").focus()
    page.keyboard.press("Delete")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(view.get_by_role("treeitem", name="plans")).to_be_focused()
    page.keyboard.press("Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(view.get_by_role("treeitem", name="plans")).to_be_hidden()
    expect(view.get_by_role("treeitem", name=f"{hot}/")).to_be_focused()

    # The layout is restored with the page.
    # Lab writes its layout down a second after a change.
    workspace = f"{lab.url}/lab/api/workspaces/default"
    wait_until(lambda: "cognition-memory" in lab.http.get(workspace, timeout=10).text)
    page.goto(page.url.partition("?")[0])
    view = page.locator(".jp-CognitionMemory")
    expect(view.get_by_role("treeitem", name=f"{hot}/")).to_be_visible(timeout=60_000)
    console_errors[:] = [text for text in console_errors if "status of 412" not in text]


def test_in_a_narrow_view_the_file_is_below_the_tree(
    open_lab: Callable[[], Page], lab: Server, screenshots: Path
) -> None:
    project_id = lab.create("narrow", description="Beside a notebook")
    page = open_lab()
    page.evaluate("window.jupyterapp.shell.collapseLeft()")
    view = open_memory(page, project_id)
    tree = view.get_by_role("region", name="Files")
    stage = view.locator(".jp-CognitionMemory-stage")

    def edges() -> tuple[float, float, float, float]:
        """Where the tree ends to the right and below, and where the stage begins."""
        first, second = tree.bounding_box(), stage.bounding_box()
        assert first is not None
        assert second is not None
        return (
            first["x"] + first["width"],
            first["y"] + first["height"],
            second["x"],
            second["y"],
        )

    right, _, left, _ = edges()
    assert right <= left
    page.set_viewport_size({"width": 480, "height": 800})
    wait_until(lambda: edges()[1] <= edges()[3])
    assert edges()[0] < 480
    size = view.get_by_role("treeitem", name="/memories/persistent/").get_by_title(
        "0 files, 0 bytes"
    )
    assert size.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    page.screenshot(path=screenshots / "memory-narrow.png")
    page.set_viewport_size({"width": 1280, "height": 800})
    wait_until(lambda: edges()[0] <= edges()[2])
