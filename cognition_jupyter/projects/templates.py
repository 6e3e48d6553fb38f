"""Templates: directories of the administrator that new projects are made from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError
from pydantic_core import from_json
from traitlets import Float, Integer, List, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from ..exceptions import Conflict, InvalidInput
from ..models import (
    CreateProject,
    Days,
    NetworkMode,
    Request,
    ShortText,
    Tags,
    Text,
    first_problem,
)
from .files import in_thread, in_tree_thread, read_bounded
from .template_files import TooMuch, Unfit, copy_tree

SHIPPED = Path(__file__).parents[1] / "templates"
DESCRIPTION = "template.json"
FILES = "files"
MAX_DESCRIPTION_BYTES = 64 << 10
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

Command = Annotated[Text, StringConstraints(min_length=1)]


class TemplateDefaults(Request):
    """What a project gets where the request for it says nothing."""

    network_mode: NetworkMode = "OFF"
    container_image: ShortText | None = None
    agent_model: ShortText | None = None
    keep_packages: bool = True
    tags: Tags = Field(default_factory=list)
    description: Text = ""
    cleanup_after_days: Days | None = None


class TemplateDescription(Request):
    """`template.json`."""

    title: ShortText
    description: Text = ""
    defaults: TemplateDefaults = Field(default_factory=TemplateDefaults)
    post_create: Command | None = None


@dataclass(frozen=True)
class Template:
    """A template as it is on disk now; `broken` says why it can't be used."""

    name: str
    directory: Path
    title: str
    description: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)
    post_create: str | None = None
    broken: str | None = None

    def applied(self, request: CreateProject) -> CreateProject:
        """The request with the template's defaults where it says nothing itself."""
        silent = {k: v for k, v in self.defaults.items() if k not in request.model_fields_set}
        return request.model_copy(update=silent)

    @property
    def document(self) -> dict[str, Any]:
        """The template as REST describes it."""
        names = ("name", "title", "description", "defaults", "post_create", "broken")
        return {name: getattr(self, name) for name in names}


class ProjectTemplates(LoggingConfigurable):
    """Finds templates and copies their files into new projects."""

    template_paths = List(
        Unicode(),
        help="Directories whose subdirectories are templates: `{name}/template.json` and "
        "`{name}/files/`. The first that has a name is taken; those that ship with the package "
        "come last. Their post_create commands run in the sessions of new projects.",
    ).tag(config=True)
    post_create_timeout = Float(
        300.0, min=0.1, help="Seconds that a template's post_create command may take."
    ).tag(config=True)
    max_entries = Integer(
        10_000, min=1, help="Files, links and directories that a template may have."
    ).tag(config=True)
    max_bytes = Integer(
        256 << 20, min=0, help="Bytes that the files of a template may have in all."
    ).tag(config=True)

    @validate("template_paths")
    def _valid_paths(self, proposal: dict[str, Any]) -> list[str]:
        paths = [os.path.expanduser(path) for path in proposal["value"]]
        for path in paths:
            # Else whoever chooses where the server starts would choose the templates.
            if not os.path.isabs(path):
                raise TraitError(
                    f"ProjectTemplates.template_paths can't hold {path!r}: each is the absolute "
                    "path of a directory."
                )
        return paths

    @in_thread
    def all(self) -> list[Template]:
        """All templates by name, broken ones included."""
        return self._all()

    @in_thread
    def get(self, name: str) -> Template:
        """The template of that name.

        Raises InvalidInput (`unknown_template`) and Conflict (`template_broken`).
        """
        # Looked up among what is there: a name is never made into a path.
        found = {template.name: template for template in self._all()}
        if name not in found:
            names = ", ".join(name for name, one in found.items() if one.broken is None)
            raise InvalidInput(
                f"There is no template {name[:64]!r}; there are: {names or 'none'}.",
                "unknown_template",
            )
        template = found[name]
        if template.broken is not None:
            raise _broken(name, template.broken)
        return template

    @in_tree_thread
    def copy(self, template: Template, target: Path) -> None:
        """Copy the template's files into the empty directory `target`, where nobody else writes.

        Raises Conflict (`template_broken`), StorageFull; parts can be left then.
        """
        source = template.directory / FILES
        try:
            copy_tree(source, target, self.max_entries, self.max_bytes)
        except TooMuch as error:
            limit = f"{error}; allowed: {self.max_entries} entries, {self.max_bytes} bytes"
            raise _broken(template.name, limit) from None
        except Unfit as error:
            raise _broken(template.name, str(error)) from None

    def _all(self) -> list[Template]:
        found: dict[str, Template] = {}
        for path in (*self.template_paths, str(SHIPPED)):
            place = Path(path)
            for name in self._names(place):
                if name not in found:
                    found[name] = _read(place, name)
        return [found[name] for name in sorted(found)]

    def _names(self, path: Path) -> Iterator[str]:
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if NAME.fullmatch(entry.name) and _may_be_template(entry):
                        yield entry.name
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            why = error.strerror if isinstance(error, OSError) else error
            self.log.warning("Templates in %s can't be listed: %s", path, why)


def _may_be_template(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in circles, or where we may not look
        return True  # it is listed as broken, and hides no other


def _broken(name: str, reason: str) -> Conflict:
    return Conflict(f"The template {name} can't be used: {reason}.", "template_broken")


def _read(path: Path, name: str) -> Template:
    try:
        return _parsed(path / name, name)
    except ValidationError as error:
        reason = f"{DESCRIPTION}: {first_problem(error).rstrip('.')}"
    except OSError as error:
        reason = f"{DESCRIPTION} can't be read: {error.strerror}"
    except ValueError as error:
        reason = f"{DESCRIPTION} can't be read: {str(error)[:200]}"
    return Template(name, path / name, name, broken=reason)


def _parsed(directory: Path, name: str) -> Template:
    if directory.is_symlink():
        raise ValueError("the template is a symbolic link")
    folder = os.open(directory, _OPEN | os.O_NOFOLLOW)
    try:
        text = read_bounded(DESCRIPTION, MAX_DESCRIPTION_BYTES, folder)
    finally:
        os.close(folder)
    said = TemplateDescription.model_validate(from_json(text, allow_inf_nan=False))
    return Template(
        name,
        directory,
        said.title,
        said.description,
        said.defaults.model_dump(exclude_unset=True),
        said.post_create,
    )
