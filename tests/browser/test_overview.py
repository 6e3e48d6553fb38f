"""The overview of a project and the journals of its sessions, as a person sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from ..kernels.helpers import wait_until
from ..sessions.client import Socket
from ..support.server import Server

CODE = """
print("counting")
for word in ("one", "two"):
    print(word)
from IPython.display import HTML, display
display(HTML("<table><tr><td>a cell</td></tr></table><script>window.hacked = true</script>"))
1 / 0
"""


def open_view(page: Page, command: str, **args: str) -> None:
    """Execute a command of ours, as menus and rows of the panel do."""
    page.evaluate(
        """async ([command, args]) => {
            await window.jupyterapp.restored;
            await window.jupyterapp.commands.execute(command, args);
        }""",
        [f"cognition:open-{command}", args],
    )


def change_theme(page: Page, theme: str) -> None:
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)


def use(lab: Server, project_id: str) -> None:
    """Use a project for real: memory with a history, and a conversation."""
    base = f"/api/projects/{project_id}"
    for size in (400, 9000, 2500):
        plan = f"{base}/memory/memories/hot/plan.md"
        lab.request("PUT", plan, data=b"x" * size).raise_for_status()
        lab.call("POST", f"{base}/snapshots", 201)
    with Socket(lab) as socket:
        session_id = str(socket.create(project_id=project_id)["session_id"])
        socket.run(session_id, "open('a.txt', 'w').write('hello'); print('written')")
        socket.run(session_id, CODE)
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")


def remember(lab: Server, project_id: str) -> None:
    """Give a project two months of use, as its metadata keeps it."""
    path = lab.root / project_id / ".project_metadata.json"
    metadata = json.loads(path.read_text())
    today = datetime.now(timezone.utc).date()
    for ago in range(1, 60):
        if ago % 7 not in (2, 3):
            day = {"sessions": 1 + ago % 4, "seconds": 1800.0 * (1 + ago * 7 % 9), "messages": 3}
            metadata["usage"]["days"][str(today - timedelta(days=ago))] = day
            metadata["statistics"]["total_sessions"] += day["sessions"]
            metadata["statistics"]["total_duration_seconds"] += day["seconds"]
    path.write_text(json.dumps(metadata))


def figure(page: Page, name: str) -> Locator:
    return page.locator(f".jp-CognitionOverview [data-figure={name}]")


def fills(page: Page, name: str) -> set[str]:
    """The colours that a plot is drawn in."""
    svg = figure(page, name).locator("svg")
    expect(svg).to_be_visible(timeout=60_000)
    found: list[str] = svg.evaluate(
        "svg => [...svg.querySelectorAll('path,text')].flatMap("
        "mark => [mark.getAttribute('fill'), mark.getAttribute('stroke')])"
    )
    return {colour for colour in found if colour}


def variable(page: Page, name: str) -> str:
    value: str = page.evaluate(
        "name => getComputedStyle(document.body).getPropertyValue(name).trim()", name
    )
    return value


def test_what_a_project_is_used_for(
    open_lab: Callable[[], Page], lab: Server, axe: Callable[..., None], screenshots: Path
) -> None:
    project_id = lab.create(
        "my-api", description="Payment service, second try", tags=["work", "payments"]
    )
    use(lab, project_id)
    remember(lab, project_id)
    page = open_lab()
    open_view(page, "overview", project_id=project_id)
    overview = page.get_by_role("tabpanel", name=f"Overview of {project_id}")
    expect(overview.get_by_role("heading", name=project_id)).to_be_visible()
    expect(overview.get_by_text("Payment service, second try")).to_be_visible()
    expect(overview.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_text(
        ["work", "payments"]
    )
    expect(overview.get_by_text("No live session")).to_be_visible()
    expect(overview.get_by_text("(in 30 days), unless it is used before")).to_be_visible()

    # Plots in the colours of the theme.
    for name in ("sessions", "time", "disk"):
        assert variable(page, "--jp-brand-color1") in fills(page, name)
    assert variable(page, "--jp-brand-color1") in fills(page, "memory")
    page.screenshot(path=screenshots / "overview.png")
    axe(".jp-CognitionOverview")
    disk = figure(page, "disk")
    disk.get_by_text("As a table").click()
    expect(disk.get_by_role("row", name="Snapshots")).to_contain_text("kB")

    # The project is kept for longer, then for good.
    overview.get_by_role("button", name="Extend…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("spinbutton").fill("12")
    dialog.get_by_role("button", name="Extend").click()
    expect(overview.get_by_text("(in 42 days)")).to_be_visible()
    overview.get_by_role("button", name="Pin", exact=True).click()
    expect(overview.get_by_text("Pinned: it stays until somebody deletes it.")).to_be_visible()
    assert lab.call("GET", f"/api/projects/{project_id}")["pinned"]
    overview.get_by_role("button", name="Unpin").click()
    expect(overview.get_by_text("(in 42 days)")).to_be_visible()

    # A session starts and ends somewhere else.
    row = overview.get_by_role("region", name="Recent sessions").get_by_role("row")
    expect(row).to_have_count(2)
    expect(row.nth(1)).to_contain_text("Somebody asked for it", ignore_case=True)
    session = lab.start_session(project_id)
    expect(overview.get_by_text("1 live session")).to_be_visible()
    expect(row).to_have_count(3)
    expect(row.nth(1)).to_contain_text("Live")
    lab.end_session(session)
    expect(overview.get_by_text("No live session")).to_be_visible()

    change_theme(page, "JupyterLab Dark")
    expect(page.locator("body[data-jp-theme-light=false]")).to_be_attached()
    text = variable(page, "--jp-ui-font-color1")
    for name in ("sessions", "time", "disk", "memory"):
        expect(figure(page, name).locator(f"svg text[fill='{text}']").first).to_be_visible()
    page.screenshot(path=screenshots / "overview-dark.png")
    axe(".jp-CognitionOverview")
    change_theme(page, "JupyterLab Light")

    # It goes to the trash and comes back.
    lab.call("DELETE", f"/api/projects/{project_id}")
    expect(overview.get_by_text("In the trash")).to_be_visible()
    overview.get_by_role("button", name="Restore").click()
    expect(overview.get_by_text("No live session")).to_be_visible()


def test_the_journal_of_a_session_reads_as_a_conversation(
    open_lab: Callable[[], Page], lab: Server, axe: Callable[..., None], screenshots: Path
) -> None:
    project_id = lab.create("talk")
    lab.call("POST", f"/api/projects/{project_id}/trust", json={"trusted": False})
    use(lab, project_id)
    page = open_lab()
    open_view(page, "overview", project_id=project_id)
    page.get_by_role("button", name="Journal of the session of").press("Enter")
    journal = page.get_by_role("tabpanel", name=f"Journal of {project_id}")
    expect(journal.get_by_text("written", exact=True)).to_be_visible()
    expect(journal.locator("pre", has_text="counting\none\ntwo")).to_be_visible()
    expect(journal.get_by_role("cell", name="a cell")).to_be_visible()
    expect(journal.get_by_text("ZeroDivisionError").first).to_be_visible()
    page.wait_for_timeout(500)
    page.screenshot(path=screenshots / "journal.png")
    axe(".jp-CognitionJournal")
    assert page.evaluate("window.hacked") is None
    lab.call("POST", f"/api/projects/{project_id}/trust", json={"trusted": True})
    page.wait_for_function("window.hacked")

    # Lab comes back with what was open.
    workspace = f"{lab.url}/lab/api/workspaces/default"
    wait_until(lambda: "cognition-journal" in lab.http.get(workspace, timeout=10).text)
    page.goto(f"{lab.url}/lab")
    expect(journal.get_by_text("written", exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_role("tab", name=f"Overview of {project_id}")).to_be_visible()


def test_the_journal_of_a_live_session_goes_on(open_lab: Callable[[], Page], lab: Server) -> None:
    project_id = lab.create("live")
    with Socket(lab) as socket:
        session_id = socket.create(project_id=project_id)["session_id"]
        page = open_lab()
        open_view(page, "journal", project_id=project_id, session_id=session_id)
        journal = page.get_by_role("tabpanel", name=f"Journal of {project_id}")
        expect(journal.get_by_text("The session has started.")).to_be_visible()
        # What runs is seen before it has ended, and nobody has to press anything.
        code = "import time\nprint('be', 'gun')\ntime.sleep(1000)"
        socket.send("execute", session_id=session_id, code=code)
        expect(journal.get_by_text("be gun", exact=True)).to_be_visible(timeout=60_000)
        socket.send("cancel", session_id=session_id)
        expect(journal.get_by_text("The turn was cancelled.")).to_be_visible(timeout=60_000)
        clients = f"/api/kernels/{session_id}"
        assert lab.call("GET", clients)["connections"] == 1  # the socket's; no reader counts
        socket.send("close_session", session_id=session_id)
        expect(journal.get_by_text("The session has ended")).to_be_visible(timeout=60_000)


def test_a_long_journal_comes_in_pieces(open_lab: Callable[[], Page], lab: Server) -> None:
    project_id = lab.create("long")
    with Socket(lab) as socket:
        session_id = str(socket.create(project_id=project_id)["session_id"])
        for number in range(104):
            socket.run(session_id, f"print('run', {number})")
        page = open_lab()
        open_view(page, "journal", project_id=project_id, session_id=session_id)
        journal = page.get_by_role("tabpanel", name=f"Journal of {project_id}")
        expect(journal.get_by_text("run 98", exact=True)).to_be_visible()
        expect(journal.get_by_text("run 0", exact=True)).to_be_visible()
        expect(journal.get_by_text("run 99", exact=True)).to_have_count(0)
        journal.get_by_role("button", name="Read on").click()
        expect(journal.get_by_text("run 103", exact=True)).to_be_visible()
        expect(journal.get_by_text("run 0", exact=True)).to_have_count(0)
        expect(journal.get_by_role("button", name="Read on")).to_have_count(0)
        # It goes on where it was read to the end.
        socket.send("close_session", session_id=session_id)
        expect(journal.get_by_text("The session has ended")).to_be_visible()
