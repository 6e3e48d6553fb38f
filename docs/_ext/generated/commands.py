"""The command line, from its applications."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc, getdoc
from typing import Any

from jupyter_core.application import base_aliases, base_flags
from traitlets import HasTraits

from cognition_jupyter.cli import CognitionCommand
from cognition_jupyter.cli.base import Command

from .markdown import code, table

_HEADINGS = ("option", "")


def tree(command: type[Command] = CognitionCommand) -> Iterator[type[Command]]:
    """The command, and all below it."""
    yield command
    for below, _ in command().subcommands.values():
        yield from tree(below)


def name_of(command: type[Command]) -> str:
    """As it is typed."""
    return "jupyter cognition" + command().name.removeprefix("jupyter-cognition").replace("-", " ")


def commands() -> str:
    """A section for each, and one for the options that all have."""
    shared = table(_HEADINGS, _options(base_flags, base_aliases, Command()))
    return "\n".join([*map(_section, tree()), "## Options of all commands\n", shared])


def _section(command: type[Command]) -> str:
    app, name = command(), name_of(command)
    usage = (name, getattr(app, "arguments", ""), getattr(app, "options", ""))
    below = [(code(name_of(one)), about) for one, about in app.subcommands.values()]
    flags = {key: value for key, value in app.flags.items() if key not in base_flags}
    aliases = {key: value for key, value in app.aliases.items() if key not in base_aliases}
    parts = [
        f"(command-{app.name})=\n## {code(name)}\n",
        f"```text\n{' '.join(filter(None, usage))}\n```\n" if not below else "",
        f"{getdoc(command)}\n",
        table(("command", ""), below),
        table(_HEADINGS, [*_options(flags, aliases, app), *_unaliased(app)]),
        f"```text\n{cleandoc(app.examples)}\n```\n" if app.examples else "",
    ]
    return "\n".join(filter(None, parts))


def _options(
    flags: dict[Any, Any], aliases: dict[Any, Any], app: Command
) -> Iterator[tuple[str, str]]:
    for key, (_, about) in flags.items():
        yield _spelled(key), str(about)
    for key, target in aliases.items():
        trait, about = target if isinstance(target, tuple) else (target, "")
        yield f"{_spelled(key)} {code('VALUE')}", about or _help_of(trait, app)


def _unaliased(app: Command) -> Iterator[tuple[str, str]]:
    """Traits of its own without a short option."""
    named = {target if isinstance(target, str) else target[0] for target in app.aliases.values()}
    for setting, _ in app.flags.values():
        named |= {f"{owner}.{name}" for owner, names in setting.items() for name in names}
    for name, trait in sorted(type(app).class_own_traits(config=True).items()):
        if (full := f"{type(app).__name__}.{name}") not in named:
            yield f"{_spelled(full)} {code('VALUE')}", str(trait.help)


def _spelled(key: str | tuple[str, ...]) -> str:
    keys = (key,) if isinstance(key, str) else key
    return ", ".join(code(f"{'-' if len(one) == 1 else '--'}{one}") for one in keys)


def _help_of(trait: str, app: Command) -> str:
    owner, _, name = trait.partition(".")
    for one in [*type(app).mro(), *app.classes]:
        if one.__name__ == owner and issubclass(one, HasTraits):
            return str(one.class_traits()[name].help)
    raise LookupError(f"{app.name}: nothing has the trait {trait}")
