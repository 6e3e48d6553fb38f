"""Every trait of the configuration, from the classes that have them."""

from __future__ import annotations

import math
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from types import ModuleType
from typing import Any

from traitlets import TraitType
from traitlets.config import Configurable

import cognition_jupyter

from .markdown import code, one_line, table

_VARIABLE = re.compile(r"[Dd]efault from ([A-Z_]+)")
#: They have the options of commands, which the page of the commands tells.
_COMMANDS = "cognition_jupyter.cli"
_NOT_OURS = (".templates.", ".__main__")


def configurables() -> list[type[Configurable]]:
    """The package's classes with traits of their own that can be configured, by name."""
    found = set()
    for module in _modules():
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, Configurable)
                and value.__module__.startswith("cognition_jupyter")
                and value.class_own_traits(config=True)
            ):
                found.add(value)
    return sorted(found, key=lambda one: one.__name__)


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(cognition_jupyter.__path__, "cognition_jupyter."):
        if any(part in f"{found.name}." for part in _NOT_OURS):
            continue
        try:
            yield import_module(found.name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("cognition_jupyter"):
                raise
            # An extra that is not installed, as `agent` on Python 3.10; its settings need none.


def traits() -> str:
    """A section for each class but those of commands."""
    return "\n".join(
        _section(one) for one in configurables() if not one.__module__.startswith(_COMMANDS)
    )


def variables() -> str:
    """The environment variables that traits take their defaults from."""
    return table(("variable", "default of"), sorted(_variables()))


def _variables() -> Iterator[tuple[str, str]]:
    for one in configurables():
        for name, trait in one.class_own_traits(config=True).items():
            for variable in _VARIABLE.findall(trait.help):
                yield code(variable), f"[{one.__name__}.{name}](#trait-{anchor(one, name)})"


def anchor(one: type[Configurable], name: str) -> str:
    """The end of the trait's address on the page."""
    return f"{one.__name__}.{name}".lower()


def _section(one: type[Configurable]) -> str:
    about = (getdoc(one) or "").partition("\n\n")[0]
    lines = [f"## {one.__name__}\n\n{one_line(about)}\n"]
    lines += [_trait(one, name, trait) for name, trait in _sorted_traits(one)]
    return "\n".join(lines)


def _sorted_traits(one: type[Configurable]) -> list[tuple[str, TraitType[Any, Any]]]:
    return sorted(one.class_own_traits(config=True).items())


def _trait(one: type[Configurable], name: str, trait: TraitType[Any, Any]) -> str:
    kind = type(trait).__name__
    words = [kind]
    values = getattr(trait, "values", None)
    if values:
        words = ["one of " + ", ".join(map(code, values))]
    for word, bound in (("least", "min"), ("most", "max")):
        number = getattr(trait, bound, None)
        if isinstance(number, int | float) and math.isfinite(number):
            words.append(f"at {word} {number:,}")
    words.append(f"default {code(trait.default_value_repr())}")
    return (
        f"(trait-{anchor(one, name)})=\n{code(f'c.{one.__name__}.{name}')}\n"
        f": {', '.join(words)}\n\n  {one_line(trait.help)}\n"
    )
