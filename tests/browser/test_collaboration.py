"""Two browsers on one notebook of a project, with jupyter-collaboration installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from ..support.server import TOKEN, Server

REQUIREMENTS = Path(__file__).with_name("collaboration.txt")


@pytest.fixture(scope="session")
def collaboration() -> Path:
    """Where jupyter-collaboration is; kept beside the checkout's other caches."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = f"{REQUIREMENTS.read_text()}{sys.version_info[:2]}"
    name = f"collaboration-{hashlib.sha256(kept.encode()).hexdigest()[:16]}"
    path = cache / "cognition-jupyter" / name
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=path.parent))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", made / "new", "--requirement", REQUIREMENTS], check=True)
        try:
            (made / "new").rename(path)
        except OSError:  # another run was quicker
            assert path.is_dir()
        shutil.rmtree(made)
    return path


@pytest.fixture(scope="module")
def shared_lab(make_server: Callable[..., Server], collaboration: Path) -> Server:
    """JupyterLab whose documents are edited together."""
    environment = {
        "PYTHONPATH": str(collaboration),
        "JUPYTER_PATH": str(collaboration / "share/jupyter"),
        "JUPYTER_CONFIG_PATH": str(collaboration / "etc/jupyter"),
    }
    return make_server(command="lab", environment=environment)


@pytest.fixture
def people(browser: Browser) -> Iterator[list[Page]]:
    """Two browsers that know nothing of each other."""
    contexts = [browser.new_context(viewport={"width": 1280, "height": 800}) for _ in range(2)]
    yield [context.new_page() for context in contexts]
    for context in contexts:
        context.close()


def test_two_browsers_share_a_notebook_and_its_one_kernel(
    shared_lab: Server, people: list[Page], screenshots: Path
) -> None:
    lab = shared_lab
    project_id = lab.create("together")
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    notebook.metadata["kernelspec"] = {"name": "cognition", "display_name": "Project (Python 3)"}
    notebook.cells = [
        nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call]
        for source in ("import os; x = os.getcwd()", "")
    ]
    file = lab.root / project_id / "repo/shared.ipynb"
    nbformat.write(notebook, file)  # type: ignore[no-untyped-call]

    errors: list[str] = []
    for page in people:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{lab.url}/lab/tree/workspaces/{project_id}/repo/shared.ipynb?token={TOKEN}")
        expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(2, timeout=60_000)
        idle = page.get_by_text("Project (Python 3) | Idle")
        expect(idle).to_be_visible(timeout=60_000)
    ada, ben = people
    cells = [page.locator(".jp-Notebook .jp-CodeCell") for page in people]

    # What one runs, and what one types, is on both pages.
    ada.locator(".jp-Notebook .cm-content").first.click()
    ada.keyboard.press("Control+Enter")
    for both in cells:
        expect(both.first.locator(".jp-InputPrompt")).to_have_text("[1]:", timeout=60_000)
    ben.locator(".jp-Notebook .cm-content").nth(1).click()
    ben.keyboard.type("x + ' of both'")
    expect(cells[0].nth(1)).to_contain_text("x + ' of both'")
    ben.keyboard.press("Control+Enter")
    for both in cells:
        expect(both.nth(1).locator(".jp-OutputArea-output")).to_have_text("'/workspace of both'")
    ben.screenshot(path=screenshots / "collaboration.png")

    kernels = lab.call("GET", "/api/kernels")
    sessions = lab.call("GET", f"/api/projects/{project_id}/sessions")["sessions"]
    assert [s["kernel_id"] for s in sessions] == [k["id"] for k in kernels]
    assert len(kernels) == 1
    ada.keyboard.press("Control+s")
    expect(ada.locator(".jp-Notebook")).to_be_visible()
    for _ in range(300):
        if "of both" in file.read_text():
            break
        ada.wait_for_timeout(200)
    saved = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    assert saved.cells[1].source == "x + ' of both'"
    assert errors == []
