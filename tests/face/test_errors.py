"""`odradek.errors` has every error class of the packages below, and draws them as they inherit."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import odradek_actors
import odradek_boundaries
import odradek_domain
import odradek_events
import odradek_simulation
from odradek import ActorError, DomainError, LogError, errors
from odradek.errors import LabError, SimulationError

ROOTS = (LogError, DomainError, ActorError, SimulationError, LabError)


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Yield the modules of a package, those for tests excepted."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if ".testing" not in found.name:
            yield importlib.import_module(found.name)


def defined_errors() -> dict[str, type[Exception]]:
    """Return every public class of the five trees by name."""
    return {
        name: value
        for package in (odradek_events, odradek_domain, odradek_actors, odradek_simulation, odradek_boundaries)
        for module in modules(package)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, ROOTS) and value.__module__ == module.__name__
        if not name.startswith("_")
    }


# Four columns of branches per level, then classes, then, after two spaces, what they mean.
_DRAWN = re.compile(r"    (?P<branches>[ │├└─]*)(?P<names>[A-Z]\w+(?: · \w+)*)(?:  .*)?")


def drawn_parents(drawing: str) -> dict[str, str | None]:
    """Return the parent of each class in a drawing of trees, None for a root."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for drawn in filter(None, map(_DRAWN.fullmatch, drawing.splitlines())):
        depth = len(drawn["branches"]) // 4
        names = drawn["names"].split(" · ")
        assert parents.keys().isdisjoint(names), f"drawn twice: {names}"
        parents |= dict.fromkeys(names, path[depth - 1] if depth else None)
        path[depth:] = names[-1:]
    return parents


def test_every_error_can_be_imported_from_one_module() -> None:
    defined = defined_errors()
    assert len(defined) > 80
    assert {name: getattr(errors, name, None) for name in defined} == defined
    assert set(errors.__all__) == {*defined, "SnapshotWarning"}


def test_the_docstring_draws_every_error_below_the_class_it_inherits_from() -> None:
    parents = drawn_parents(errors.__doc__ or "")
    defined = defined_errors()
    assert set(parents) == set(defined)
    for name, parent in parents.items():
        bases = {base.__name__ for base in defined[name].__bases__}
        assert parent in bases if parent else defined[name] in ROOTS, f"{name} is drawn below {parent}"
