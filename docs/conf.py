"""How Sphinx builds these pages: `make docs`."""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import cognition_jupyter

# A part of JupyterHub, whose settings are in the reference, would tell of its plugins.
logging.getLogger("alembic").setLevel(logging.WARNING)

project = "Cognition for Jupyter"
author = "The Cognition for Jupyter developers"
release = version = cognition_jupyter.__version__

extensions = ["myst_parser", "generated"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3  # as GitHub makes them, so that links work in both places
exclude_patterns = ["_build"]
nitpicky = True
smartquotes = False  # they would make dashes of the two hyphens before an option
highlight_language = "text"  # of blocks that name none

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_copyright = False
