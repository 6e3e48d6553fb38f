"""All hostile archives, by name."""

from . import hostile_entries, hostile_wholes
from .hostile import CASES

__all__ = ["CASES", "hostile_entries", "hostile_wholes"]
