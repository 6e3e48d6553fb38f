"""Scripts in outputs run only in projects that the user trusts: in a real browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat.v4
import pytest
from playwright.sync_api import Page, expect

from ..support.server import Server

#: Says that it has run.
SCRIPT = "window.tell('{0}')"
OPEN = "path => { void window.jupyterapp.commands.execute('docmanager:open', { path }); }"
READY = """start => {
    const session = window.jupyterapp.shell.currentWidget?.sessionContext?.session;
    return session?.path.startsWith(start) && session.kernel?.status === 'idle';
}"""
INJECT = "code => { void window.jupyterapp.shell.currentWidget.console.inject(code); }"
KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
WIDGETS = "window.jupyterapp.shell.currentWidget.context.model.getMetadata('widgets')"
RUN = "([id, args]) => { void window.jupyterapp.commands.execute(id, args ?? {}); }"


def html(mark: str) -> str:
    """All the ways that HTML has to run something."""
    script = SCRIPT.format(mark)
    image = SCRIPT.format(f"{mark} image").replace('"', "&quot;")
    return f'<b>{mark} html</b><script>{script}</script><img src="data:," onerror="{image}">'


def saved(bundle: dict[str, Any], source: str = "", **metadata: Any) -> Any:
    """A cell that looks as if it had been run."""
    output = nbformat.v4.new_output("display_data", data=bundle, metadata=metadata)
    return nbformat.v4.new_code_cell(source, outputs=[output], execution_count=1)


def svg(mark: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
        f"<script>{SCRIPT.format(mark)}</script></svg>"
    )


#: A plot whose window for its source has a script.
PLOT = {
    "data": {"values": [{"a": 1}]},
    "mark": "bar",
    "encoding": {"x": {"field": "a", "type": "quantitative"}},
    "usermeta": {"embedOptions": {"sourceHeader": "<script>opener.tell('plot')</script>"}},
}
#: HTML that is sanitised can still name a command of Lab.
LINK = '<button data-commandlinker-command="apputils:change-theme">a link</button>'


def live(kind: str, data: str) -> str:
    """Code that puts out such data."""
    return f"from IPython.display import display\ndisplay({{{kind!r}: {data!r}}}, raw=True)"


SAVED = [
    nbformat.v4.new_markdown_cell("# Results\n" + html("markdown")),
    saved({"text/html": html("saved"), "text/plain": "plain"}, "table"),
    saved({"text/html": html("isolated")}, isolated=True),
    saved({"application/javascript": SCRIPT.format("saved js"), "text/plain": "instead"}),
    saved({"image/svg+xml": svg("saved svg"), "text/plain": "instead"}),
    saved({"application/vnd.vegalite.v5+json": PLOT, "text/plain": "instead of a plot"}),
    saved({"text/html": LINK}),
]
LIVE = [
    nbformat.v4.new_code_cell(live("text/html", html("live"))),
    nbformat.v4.new_code_cell(live("application/javascript", SCRIPT.format("live js"))),
    nbformat.v4.new_code_cell("print('the last cell')"),
]


def notebook(cells: list[Any]) -> str:
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata.kernelspec = {"name": "cognition", "display_name": "Project (Python 3)"}
    made.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    return str(nbformat.writes(made))


@pytest.fixture
def foreign(lab: Server) -> str:
    """A project that came as an archive."""
    project_id = lab.create("theirs")
    repo = lab.root / project_id / "repo"
    (repo / "saved.ipynb").write_text(notebook(SAVED))
    (repo / "live.ipynb").write_text(notebook(LIVE))
    (repo / "page.html").write_text(f"<!DOCTYPE html><body>a page{html('page')}</body>")
    (repo / "plot.vl.json").write_text(json.dumps(PLOT))
    archive = lab.request("GET", f"/api/projects/{project_id}/archive").content
    made = lab.call("POST", "/api/projects/import", 201, data=archive)
    assert made["trusted"] is False
    return str(made["project_id"])


@pytest.fixture
def ran(page: Page) -> set[str]:
    """What has run, in the page or in any frame of it, whether that is still there or not."""
    marks: set[str] = set()
    page.expose_function("tell", lambda mark: marks.add(mark))
    return marks


def run(page: Page, command: str, **args: Any) -> None:
    page.evaluate(RUN, [command, args])


def wait_for_marks(page: Page, ran: set[str], marks: set[str]) -> None:
    deadline = time.monotonic() + 60
    while not marks <= ran:
        assert time.monotonic() < deadline, ran
        page.wait_for_timeout(100)


def test_scripts_wait_for_the_user_s_trust(
    open_lab: Callable[[], Page],
    lab: Server,
    foreign: str,
    ran: set[str],
    screenshots: Path,
    axe: Callable[..., None],
    console_errors: list[str],
) -> None:
    page = open_lab()
    folder = f"workspaces/{foreign}/repo"

    # What was saved in a notebook.
    page.evaluate(OPEN, f"{folder}/saved.ipynb")
    outputs = page.locator(".jp-NotebookPanel .jp-OutputArea-output")
    expect(outputs.filter(has_text="saved html")).to_be_visible(timeout=60_000)
    banner = page.get_by_role("status").filter(has_text=f"{foreign} is not trusted")
    expect(banner).to_be_visible()
    expect(page.get_by_text("markdown html", exact=True)).to_be_visible()
    page.wait_for_function(READY, arg=f"{folder}/saved.ipynb", timeout=60_000)
    expect(outputs.filter(has_text="instead of a plot")).to_be_visible()
    page.get_by_role("button", name="a link").click()
    page.wait_for_timeout(500)
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    assert page.evaluate(WIDGETS) is None
    page.screenshot(path=screenshots / "untrusted.png")
    axe(".jp-CognitionUntrusted")
    assert ran == set()

    # What code puts out, and what Lab's own trust says of it.
    page.evaluate(OPEN, f"{folder}/live.ipynb")
    page.wait_for_function(READY, arg=f"{folder}/live.ipynb", timeout=60_000)
    run(page, "notebook:run-all-cells")
    expect(page.get_by_text("the last cell", exact=True)).to_be_visible(timeout=60_000)
    expect(outputs.filter(has_text="live html")).to_be_visible()
    run(page, "notebook:trust")
    page.locator(".jp-Dialog").get_by_role("button", name="Trust").click()
    page.wait_for_timeout(500)
    assert ran == set()

    # The same in a console, and a page that is shown.
    run(page, "console:create", basePath=folder, kernelPreference={"name": "cognition"})
    page.wait_for_function(READY, arg=f"{folder}/console", timeout=60_000)
    page.evaluate(INJECT, live("text/html", html("console")))
    said = page.locator(".jp-CodeConsole .jp-OutputArea-output b")
    expect(said).to_be_visible(timeout=60_000)

    # Elsewhere, on the project's kernel.
    kernel = page.evaluate(KERNEL)
    run(page, "console:create", basePath="", kernelPreference={"id": kernel})
    page.wait_for_function(READY, arg="console", timeout=60_000)
    page.evaluate(INJECT, live("text/html", html("elsewhere")))
    expect(said.filter(has_text="elsewhere")).to_be_visible(timeout=60_000)
    assert ran == set()

    # A viewer that takes its renderer from a factory.
    page.evaluate(OPEN, f"{folder}/plot.vl.json")
    expect(page.get_by_text("Not shown: the project is not trusted.")).to_be_visible(timeout=60_000)
    expect(page.locator(".vega-embed")).to_have_count(0)

    page.evaluate(OPEN, f"{folder}/page.html")
    expect(page.frame_locator("iframe.jp-zoom-target").get_by_text("a page")).to_be_visible(
        timeout=60_000
    )
    page.get_by_role("button", name="Trust HTML").click()
    page.screenshot(path=screenshots / "trust-dialog.png")
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text(f"Trust the project {foreign}?")
    axe(".jp-Dialog")
    dialog.get_by_role("button", name="Cancel").click()
    page.wait_for_timeout(500)
    assert ran == set()
    assert lab.call("GET", f"/api/projects/{foreign}")["trusted"] is False

    # The user trusts the project: what is shown already runs, without anything to be run again.
    page.get_by_role("button", name="Trust Project…").click()
    dialog.get_by_role("button", name="Trust Project").click()
    shown = {"saved", "saved js", "isolated image", "live", "live js", "console", "elsewhere"}
    wait_for_marks(page, ran, shown)
    expect(page.get_by_text("is not trusted")).to_have_count(0)
    expect(page.locator(".jp-MimeDocument .vega-embed")).to_have_count(1)
    assert lab.call("GET", f"/api/projects/{foreign}")["trusted"] is True
    page.get_by_role("button", name="Trust HTML").click()
    wait_for_marks(page, ran, {"page image"})

    # And after the page is loaded again, from what was saved.
    page = open_lab()
    ran.clear()
    page.evaluate(OPEN, f"{folder}/saved.ipynb")
    wait_for_marks(page, ran, {"saved", "saved js"})
    page.wait_for_function(f"{WIDGETS} != null")

    # What the browser says of the page that was shown without its scripts.
    console_errors[:] = [text for text in console_errors if "is sandboxed" not in text]
