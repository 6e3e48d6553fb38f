"""What the package is for, in one sentence."""

from .text import slug

__all__ = ["slug"]
__version__ = "0.1.0"
