"""The architecture that the file list promises: imports point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cognition_jupyter"

# From the ground up: a module may import only from its own layer and those before it.
LAYERS = [
    ["__init__", "exceptions", "environment"],
    ["models"],
    ["events", "client"],
    ["audit"],
    ["projects"],
    ["memory", "runtimes", "image"],
    ["kernels", "archive"],
    ["sessions", "maintenance"],
    ["core", "metrics", "doctor"],
    ["kernels.provisioner", "isolated", "cli"],
    ["handlers", "hub", "stopping"],
    ["app"],
]
OWN = {path.stem for path in PACKAGE.iterdir()}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
WEB = ("tornado.web", "tornado.websocket", "jupyter_server.base", "jupyter_server.extension")


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] == "templates":
            continue  # files of projects to come
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        yield name, path


def level_of(module: str) -> int:
    return LEVEL[module] if module in LEVEL else LEVEL[module.split(".")[0]]


def imports(name: str, path: Path) -> Iterator[str]:
    """Absolute names of what a module imports at run time."""
    package = ["cognition_jupyter", *name.split(".")]
    if path.name != "__init__.py" or name == "__init__":
        package = package[:-1]
    tree = ast.parse(path.read_text())
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("name", "path"), [*modules()], ids=lambda value: str(value)[-40:])
def test_imports_point_one_way(name: str, path: Path) -> None:
    if name == "__init__":
        return  # names the extension's app to Jupyter, in a function
    for imported in imports(name, path):
        inner = imported.removeprefix("cognition_jupyter.")
        if inner == imported or inner.split(".")[0] not in OWN:
            continue
        two = ".".join(inner.split(".")[:2])
        target = two if two in LEVEL else inner
        assert level_of(target) <= level_of(name), f"{name} imports {imported}"


@pytest.mark.parametrize(("name", "path"), [*modules()], ids=lambda value: str(value)[-40:])
def test_only_these_know_the_web(name: str, path: Path) -> None:
    if name.split(".")[0] in (
        "handlers",
        "app",
        "isolated",
        "client",
        "hub",
        "stopping",
        "__init__",
    ):
        return
    found = [i for i in imports(name, path) if i.startswith(WEB)]
    assert not found, f"{name} imports {found}"


@pytest.mark.parametrize(("name", "path"), [*modules()], ids=lambda value: str(value)[-40:])
def test_only_the_docker_runtime_imports_docker(name: str, path: Path) -> None:
    found = [i for i in imports(name, path) if i.split(".")[0] == "docker"]
    assert not found or name.startswith("runtimes.docker"), f"{name} imports {found}"


def test_no_file_is_too_long() -> None:
    sources = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "labextension/src").rglob("*.ts*")]
    long = {p.name: n for p in sources if (n := len(p.read_text().splitlines())) > 400}
    assert not long
    short = [p for p in sources if len(p.read_text().splitlines()) <= 200]
    assert len(short) > len(sources) * 0.7


def test_class_names_are_not_jupyters() -> None:
    # Traitlets configuration goes by bare class names.
    taken = {"SessionManager", "KernelManager", "ContentsManager"}
    for _, path in modules():
        classes = {
            n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ClassDef)
        }
        assert not classes & taken
