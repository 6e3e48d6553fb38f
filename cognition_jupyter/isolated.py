"""The server part of the isolated profile: no way around the containers on the server itself.

In `jupyter_server_config.py`:

    from cognition_jupyter.isolated import configure
    configure(c)
"""

from __future__ import annotations

import os
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError
from traitlets.config import Config

from .kernels.launcher import REPO_DIRECTORY
from .projects.naming import is_project_id


class ProjectContentsManager(AsyncLargeFileManager):
    """Contents without a way from one project's files into another's, or out of it.

    Code in a container can leave symbolic links in its project; this refuses every path that
    leads, through a link or `..`, anywhere but where it says.
    """

    def _get_os_path(self, path: str) -> str:
        plain = super()._get_os_path(path)  # type: ignore[no-untyped-call]
        root = os.path.realpath(self.root_dir)
        real = os.path.realpath(plain)
        if real != root and not real.startswith(root + os.sep):
            raise HTTPError(403, f"{path} leads out of the server's directory.")
        asked = os.path.join(root, path.strip("/"))
        if _project_of(asked) != _project_of(real):
            raise HTTPError(403, f"{path} leads out of its project.")
        return str(plain)


def _project_of(path: str) -> str | None:
    """The outermost project's `repo/` that a path lies in, or None."""
    parts = path.split(os.sep)
    for index in range(1, len(parts)):
        if parts[index] == REPO_DIRECTORY and is_project_id(parts[index - 1]):
            return os.sep.join(parts[: index + 1])
    return None


def configure(c: Config | Any) -> None:
    """Set the profile on a traitlets configuration object."""
    c.ServerApp.terminals_enabled = False
    c.ServerApp.contents_manager_class = ProjectContentsManager
    c.KernelSpecManager.allowed_kernelspecs = {"cognition"}
    c.KernelSpecManager.ensure_native_kernel = False
    c.MultiKernelManager.default_kernel_name = "cognition"
