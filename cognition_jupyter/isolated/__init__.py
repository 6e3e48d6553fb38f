"""The server part of the isolated profile: no way around the containers on the server itself.

In `jupyter_server_config.py`:

    from cognition_jupyter.isolated import configure
    configure(c)

What it closes, on the server:

- Files. Code in a container can leave symbolic links in its project, and can swap a directory for
  a link at any moment. The contents API, its checkpoints and `/files/` never follow one out of the
  project: they look where a descriptor they hold really leads, before they read or change anything.
  Of a root of projects they show nothing but each project's workspace.
- Other kernels, terminals, language servers, exports that run a program of the host (PDF) or code
  that a notebook names (script), templates of exports beside the user's files, and JupyterLab's
  installation of packages.

What stays open:

- JupyterLab runs JavaScript from outputs of a project that is trusted in its page, with the user's
  rights to this server: it can do what the user can, files of other projects included.
- Other server extensions, and other contents managers. What they do with files is theirs.
- Whether something is there, its size and its times are asked by path: code that swaps directories
  at the right moment can learn that of a file elsewhere, never what it holds.
- With `delete_to_trash`, which `configure` switches off, files are moved to the trash by path: code
  that wins the same race while a user deletes a file chooses which one goes there.
"""

from __future__ import annotations

from typing import Any

from traitlets.config import Config

from .contents import ProjectContentsManager
from .kernelspecs import AllowedKernelSpecs


def configure(c: Config | Any) -> None:
    """Set the profile on a traitlets configuration object."""
    c.ServerApp.terminals_enabled = False
    c.ServerApp.contents_manager_class = ProjectContentsManager
    c.ContentsManager.allow_hidden = False
    # The trash of the server's user is outside the project, and works by path.
    c.FileContentsManager.delete_to_trash = False
    c.ServerApp.kernel_spec_manager_class = AllowedKernelSpecs
    c.KernelSpecManager.allowed_kernelspecs = {"cognition"}
    c.KernelSpecManager.ensure_native_kernel = False
    c.MultiKernelManager.default_kernel_name = "cognition"
    # These run programs of the server (LaTeX, a browser, pandoc) on what a notebook says; the last
    # imports any module that a notebook names.
    for name in ("Latex", "PDF", "WebPDF", "Qt", "RST", "ASCIIDoc", "Script"):
        c[f"{name}Exporter"].enabled = False
    # Templates are programs, and would be looked for where the server was started.
    c.TemplateExporter.extra_template_basedirs = []
    c.LabApp.extension_manager = "readonly"
    # Language servers run on the server and obey configuration files in the folder.
    c.LanguageServerManager.autodetect = False
    c.LanguageServerManager.language_servers = {}
