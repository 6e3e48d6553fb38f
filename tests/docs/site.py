"""Built pages, read back."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from bs4 import BeautifulSoup, Tag


class Page:
    """A page as HTML."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._soup = BeautifulSoup(path.read_text(), "html.parser")

    @cached_property
    def article(self) -> Tag:
        """What the page itself says, without navigation."""
        found = self._soup.find("article")
        assert isinstance(found, Tag), self.path
        return found

    @cached_property
    def ids(self) -> set[str]:
        """What a link may lead to."""
        return {str(tag["id"]) for tag in self._soup.find_all(id=True)}

    @property
    def links(self) -> list[str]:
        """All links and images."""
        found = [tag.get("href") or tag.get("src") for tag in self._soup.find_all(["a", "img"])]
        return [str(link) for link in found if link]

    def loaded(self) -> list[str]:
        """What a browser fetches to show the page."""
        tags = self._soup.find_all(["img", "script", "link"])
        found = [tag.get("src") or tag.get("href") for tag in tags]
        return [str(address) for address in found if address]

    def headings(self) -> list[str]:
        """Texts of the headings."""
        tags = self.article.find_all(["h1", "h2", "h3", "h4"])
        return [tag.get_text().removesuffix("¶").strip() for tag in tags]

    def terms(self) -> dict[str, str]:
        """Terms of definition lists, and what is said of each."""
        return {
            tag.get_text().strip(): tag.find_next_sibling("dd").get_text(" ", strip=True)
            for tag in self.article.find_all("dt")
        }

    def section(self, name: str) -> Tag:
        """The section with that id."""
        found = self.article.find(id=name)
        assert isinstance(found, Tag), f"{self.path.name} has no section {name}"
        return found if found.name == "section" else found.find_parent("section") or found


class Site:
    """The directory of all pages."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def page(self, name: str) -> Page:
        """The page made from `docs/{name}.md`."""
        return Page(self.directory / f"{name}.html")

    def pages(self) -> list[Page]:
        """All of them, generated ones included."""
        return [Page(path) for path in sorted(self.directory.glob("*.html"))]


def rows(section: Tag) -> list[list[str]]:
    """The cells of the section's tables, those of sections in it included."""
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["td", "th"])]
        for row in section.find_all("tr")
    ]
