"""Persistent projects for Jupyter, and kernels in fresh containers on them."""

from __future__ import annotations

__version__ = "0.1.0"


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    from .app import CognitionApp

    return [{"module": "cognition_jupyter", "app": CognitionApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "cognition-jupyter"}]
