"""`python -m cognition_jupyter.cli`."""

from . import main

main()
