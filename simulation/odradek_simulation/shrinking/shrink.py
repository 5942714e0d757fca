"""Shrinks a failing run: first its world (clients, faults, what clients draw), then its schedule.

The world comes first, because a smaller world needs fewer picks. The recorded picks are repaired by the names of their
tasks; if a smaller world does not fail with them, a few other schedules are tried. Then picks are replaced by the
default, which is the task that has been ready for longest: those of one task, the tail by halves, and blocks of n/2,
n/4, ... 1. What is left are the deviations that matter. Only a failure with the same signature counts.

A run that takes a quarter more steps than the smallest failing one so far is ended, because it would not help a reader.
Most candidates that do not fail are therefore cheap: a failure after 300 steps of a world with 6000 shrinks in a tenth
of the time.

Prior art: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002; Hypothesis' shrinker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from odradek_simulation.choices.strategies import StrategyName
from odradek_simulation.choices.streams import Recipe, decoded, encoded
from odradek_simulation.world.result import Failure, Result

__all__ = ["Progress", "Shrunk", "shrink"]

_MAX_RUNS = 2000
_MAX_STEPS = 3_000_000  # of all runs together: about a minute
_OF_THE_END = ("end", "eventually", "history", "stuck")
"""Kinds of failure that most worlds have if a client is left out: nobody bills, so some order is never billed."""
_PLACES = 50  # steps at which a fault is tried
_OTHER_STRATEGIES: tuple[StrategyName, ...] = ("random", "pct2", "pct3", "random", "pos", "pct3")

Rerun = Callable[[Recipe], Result]
"""Runs a recipe leniently."""
Progress = Callable[[int, Result], object]
"""Is called with the number of runs, and the smallest failing run so far."""


class Shrunk(msgspec.Struct, frozen=True):
    """A shrunk failure.

    result          of the smallest run that fails in the same way; its `recording` repeats it
    runs            how many runs it took
    steps           before and after
    deviations      picks that are not the default, before and after
    faults          before and after
    is_minimal      whether leaving out any single client, fault or deviation makes the failure go away; otherwise the
                    limit of runs or of steps was reached
    """

    result: Result
    runs: int
    steps: tuple[int, int]
    deviations: tuple[int, int]
    faults: tuple[int, int]
    is_minimal: bool

    def describe(self) -> str:
        """Return what is left, in a sentence."""
        return (
            f"{self.steps[0]} steps, {self.deviations[0]} deviations and {self.faults[0]} faults became "
            f"{self.steps[1]}, {self.deviations[1]} and {self.faults[1]} in {self.runs} runs; "
            f"{'nothing more can be left out' if self.is_minimal else 'more may be possible with more runs'}"
        )


def shrink(failed: Result, rerun: Rerun, *, max_runs: int = _MAX_RUNS, progress: Progress | None = None) -> Shrunk:
    """Return a smaller run that fails as `failed` does.

    `rerun` runs a recipe leniently, with the same target. ValueError for a run that did not fail, or that does not fail
    again when it is repeated.
    """
    if failed.failure is None:
        raise ValueError("the run did not fail, so there is nothing to shrink")
    search = _Search(failed, failed.failure, rerun, max_runs, progress)
    search.shrink()
    best = rerun(search.best.recording)  # its token has what was picked, and no picks that were passed over
    return Shrunk(
        result=best,
        runs=search.runs,
        steps=(failed.steps, best.steps),
        deviations=(failed.recording.deviations, best.recording.deviations),
        faults=(len(failed.faults), len(best.faults)),
        is_minimal=search.is_minimal,
    )


class _OutOfBudget(Exception):
    """The limit of runs or of steps is reached."""


class _Search:
    """The smallest failing run so far, and the passes that look for a smaller one."""

    def __init__(
        self, failed: Result, failure: Failure, rerun: Rerun, max_runs: int, progress: Progress | None
    ) -> None:
        self.best = failed
        self.runs = 0
        self.is_minimal = False
        self._signature = failure.signature
        self._rerun = rerun
        self._max_runs = max_runs
        self._steps_left = max(_MAX_STEPS, 3 * failed.steps)
        self._step_limit = failed.recording.step_limit
        self._most_steps = self._step_limit if failure.kind == "step limit" else _a_quarter_more(failed.steps)
        self._progress = progress
        self._seen: set[bytes] = set()
        if not self._fails(failed.recording, _any):
            raise ValueError("the failure does not come again; its target depends on something outside the world")

    def shrink(self) -> None:
        """Run all passes until none of them helps, or the budget is used up."""
        try:
            self._try([])
            while any([self._shrink_world(), self._shrink_schedule()]):
                pass
            self.is_minimal = True
        except _OutOfBudget:
            pass

    # -- the world ----------------------------------------------------------------------------------------------------

    def _shrink_world(self) -> bool:
        before = self.best
        self._leave_out_faults()
        self._leave_out_clients()
        self._advance_faults()
        self._lower_draws()
        return self.best is not before

    def _leave_out_faults(self) -> None:
        size = len(self.best.recording.struck or ())
        while size:
            start = 0
            while start < len(struck := self.best.recording.struck or ()):
                if not self._fails_in_some_schedule(struck=struck[:start] + struck[start + size :]):
                    start += size
            size //= 2

    def _leave_out_clients(self) -> None:
        for name in self.best.clients:
            without = self.best.recording.without
            if name not in without and not self._must_take_part(name):
                self._fails_in_some_schedule(without=(*without, name))

    def _must_take_part(self, client: str) -> bool:
        """Return whether what is expected of the end fails without a client, even if nothing goes wrong."""
        failure = self.best.failure
        if failure is None or failure.kind not in _OF_THE_END:
            return False
        without = self.best.recording.without
        return self._fails_calmly((*without, client)) and not self._fails_calmly(without)

    def _fails_calmly(self, without: tuple[str, ...]) -> bool:
        failure = self._run(replace(self.best.recording, picks=(), struck=(), without=without)).failure
        return failure is not None and failure.signature == self._signature

    def _advance_faults(self) -> None:
        """Let faults strike earlier, which ends the run earlier."""
        index = 0
        while index < len(struck := self.best.recording.struck or ()):
            step, *fault = struck[index]
            for earlier in (step // 4, step // 2, step * 3 // 4):
                changed = (*struck[:index], (earlier, *fault), *struck[index + 1 :])
                recipe = replace(self.best.recording, struck=changed)
                if self._fails(recipe, _fewer_steps) or self._fails(replace(recipe, picks=()), _fewer_steps):
                    break
            else:
                index += 1

    def _lower_draws(self) -> None:
        """Let clients draw 0: all of them, all of one client, and blocks of one client."""
        self._draw_zero({client: range(len(drawn)) for client, drawn in (self.best.recording.draws or {}).items()})
        for client in list(self.best.recording.draws or {}):
            size = len((self.best.recording.draws or {}).get(client, ()))
            while size:
                for first in range(0, len((self.best.recording.draws or {}).get(client, ())), size):
                    self._draw_zero({client: range(first, first + size)})
                size //= 2

    def _draw_zero(self, places: dict[str, range]) -> None:
        before = self.best.recording.draws or {}
        draws = {
            client: tuple(0 if index in places.get(client, ()) else number for index, number in enumerate(drawn))
            for client, drawn in before.items()
        }
        if draws != before:
            self._fails(replace(self.best.recording, draws=draws), _any)

    def _fails_in_some_schedule(self, **changes: Any) -> bool:
        """Run a smaller world with the recorded picks; if it does not fail, with none, and with drawn ones."""
        recipe = replace(self.best.recording, **changes)
        if self._fails(recipe, _any) or self._fails(replace(recipe, picks=()), _any):
            return True
        length = max(8, self.best.choices)
        return any(
            self._fails(replace(recipe, picks=None, seed=recipe.seed + number, strategy=name, length=length), _any)
            for number, name in enumerate(_OTHER_STRATEGIES, 1)
        )

    # -- the schedule -------------------------------------------------------------------------------------------------

    def _shrink_schedule(self) -> bool:
        before = self.best
        if not self._try([]):
            self._move_faults()
        self._drop_tasks()
        self._cut_the_tail()
        self._drop_deviations()
        return self.best is not before

    def _names(self) -> list[str]:
        return decoded(self.best.recording.picks or ())

    def _move_faults(self) -> None:
        """Let one fault strike at other steps of the default schedule, where other things happen at the same step."""
        for index, (_, *fault) in enumerate(self.best.recording.struck or ()):
            struck = self.best.recording.struck or ()
            stride = 1 + self.best.steps // _PLACES
            for step in range(0, self.best.steps, stride):
                moved = (*struck[:index], (step, *fault), *struck[index + 1 :])
                if self._fails(replace(self.best.recording, picks=(), struck=moved), _fewer_deviations):
                    return

    def _drop_tasks(self) -> None:
        """Replace all picks of one task by the default, those of the most frequent first."""
        for task, _ in Counter(filter(None, self._names())).most_common():
            self._try(["" if name == task else name for name in self._names()])

    def _cut_the_tail(self) -> None:
        kept, length = 0, len(self._names())
        while kept < length:
            half = (kept + length) // 2
            if self._try(self._names()[:half]):
                length = min(half, len(self._names()))
            else:
                kept = half + 1

    def _drop_deviations(self) -> None:
        """Replace blocks of deviations by the default, large blocks first."""
        size = max(1, self.best.recording.deviations // 2)
        while True:
            block = 0
            while block * size < len(places := _places(self._names())):
                chosen = set(places[block * size : (block + 1) * size])
                names = self._names()
                if not self._try(["" if place in chosen else name for place, name in enumerate(names)]):
                    block += 1
            if size == 1:
                return
            size //= 2

    def _try(self, names: Sequence[str]) -> bool:
        """Return whether a run with these picks fails with fewer deviations than the best one."""
        return self._fails(replace(self.best.recording, picks=encoded(names)), _fewer_deviations)

    # -- running ------------------------------------------------------------------------------------------------------

    def _fails(self, recipe: Recipe, is_better: Callable[[Result, Result], bool]) -> bool:
        """Run a recipe; if it fails in the same way and is better, keep it as the best."""
        key = msgspec.msgpack.encode(recipe)
        if key in self._seen:
            return False
        self._seen.add(key)
        result = self._run(replace(recipe, step_limit=min(self._step_limit, self._most_steps)))
        if result.failure is None or result.failure.signature != self._signature or not is_better(result, self.best):
            return False
        self.best = replace(result, recording=replace(result.recording, step_limit=self._step_limit))
        if result.failure.kind != "step limit":
            self._most_steps = min(self._most_steps, _a_quarter_more(result.steps))
        return True

    def _run(self, recipe: Recipe) -> Result:
        if self.runs >= self._max_runs or self._steps_left <= 0:
            raise _OutOfBudget
        self.runs += 1
        result = self._rerun(recipe)
        self._steps_left -= result.steps
        if self._progress is not None:
            self._progress(self.runs, self.best)
        return result


def _a_quarter_more(steps: int) -> int:
    return steps + max(100, steps // 4)


def _any(_result: Result, _best: Result) -> bool:
    return True


def _fewer_steps(result: Result, best: Result) -> bool:
    return result.steps < best.steps


def _fewer_deviations(result: Result, best: Result) -> bool:
    return _cost(result) < _cost(best)


def _cost(result: Result) -> tuple[int, int]:
    return result.recording.deviations, result.steps


def _places(names: Sequence[str]) -> list[int]:
    return [place for place, name in enumerate(names) if name]
