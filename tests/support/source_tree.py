"""The source tree: its packages, folders and modules, and which module imports which.

The packages are those of the wheel, read from pyproject.toml, so that a new one is covered without a change here.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = [
    "FLOORS",
    "MODULES",
    "PACKAGES",
    "PROJECT",
    "ROOT",
    "Import",
    "circle_in",
    "contracts",
    "folder_graph",
    "folders",
    "import_graph",
    "imports",
    "modules_in",
    "nodes",
    "offered_by",
    "out_of_reach",
    "parsed",
]

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: dict[str, Path] = {
    Path(folder).name: ROOT / folder for folder in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
}
"""The top-level packages and their folders."""
MODULES: dict[str, Path] = {
    ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for root in PACKAGES.values()
    for path in sorted(root.rglob("*.py"))
}
"""All modules, packages included, by dotted name, and their files."""

Import = tuple[str, tuple[str, ...]]
"""An import statement: the module it names, and the names it takes from that module (none: the module itself)."""
Graph = Mapping[str, Collection[str]]


def contracts(kind: str) -> list[dict[str, Any]]:
    """Return import-linter's contracts of a type, such as `layers`."""
    return [each for each in PROJECT["tool"]["importlinter"]["contracts"] if each["type"] == kind]


FLOORS: list[list[str]] = [
    [package.strip() for package in floor.split("|")]
    for contract in contracts("layers")
    if "containers" not in contract
    for floor in contract["layers"]
]
"""The top-level packages by floor, the highest first; packages on the same floor do not import each other."""


def out_of_reach(package: str) -> list[str]:
    """Return the packages that a top-level package may not import: those on its own floor and above."""
    (level,) = (number for number, floor in enumerate(FLOORS) if package in floor)
    return [other for floor in FLOORS[: level + 1] for other in floor if other != package]


def modules_in(package: str) -> list[str]:
    """Return the names of a package and of all modules in it, at any depth."""
    return [name for name in MODULES if _is_in(name, package)]


def folders() -> list[str]:
    """Return the names of all packages, at any depth."""
    return [name for name, path in MODULES.items() if path.name == "__init__.py"]


@cache
def parsed(module: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def nodes(tree: ast.Module) -> list[ast.AST]:
    """Return all nodes of a syntax tree. Walking the trees for each rule took half of the time of all rules."""
    return list(ast.walk(tree))


@cache
def imports(tree: ast.Module) -> list[Import]:
    """Return the modules that a module imports, at any level of nesting."""
    found: list[Import] = []
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            found += ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.append((node.module or "", tuple(alias.name for alias in node.names)))
    return found


def offered_by(module: str) -> list[str]:
    """Return a module's `__all__`, or an empty list if it has none."""
    for node in parsed(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def import_graph(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """Return for each module the others that it imports, at run time or for type checkers only."""
    graph: dict[str, set[str]] = {}
    for importer, tree in trees.items():
        found: set[str] = set()
        for module, names in imports(tree):
            members = {f"{module}.{name}" for name in names}
            found |= members & {*trees}  # modules taken from their package
            if members - {*trees} or not names:
                found.add(module)
        graph[importer] = found & {*trees} - {importer}
    return graph


def folder_graph(folder: str, graph: Graph) -> dict[str, set[str]]:
    """Return for each module and subfolder of a folder the others that it imports, including all modules inside."""
    depth = folder.count(".") + 2
    child_of = {module: ".".join(module.split(".")[:depth]) for module in graph if module.startswith(f"{folder}.")}
    children: dict[str, set[str]] = {child: set() for child in child_of.values()}
    for module, child in child_of.items():
        children[child] |= {child_of[other] for other in graph[module] if other in child_of} - {child}
    return children


def circle_in(graph: Graph) -> list[str]:
    """Return a cycle, from a node back to itself, or nothing if there is none."""
    done: set[str] = set()
    path: list[str] = []

    def visit(node: str) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        path.append(node)
        for other in sorted(graph[node]):
            if circle := visit(other):
                return circle
        done.add(path.pop())
        return []

    return next((circle for node in sorted(graph) if (circle := visit(node))), [])


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
