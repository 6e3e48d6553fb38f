"""The chat view, as a person uses it: code runs in the session's container, and is seen to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from ..support.server import TOKEN, Server
from .cut import Plug

OPEN_CHAT = """async args => {
    const app = window.jupyterapp;
    await app.restored;
    await app.commands.execute('cognition:open-chat', args);
}"""
DARK = """async () => {
    await window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' });
}"""
# A red square of 8 by 8, drawn by nothing but the standard library.
PICTURE = """
import struct, zlib
from IPython.display import HTML, Image
def part(kind, data):
    body = kind + data
    return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))
head = struct.pack('>IIBBBBB', 8, 8, 8, 2, 0, 0, 0)
dots = zlib.compress((b'\\0' + b'\\xff\\0\\0' * 8) * 8)
Image(b'\\x89PNG\\r\\n\\x1a\\n' + part(b'IHDR', head) + part(b'IDAT', dots) + part(b'IEND', b''))
"""
TABLE = """
rows = '<tr><th>city<th>rain<tr><td>Oslo<td>763'
scripts = '<script>window.ran = 1</script><img hidden src="data:," onerror="window.ran = 2">'
HTML(f'<table>{rows}</table>{scripts}')
"""


def open_chat(page: Page, project_id: str, **args: str) -> None:
    """What the panel's menu does."""
    page.evaluate(OPEN_CHAT, {"project_id": project_id, **args})
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()


def say(page: Page, code: str) -> None:
    """Type a message and send it, with nothing but the keyboard."""
    first, *rest = code.strip("\n").split("\n")
    page.keyboard.type(first)
    for line in rest:
        page.keyboard.press("Shift+Enter")
        page.keyboard.type(line)
    page.keyboard.press("Enter")


def status(page: Page) -> Locator:
    return page.locator(".jp-CognitionChat-status")


def tools(page: Page) -> Locator:
    return page.locator(".jp-CognitionConversation-tool")


AT_END = """(() => {
    const node = document.querySelector('.jp-CognitionChat-scroller');
    return node.scrollHeight - node.clientHeight - node.scrollTop <= 16;
})()"""


def is_at_end(page: Page) -> bool:
    return bool(page.evaluate(AT_END))


def test_code_runs_and_its_outputs_are_seen(
    open_lab: Callable[[], Page], lab: Server, axe: Callable[..., None], screenshots: Path
) -> None:
    """With nothing but the keyboard: stream, picture, table, error, stop, queue, history."""
    project_id = lab.create("my-api")
    lab.call("POST", f"/api/projects/{project_id}/trust", json={"trusted": False})
    page = open_lab()
    open_chat(page, project_id)
    expect(page.get_by_text("Your first message starts a session")).to_be_visible()

    # Output is there while the code still runs: it waits for what is said next.
    say(page, "import os, sys, time\nprint('begin')\nopen('pid', 'w').write('1')\ntime.sleep(1000)")
    expect(tools(page).get_by_text("begin", exact=True)).to_be_visible(timeout=60_000)
    expect(status(page)).to_have_text("Running…")
    say(page, "'never'")
    expect(page.get_by_text("waits for its turn")).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).press("Enter")
    expect(page.get_by_text("The turn was cancelled.")).to_be_visible()
    expect(status(page)).to_have_text("Ready.")
    expect(page.get_by_text("failed: KeyboardInterrupt")).to_be_visible()
    page.get_by_role("button", name="Edit again").press("Enter")
    composer = page.get_by_role("textbox", name="Message")
    expect(composer).to_be_focused()
    expect(composer).to_have_value("'never'")
    composer.fill("")

    say(page, PICTURE)
    picture = tools(page).locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("node => node.naturalWidth") == 8
    say(page, TABLE)
    expect(tools(page).get_by_role("cell", name="Oslo")).to_be_visible()
    say(page, "print('to stderr', file=sys.stderr)\n1/0")
    expect(page.get_by_text("failed: ZeroDivisionError")).to_be_visible()
    expect(tools(page).last).to_contain_text("to stderr")
    expect(status(page)).to_have_text("Ready.")
    # Not trusted: what the project says runs nothing in this page.
    assert page.evaluate("window.ran") is None
    page.wait_for_function(AT_END)
    page.screenshot(path=screenshots / "chat.png")
    axe(".jp-MainAreaWidget:has(.jp-CognitionChat)")

    lab.call("POST", f"/api/projects/{project_id}/trust", json={"trusted": True})
    page.wait_for_function("window.ran !== undefined")

    # History, and a draft that is not lost by looking at it.
    page.keyboard.type("draft")
    page.keyboard.press("ArrowUp")
    expect(composer).to_have_value("print('to stderr', file=sys.stderr)\n1/0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(composer).to_have_value("draft")
    composer.fill("")

    # Who has scrolled away stays there, whatever comes.
    page.locator(".jp-CognitionChat-scroller").press("Home")
    to_end = page.get_by_role("button", name="To the newest")
    expect(to_end).to_be_visible()
    composer.focus()
    say(page, "for i in range(100): print(i)")
    expect(tools(page)).to_have_count(5)
    expect(status(page)).to_have_text("Ready.")
    assert not is_at_end(page)
    to_end.press("Enter")
    expect(to_end).to_have_count(0)
    page.wait_for_function(AT_END)

    # A page that is loaded again shows the same.
    page.reload()
    expect(tools(page)).to_have_count(5, timeout=60_000)
    expect(tools(page).get_by_role("cell", name="Oslo")).to_be_visible()
    expect(status(page)).to_have_text("Ready.")

    # Fold, and end the session.
    summary = tools(page).last.locator("summary")
    summary.press("Enter")
    expect(tools(page).last).to_contain_text("for i in range(100)")
    expect(tools(page).last.locator("pre")).to_have_count(0)
    page.get_by_role("button", name="Shut Down Session").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Shut Down Session").press("Enter")
    expect(page.get_by_text("The session has ended: somebody asked for it.")).to_be_visible()
    sessions = lab.call("GET", f"/api/projects/{project_id}/sessions")["sessions"]
    assert [s["reason"] for s in sessions] == ["client"]


def test_nothing_is_missed_when_the_connection_is_cut(
    page: Page, lab: Server, console_errors: list[str]
) -> None:
    project_id = lab.create("cut")
    with Plug(lab.url) as plug:
        page.goto(f"{plug.url}/lab?token={TOKEN}&reset")
        page.wait_for_selector(".jp-LauncherCard", timeout=60_000)
        open_chat(page, project_id)
        say(page, "import time\nfor i in range(400):\n    print(f'<{i}>')\n    time.sleep(0.02)")
        for number in (20, 150):
            expect(tools(page)).to_contain_text(f"<{number}>", timeout=60_000)
            plug.pull()
            expect(status(page)).not_to_have_attribute("data-state", "live")
            plug.into(lab.url)
        expect(status(page)).to_have_text("Ready.", timeout=60_000)
        expect(tools(page)).to_have_count(1)
        output = tools(page).locator("[data-stream=stdout]")
        assert output.all_inner_texts()[0].split() == [f"<{number}>" for number in range(400)]

        # The server dies while code runs; what it said is there, and files are as they were.
        say(page, "open('kept', 'w').write('yes')\nprint('last words')\ntime.sleep(1000)")
        expect(tools(page).last.get_by_text("last words", exact=True)).to_be_visible()
        lab.kill()
        expect(page.get_by_text("Connection lost.")).to_be_visible()
        plug.into(lab.start().url)
        ended = page.get_by_text("The session has ended: the server was stopped.")
        expect(ended).to_be_visible(timeout=60_000)
        expect(tools(page)).to_have_count(2)
        # Lab says that its server was away, too.
        lost = page.get_by_role("dialog")
        if lost.count():
            lost.get_by_role("button").last.click()
        page.get_by_role("textbox", name="Message").focus()
        say(page, "print(open('kept').read())")
        expect(tools(page).last.get_by_text("yes", exact=True)).to_be_visible(timeout=60_000)
        expect(page.get_by_text("The session has started.")).to_have_count(2)
        page.get_by_role("button", name="Shut Down Session").click()
        page.get_by_role("dialog").get_by_role("button", name="Shut Down Session").click()
        expect(page.get_by_text("The session has ended: somebody asked for it.")).to_be_visible()
    # The browser's own words about what was cut.
    console_errors.clear()


def test_two_browsers_share_a_session_in_the_dark(
    open_lab: Callable[[], Page],
    browser: Browser,
    lab: Server,
    axe: Callable[..., None],
    screenshots: Path,
) -> None:
    project_id = lab.create("shared")
    # Not one of a chat: a notebook's is like that.
    session = lab.start_session(project_id)
    session_id = session["session_id"]
    page = open_lab()
    page.evaluate(DARK)
    open_chat(page, project_id)
    page.get_by_role("button", name=session_id[:8]).press("Enter")
    expect(status(page)).to_have_text("Ready.")
    page.get_by_role("textbox", name="Message").focus()
    say(page, "word = 'from the first'\nprint(word)")
    expect(status(page)).to_have_text("Ready.", timeout=60_000)

    other = browser.new_page()
    other.goto(f"{lab.url}/lab/workspaces/other?token={TOKEN}")
    other.wait_for_selector(".jp-LauncherCard", timeout=60_000)
    open_chat(other, project_id)
    other.get_by_role("button", name=session_id[:8]).press("Enter")
    expect(tools(other).get_by_text("from the first", exact=True)).to_be_visible()
    other.get_by_role("textbox", name="Message").focus()
    say(other, "word.replace('first', 'second')")
    expect(tools(page).get_by_text("from the second")).to_be_visible()
    expect(tools(other).get_by_text("from the second")).to_be_visible()
    other.close()

    say(page, "1/0")
    expect(page.get_by_text("failed: ZeroDivisionError")).to_be_visible()
    expect(status(page)).to_have_text("Ready.")
    page.screenshot(path=screenshots / "chat-dark.png")
    axe(".jp-MainAreaWidget:has(.jp-CognitionChat)")
    say(page, "import os; os._exit(1)")
    expect(page.get_by_text("The kernel was restarted: its kernel crashed.")).to_be_visible(
        timeout=60_000
    )
    say(page, "print('alive again')")
    expect(tools(page).last.get_by_text("alive again", exact=True)).to_be_visible(timeout=60_000)
    lab.end_session(session)
    expect(page.get_by_text("This session has ended.")).to_be_visible()
    page.get_by_role("button", name="Choose another session").press("Enter")
    expect(page.get_by_text("Sessions that have ended")).to_be_visible()
    page.screenshot(path=screenshots / "chat-start.png")
    axe(".jp-MainAreaWidget:has(.jp-CognitionChat)")


def test_a_long_conversation_costs_the_page_little(
    open_lab: Callable[[], Page], lab: Server, screenshots: Path
) -> None:
    """The journal of a session that has ended, with all kinds of events."""
    project_id = lab.create("long")
    session = lab.end_session(lab.start_session(project_id))
    session_id = session["session_id"]
    files = {"files_changed": ["shop.py", "test_shop.py"], "diff_preview": "-old\n+new"}
    told: list[dict[str, object]] = [
        {"event": "user_message", "content": "Write **tests**."},
        {"event": "assistant_message", "content": "First a look *around*", "is_complete": False},
        {"event": "assistant_message", "content": "First a look *around*.", "is_complete": True},
        {"event": "tool_start", "tool": "ls", "input": {"path": "/workspace"}},
        {"event": "tool_output", "tool": "ls", "stream": "stdout", "chunk": "shop.py\n"},
        {"event": "tool_end", "tool": "ls", "exit_code": 0, "artifacts": []},
        {"event": "diff_applied", **files},
        {"event": "tests_finished", "exit_code": 0, "summary": "3 passed in 0.05s"},
        {"event": "done"},
    ]
    head = {"time": "2026-11-24T12:00:00.000000Z", "session_id": session_id}
    lines = [json.dumps({"seq": at + 1, **head, **event}) for at, event in enumerate(told * 200)]
    journal = lab.root / project_id / ".logs" / f"{session_id}.jsonl"
    journal.write_text("\n".join(lines).replace('": ', '":') + "\n")

    page = open_lab()
    open_chat(page, project_id, session_id=session_id)
    entries = page.locator(".jp-CognitionConversation > *")
    expect(page.get_by_text("This session has ended.")).to_be_visible(timeout=60_000)
    expect(entries).to_have_count(101)
    expect(page.get_by_role("article").get_by_text("Write **tests**.").last).to_be_visible()
    expect(page.locator("em", has_text="around").last).to_be_visible()
    expect(page.get_by_text("Tests passed: 3 passed in 0.05s").last).to_be_visible()
    page.get_by_text("2 files changed: shop.py, test_shop.py").last.press("Enter")
    expect(page.get_by_text("+new")).to_be_visible()
    page.locator("summary", has_text="ls").last.press("Enter")
    expect(tools(page).last.get_by_text("shop.py", exact=True)).to_be_visible()
    page.screenshot(path=screenshots / "chat-long.png")
    page.get_by_role("button", name="Show earlier (901 more)").press("Enter")
    expect(entries).to_have_count(201)
