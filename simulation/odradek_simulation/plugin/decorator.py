"""@simulate: a test that starts a world, and runs with many seeds."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from odradek_events.validation import check_function, check_int
from odradek_simulation.world.target import simulated

__all__ = ["simulate"]


def simulate(
    seeds: int = 100, *, faults: str | Iterable[str] = "all", **options: Any
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Run a test as the start of `seeds` worlds; it gets the system and the world, then fixtures by name.

        @simulate(seeds=1000, faults="all")
        def test_no_order_is_lost(system, world):
            world.always(orders_are_dense)
            world.spawn(shop, system)

    Further options are those of World. The first failing run fails the test: it is shrunk, drawn beside the nearest
    passing run, and reported with a token that repeats it. Strategies come from the portfolio by default.

    The test is also a target, which `odradek sweep` finds as module:test.
    """
    if callable(seeds):
        raise TypeError(f"write @simulate() above {getattr(seeds, '__qualname__', seeds)}, with parentheses")
    check_int("seeds", seeds)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, not {seeds}")
    if "seed" in options:
        raise TypeError("@simulate runs the seeds from 0 to seeds - 1; to run a single one, use --odradek-seed SEED")
    options = {"strategy": "portfolio", **options, "faults": faults}

    def decorate(function: Callable[..., object]) -> Callable[..., object]:
        check_function("function", function)
        parameters = [*inspect.signature(function).parameters.values()]
        if len(parameters) < 2 or parameters[0].name == "self":
            raise TypeError(f"@simulate needs a function of a system and a world, not {function.__qualname__}")

        @functools.wraps(function)
        def test(*args: Any, **fixtures: Any) -> object:
            if args:  # called by a world, as the start of its clients
                return function(*args, **fixtures)
            from odradek_simulation.plugin.runs import run_test

            run_test(test, seeds, fixtures.pop("request"), fixtures)
            return None

        request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY)
        fixtures = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters[2:]]
        test.__signature__ = inspect.Signature([*fixtures, request])  # type: ignore[attr-defined]  # pytest reads it
        return simulated(test, options)

    return decorate
