"""What `odradek` offers: names that are imported when they are used, and its version."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import odradek


def imports_for_type_checkers() -> dict[str, str]:
    """Return the module of each name that `odradek` imports under TYPE_CHECKING."""
    tree = ast.parse(Path(odradek.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    return {
        alias.name: node.module or "" for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def printed(program: str) -> set[str]:
    """Run a program in a process of its own, and return the words that it prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_every_name_is_the_one_that_type_checkers_see() -> None:
    modules = imports_for_type_checkers()
    assert sorted(modules) == sorted(odradek.__all__)
    for name, module in modules.items():
        submodule = f"odradek.{name}" if module == "odradek" else module
        home = importlib.import_module(submodule)
        assert getattr(odradek, name) is (home if module == "odradek" else getattr(home, name)), name


def test_the_lazy_table_names_what_all_names() -> None:
    source = Path(odradek.__file__).read_text(encoding="utf-8")
    (table,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_NAMES_IN"
    )
    assert {name: module for module, names in table.items() for name in names} == imports_for_type_checkers()


def test_a_star_import_brings_every_name() -> None:
    assert set(odradek.__all__) <= printed("from odradek import *; print(*globals())")


def test_dir_lists_every_name_before_it_is_used() -> None:
    assert {*odradek.__all__, "__version__"} <= printed("import odradek; print(*dir(odradek))")


def test_an_unknown_name_raises_attribute_error_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'odradek' has no attribute 'ActorSytem'") as refused:
        odradek.ActorSytem  # type: ignore[attr-defined]  # noqa: B018  # the mistake under test
    assert (refused.value.name, refused.value.obj) == ("ActorSytem", odradek)  # for Python's "Did you mean"


def test_the_version_is_that_of_the_distribution() -> None:
    assert odradek.__version__ == importlib.metadata.version("odradek")
