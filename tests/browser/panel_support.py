"""What the tests of the panel do in it."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect


def show_panel(page: Page) -> Page:
    page.get_by_role("tab", name="Projects").click()
    expect(page.get_by_role("search")).to_be_visible()
    return page


def row(page: Page, project_id: str) -> Locator:
    return page.get_by_role("row", name=project_id)


def act(page: Page, project_id: str, action: str) -> None:
    """Click one of the buttons that come when the pointer is over a row."""
    row(page, project_id).hover()
    row(page, project_id).get_by_role("button", name=action).click()


def choose(page: Page, project_id: str, item: str) -> None:
    """Choose from the menu of a row."""
    row(page, project_id).click(button="right")
    page.get_by_role("menuitem", name=item, exact=True).click()


def said(page: Page, text: str | re.Pattern[str]) -> Locator:
    """A notification."""
    return page.get_by_role("alert").filter(has_text=text)


def created(page: Page, prefix: str) -> str:
    """Wait for the notification that a project was created; its id."""
    notification = said(page, re.compile(rf"^{prefix}-[0-9a-f]{{8}} was created"))
    expect(notification).to_be_visible(timeout=60_000)
    return notification.inner_text().split()[0]
