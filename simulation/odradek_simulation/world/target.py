"""Targets: functions that start a world, with the options of their worlds, found by name in any process."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from odradek_simulation.choices.streams import Recipe
from odradek_simulation.errors import TargetNotFound
from odradek_simulation.world.result import Result
from odradek_simulation.world.world import Start, World

__all__ = ["Target", "load_target", "options_of", "simulated", "target_of"]

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = "_odradek_world"


class Target(msgspec.Struct, frozen=True):
    """A function that starts a world, its name as `module:function`, and the options of its worlds."""

    start: Start
    name: str
    options: dict[str, Any]

    def world(self, seed: int, **options: Any) -> World:
        """Return a world for a seed; `options` override those of the target."""
        return World(seed, **{**self.options, **options})

    def again(self, recipe: Recipe, **options: Any) -> Result:
        """Run a recipe leniently."""
        return World.of(recipe, **{**self._kept, **options}).run(self.start)

    def repeat(self, token: str, *, lenient: bool = False, **options: Any) -> Result:
        """Repeat the run of a token; see `World.replay`."""
        return self.replay(token, lenient=lenient, **options).run(self.start)

    def replay(self, token: str, *, lenient: bool = False, **options: Any) -> World:
        """Return the world of a token, to be run."""
        return World.replay(token, lenient=lenient, **{**self._kept, **options})

    @property
    def _kept(self) -> dict[str, Any]:
        """The options that a recipe does not have."""
        fields = {*Recipe.__struct_fields__, "step_ms"}
        return {name: value for name, value in self.options.items() if name not in fields}


def simulated(function: F, options: dict[str, Any]) -> F:
    """Attach the options of its worlds to a function, and return it."""
    setattr(function, _OPTIONS, options)
    return function


def options_of(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Return the options that `simulated` attached, None for a function without."""
    options: dict[str, Any] | None = getattr(function, _OPTIONS, None)
    return options


def target_of(start: Start) -> Target:
    """Return the target of a function; it needs no name to be found by if it stays in this process."""
    name = f"{getattr(start, '__module__', '')}:{getattr(start, '__qualname__', repr(start))}"
    return Target(start, name, options_of(start) or {})


def load_target(name: str) -> Target:
    """Import a target by its name, `module:function`; modules are also found in the current directory.

    TargetNotFound, with the reason, if that fails.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise TargetNotFound(name, "it is not of the form module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise TargetNotFound(name, f"importing {module_name} raises {type(error).__name__}: {error}") from error
    for part in function_name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise TargetNotFound(name, f"{module_name} has no function {function_name!r}")
    return Target(found, name, options_of(found) or {})
