"""Pages that are made from the code: the directive `{generated} NAME`.

What is generated can't be forgotten: a new trait, route, event or command is in the reference with
the next build, and tests/docs hold the built pages to the code.
"""

from __future__ import annotations

from collections.abc import Callable

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from .commands import commands
from .events import events
from .rest import operations, schemas
from .traits import traits, variables

#: Each gives a page's part as Markdown.
GENERATORS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "events": events,
    "operations": operations,
    "schemas": schemas,
    "traits": traits,
    "variables": variables,
}


class Generated(SphinxDirective):
    """What the generator of that name writes, as if it stood on the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Called by docutils where the directive stands."""
        self.env.note_reread()  # the code may have changed, where the page has not
        text = GENERATORS[self.arguments[0]]()
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Called by Sphinx."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
