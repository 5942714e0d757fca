"""Shrinks a failing run: first its world (clients, faults, what clients draw), then its schedule.

The world comes first, because a smaller world needs fewer picks. The recorded picks are repaired by the names of their
tasks; if a smaller world does not fail with them, a few other schedules are tried. Then picks are replaced by the
default, which is the task that has been ready for longest: the tail by halves, blocks of n/2, n/4, ... 1, and pairs.
What is left are the deviations that matter. Only a failure with the same signature counts.

Prior art: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002; Hypothesis' shrinker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from odradek_simulation.choices.streams import Recipe, decoded, encoded
from odradek_simulation.world.result import Failure, Result

__all__ = ["Progress", "Shrunk", "shrink"]

_MAX_RUNS = 2000
_OTHER_SCHEDULES = 6
_STRATEGIES = ("random", "pct2", "pct3")

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
                    limit of runs was reached
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
        is_minimal=search.runs < max_runs,
    )


class _OutOfRuns(Exception):
    """The limit of runs is reached."""


class _Search:
    """The smallest failing run so far, and the passes that look for a smaller one."""

    def __init__(
        self, failed: Result, failure: Failure, rerun: Rerun, max_runs: int, progress: Progress | None
    ) -> None:
        self.best = failed
        self.runs = 0
        self._signature = failure.signature
        self._rerun = rerun
        self._max_runs = max_runs
        self._progress = progress
        self._seen: set[bytes] = set()
        if not self._fails(failed.recording, _any):
            raise ValueError("the failure does not come again; its target depends on something outside the world")

    def shrink(self) -> None:
        """Run all passes until none of them helps, or the limit of runs is reached."""
        try:
            while any([self._shrink_world(), self._shrink_schedule()]):
                pass
        except _OutOfRuns:
            pass

    # -- the world ----------------------------------------------------------------------------------------------------

    def _shrink_world(self) -> bool:
        before = self.best
        self._leave_out_faults()
        self._leave_out_clients()
        self._lower_draws()
        return self.best is not before

    def _leave_out_faults(self) -> None:
        size = len(self.best.recording.struck or ())
        while size:
            start = 0
            while start < len(struck := self.best.recording.struck or ()):
                smaller = struck[:start] + struck[start + size :]
                if not self._fails_in_some_schedule(msgspec.structs.replace(self.best.recording, struck=smaller)):
                    start += size
            size //= 2

    def _leave_out_clients(self) -> None:
        for name in self.best.clients:
            recipe = self.best.recording
            if name not in recipe.without:
                without = (*recipe.without, name)
                self._fails_in_some_schedule(msgspec.structs.replace(recipe, without=without))

    def _lower_draws(self) -> None:
        for client in list(self.best.recording.draws or {}):
            for index in range(len((self.best.recording.draws or {}).get(client, ()))):
                for value in (0, 1):
                    draws = dict(self.best.recording.draws or {})
                    numbers = draws.get(client, ())
                    if index >= len(numbers) or numbers[index] <= value:
                        break
                    draws[client] = (*numbers[:index], value, *numbers[index + 1 :])
                    if self._fails_in_some_schedule(msgspec.structs.replace(self.best.recording, draws=draws)):
                        break

    def _fails_in_some_schedule(self, recipe: Recipe) -> bool:
        """Run a smaller world with the recorded picks; if it does not fail, with none, and with drawn ones."""
        if self._fails(recipe, _any) or self._fails(msgspec.structs.replace(recipe, picks=()), _any):
            return True
        for number in range(_OTHER_SCHEDULES):
            name = _STRATEGIES[number % len(_STRATEGIES)]
            drawn = msgspec.structs.replace(
                recipe, picks=None, seed=recipe.seed + 1 + number, strategy=name, length=max(8, self.best.choices)
            )
            if self._fails(drawn, _any):
                return True
        return False

    # -- the schedule -------------------------------------------------------------------------------------------------

    def _shrink_schedule(self) -> bool:
        before = self.best
        self._try([])
        self._cut_the_tail()
        self._drop_deviations()
        return self.best is not before

    def _names(self) -> list[str]:
        return decoded(self.best.recording.picks or ())

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
        recipe = msgspec.structs.replace(self.best.recording, picks=encoded(names))
        return self._fails(recipe, _fewer_deviations)

    # -- running ------------------------------------------------------------------------------------------------------

    def _fails(self, recipe: Recipe, is_better: Callable[[Result, Result], bool]) -> bool:
        """Run a recipe; if it fails in the same way and is better, keep it as the best."""
        key = msgspec.msgpack.encode(recipe)
        if key in self._seen:
            return False
        if self.runs >= self._max_runs:
            raise _OutOfRuns
        self._seen.add(key)
        self.runs += 1
        result = self._rerun(recipe)
        if self._progress is not None:
            self._progress(self.runs, self.best)
        if result.failure is None or result.failure.signature != self._signature or not is_better(result, self.best):
            return False
        self.best = result
        return True


def _any(_result: Result, _best: Result) -> bool:
    return True


def _fewer_deviations(result: Result, best: Result) -> bool:
    return _cost(result) < _cost(best)


def _cost(result: Result) -> tuple[int, int]:
    return result.recording.deviations, result.steps


def _places(names: Sequence[str]) -> list[int]:
    return [place for place, name in enumerate(names) if name]
