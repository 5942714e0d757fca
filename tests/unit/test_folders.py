"""Folders show the architecture: layers without circles, few modules in each, and a map that names them all.

The layers themselves are contracts of import-linter; here it is tested that every folder has one.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from pathlib import Path

import pytest
from support.source_tree import (
    FLOORS,
    MODULES,
    PACKAGES,
    PROJECT,
    ROOT,
    circle_in,
    contracts,
    folder_graph,
    folders,
    import_graph,
    imports,
    modules_in,
    offered_by,
    parsed,
)

MAX_MODULES = 14
WITHOUT_MAP = {"odradek", "odradek.cli.commands"}  # for users, not for readers; and one module for each command
OFFERING = [folder for folder in folders() if "." in folder and not folder.startswith("odradek.")]
"""Folders of the libraries. The modules of the command line are loaded one by one, to start fast."""


@pytest.fixture(scope="session")
def graph() -> dict[str, set[str]]:
    """Give the graph of all imports."""
    return import_graph({module: parsed(module) for module in MODULES})


@pytest.fixture(scope="session")
def taken() -> list[tuple[str, str, str]]:
    """Give each name that a module imports, with the importing module and the module it takes it from."""
    return [
        (importer, module, name)
        for importer in MODULES
        for module, names in imports(parsed(importer))
        for name in names
        if f"{module}.{name}" not in MODULES
    ]


def children_of(folder: str) -> list[str]:
    """Return the names of the modules and folders directly in a folder."""
    return sorted(name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == folder)


def of_module(module: str, name: str) -> object:
    """Import a module and return what it has by this name."""
    return getattr(importlib.import_module(module), name)


def folder_of(module: str) -> str:
    """Return the folder whose `__init__` speaks for a module."""
    return module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]


def test_every_source_root_is_in_the_wheel() -> None:
    packages = {place.parent for place in ROOT.glob("*/odradek*/__init__.py")}
    assert packages == set(PACKAGES.values())


def test_the_source_roots_are_known_to_every_tool() -> None:
    tool = PROJECT["tool"]
    for names in (
        tool["importlinter"]["root_packages"],
        tool["coverage"]["run"]["source_pkgs"],
        [package for floor in FLOORS for package in floor],
    ):
        assert sorted(names) == sorted(PACKAGES)
    parents = {folder.parent.relative_to(ROOT).as_posix() for folder in PACKAGES.values()}
    for places in (
        tool["hatch"]["build"]["dev-mode-dirs"],
        tool["mypy"]["files"],
        tool["mypy"]["mypy_path"],
        tool["pytest"]["ini_options"]["pythonpath"],
        tool["ruff"]["src"],
    ):
        assert parents <= set(places)


def test_no_folder_has_more_modules_than_a_reader_can_name() -> None:
    counts = Counter(
        path.parent.relative_to(ROOT).as_posix() for path in MODULES.values() if path.name != "__init__.py"
    )
    assert {
        folder: count for folder, count in counts.items() if count > MAX_MODULES and Path(folder).name != "testing"
    } == {}


def test_modules_do_not_import_each_other_in_a_circle(graph: dict[str, set[str]]) -> None:
    assert " -> ".join(circle_in(graph)) == ""


def test_folders_do_not_import_each_other_in_a_circle(graph: dict[str, set[str]]) -> None:
    assert [" -> ".join(circle) for folder in folders() if (circle := circle_in(folder_graph(folder, graph)))] == []


def test_a_contract_gives_every_folder_its_layer() -> None:
    with_folders = {folder for folder in folders() if any(name.startswith(f"{folder}.") for name in folders())}
    containers = {name for each in contracts("layers") if each.get("exhaustive") for name in each["containers"]}
    assert with_folders - containers == set()


def test_a_contract_keeps_every_part_of_the_domain_from_the_stores() -> None:
    sources = (name for each in contracts("forbidden") for name in each["source_modules"])
    kept = {name for name in sources if name.startswith("odradek_domain.")}
    assert kept == {f"odradek_domain.{name}" for name in children_of("odradek_domain")}


def test_the_map_of_a_folder_names_its_modules() -> None:
    for folder in sorted({*folders()} - WITHOUT_MAP):
        words = set(re.findall(r"\w+", ast.get_docstring(parsed(folder)) or ""))
        assert [name for name in children_of(folder) if name not in words] == [], folder


def test_a_folder_offers_what_others_take_from_its_modules(taken: list[tuple[str, str, str]]) -> None:
    for folder in OFFERING:
        inside, offered = {*modules_in(folder)}, offered_by(folder)
        speaks_for = {module for module in inside if folder_of(module) == folder}
        missing = [
            (importer, name)
            for importer, module, name in taken
            if module in speaks_for and importer not in inside and name not in offered
        ]
        assert missing == [], folder


def test_a_folder_offers_the_names_that_type_checkers_see() -> None:
    for folder in folders():
        package = importlib.import_module(folder)
        declared = {
            name: importlib.import_module(full) if (full := f"{module}.{name}") in MODULES else of_module(module, name)
            for module, names in imports(parsed(folder))
            for name in names
        }
        offered = {name: getattr(package, name) for name in offered_by(folder)}
        assert [name for name, value in offered.items() if declared.get(name, value) is not value] == [], folder


def test_a_circle_is_found_with_what_only_type_checkers_import() -> None:
    sources = {
        "p": "from p.b.one import f",
        "p.a": "",
        "p.a.one": "import p.b.two",
        "p.b": "",
        "p.b.one": "from p.a.one import f",
        "p.b.two": "if TYPE_CHECKING:\n    from p.b import one",
        "p.c": "import os\nfrom p import b\nfrom p.a import f",
    }
    graph = import_graph({name: ast.parse(source) for name, source in sources.items()})
    assert graph["p.c"] == {"p.b", "p.a"}
    assert circle_in(graph) == ["p.b.one", "p.a.one", "p.b.two", "p.b.one"]
    assert circle_in(folder_graph("p", graph)) == ["p.a", "p.b", "p.a"]
    assert circle_in({"one": {"two"}, "two": set()}) == []
