"""The administrator's policy: what projects may ask for. Never read from a project's files."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from traitlets import Dict, Enum, Integer, List, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from .. import __version__
from ..exceptions import Forbidden
from ..models import NetworkMode, ProjectConfig
from ..runtimes import base
from ..runtimes.base import Mount, Runtime

DEFAULT_IMAGE = f"cognition-jupyter-session:{__version__}"


class SessionPolicy(LoggingConfigurable):
    """Limits, images, network modes and environment of sessions."""

    max_sessions = Integer(
        32, min=0, help="Sessions of this root that may live at once; 0 for no limit."
    ).tag(config=True)
    max_sessions_per_project = Integer(
        8, min=0, help="Sessions of one project that may live at once; 0 for no limit."
    ).tag(config=True)
    allowed_network_modes = List(
        Enum(["OFF", "ON"]), ["OFF", "ON"], help="Network modes that sessions may have."
    ).tag(config=True)
    image = Unicode(
        DEFAULT_IMAGE, help="Image of the sessions whose project names none. Always allowed."
    ).tag(config=True)
    allowed_images = List(
        Unicode(),
        help="Images that projects may name, as shell patterns (`registry.example.org/lab/*`).",
    ).tag(config=True)
    environment = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="Environment variables for every session. Nothing else of the server's environment "
        "reaches a container.",
    ).tag(config=True)

    @validate("image")
    def _valid_image(self, proposal: dict[str, Any]) -> Any:
        if not proposal["value"].strip():
            raise TraitError("SessionPolicy.image must name an image.")
        return proposal["value"]

    def check(self, config: ProjectConfig) -> None:
        """Raise Forbidden when a project asks for what is not allowed."""
        self.network_mode(config, None)
        self.image_of(config)

    def network_mode(self, config: ProjectConfig, asked: NetworkMode | None) -> NetworkMode:
        """The network mode of a session: as asked, else the project's own. Raises Forbidden."""
        mode = asked or config.network_mode
        if mode not in self.allowed_network_modes:
            raise Forbidden(
                f"network_mode {mode} is not allowed here; allowed: "
                f"{', '.join(self.allowed_network_modes) or 'none'}.",
                "network_not_allowed",
            )
        return mode

    def image_of(self, config: ProjectConfig) -> str:
        """The image of the project's sessions. Raises Forbidden."""
        image = config.container_image or self.image
        patterns = [self.image, *self.allowed_images]
        if image != self.image and not any(fnmatchcase(image, p) for p in patterns):
            raise Forbidden(
                f"The image {image} is not allowed here; allowed: {', '.join(patterns)}.",
                "image_not_allowed",
            )
        return image

    def check_runtime(self, runtime: Runtime, config: ProjectConfig) -> None:
        """Raise Forbidden when the project names an image and the runtime has none."""
        if config.container_image and not runtime.guarantees.images:
            raise Forbidden(
                f"The project asks for the image {config.container_image}, and the runtime "
                f"{runtime.name} has no images; use docker or take the image out of the project.",
                "images_unavailable",
            )

    def environment_of(self, runtime: Runtime, mounts: tuple[Mount, ...]) -> dict[str, str]:
        """The whole environment of a session."""

        def inside(path: str) -> str:
            return runtime.inside(path, mounts)

        common = {
            "HOME": inside(f"{base.TMP}/home"),
            "IPYTHONDIR": inside(f"{base.TMP}/home/.ipython"),
            "MPLCONFIGDIR": inside(f"{base.TMP}/home/.config/matplotlib"),
            "USER": "cognition",
            "LANG": "C.UTF-8",
            "PATH": f"{base.DEPS}/bin:/usr/local/bin:/usr/bin:/bin",
            "COGNITION_WORKSPACE": inside(base.WORKSPACE),
            "COGNITION_HOT_MEMORY": inside(base.HOT),
            "COGNITION_PERSISTENT_MEMORY": inside(base.PERSISTENT),
        }
        if runtime.guarantees.isolated:
            common |= {
                "PYTHONUSERBASE": base.DEPS,
                "PIP_USER": "1",
                "PIP_BREAK_SYSTEM_PACKAGES": "1",
                "PIP_CACHE_DIR": f"{base.DEPS}/.cache/pip",
            }
        return common | runtime.environment | self.environment
