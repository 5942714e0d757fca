"""Finds a passing run that is as close as possible to a failing one.

A shrunk run has only picks that its failure needs, so leaving out one of them most often passes. Otherwise one task is
delayed, late in the run first; then one fault is left out; then other schedules are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from odradek_simulation.choices.streams import Recipe, decoded, encoded
from odradek_simulation.world.result import Result

__all__ = ["nearest_passing"]

_MAX_STEPS = 200_000
_DELAYS = (1, 4, 16)  # choices
_DRAWN = 20


def nearest_passing(failed: Result, rerun: Callable[[Recipe], Result], *, max_steps: int = _MAX_STEPS) -> Result | None:
    """Return a passing run that differs little from a failing one; None if none is found within so many steps.

    `rerun` runs a recipe leniently, and traces it. `failed` must be traced.
    """
    seen = {failed.digest}
    for recipe in _candidates(failed):
        result = rerun(recipe)
        if result.holds and result.digest not in seen:
            return result
        seen.add(result.digest)
        max_steps -= result.steps
        if max_steps <= 0:
            break
    return None


def _candidates(failed: Result) -> Iterator[Recipe]:
    recipe = failed.recording
    names = decoded(recipe.picks or ())
    for place in reversed([place for place, name in enumerate(names) if name]):
        yield replace(recipe, picks=encoded([*names[:place], "", *names[place + 1 :]]))
    picked = [] if failed.trace is None else failed.trace.picked
    for delay in _DELAYS:
        for place in reversed(range(len(picked))):
            before = [*names[:place], *[""] * (place - len(names))]
            delayed = [*before, *[f"!{picked[place]}"] * delay, *names[place + 1 :]]
            yield replace(recipe, picks=encoded(delayed))
    struck = recipe.struck or ()
    for index in reversed(range(len(struck))):
        yield replace(recipe, struck=(*struck[:index], *struck[index + 1 :]))
    for number in range(_DRAWN):
        yield replace(recipe, picks=None, strategy="random", seed=recipe.seed + 1 + number)
