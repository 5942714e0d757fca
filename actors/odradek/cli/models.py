"""Imports the modules that `--module` names, which register event types and aggregates of the user's own."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType

from odradek.cli.exit_codes import CommandError, ExitCode

__all__ = ["import_models", "search_current_directory"]


def import_models(names: list[str]) -> None:
    """Import modules, also from the current directory, as `celery -A` does."""
    if not names:
        return
    search_current_directory()
    for name in names:
        before = _registered()
        module = _imported(name)
        if not (_registered().keys() - before.keys() or _has_models(module)):
            raise CommandError(
                f"module {name[:80]!r} registers no event type and no aggregate; declare them with @odradek.event and "
                "@odradek.aggregate, or name another module",
                ExitCode.USAGE,
            )


def search_current_directory() -> None:
    """Let imports find modules in the current directory, as `python -m` does."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise CommandError(
            f"module {name[:80]!r} cannot be imported ({type(error).__name__}: {error}); give its name as in an import "
            "statement, and run the command where Python finds it: in its directory, or with it installed",
            ExitCode.USAGE,
        ) from error


def _registered() -> dict[int, object]:
    """Return the registered classes and functions by identity."""
    from odradek_domain.registry import AGGREGATES
    from odradek_events import types
    from odradek_events.schema.registry import CATALOGUE

    assert types.__all__, "imported, so that Odradek's own event types are not new"
    return {id(item): item for item in (*CATALOGUE.classes(), *AGGREGATES.makers())}


def _has_models(module: ModuleType) -> bool:
    """Return whether a module that was imported before has registered classes, or is the package of their modules."""
    registered = _registered()
    homes = [f"{getattr(item, '__module__', '')}." for item in registered.values()]
    has_some = any(id(item) in registered for item in vars(module).values())
    return has_some or any(home.startswith(f"{module.__name__}.") for home in homes)
