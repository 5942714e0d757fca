"""The three streams of choices of a run: its workload, its faults and its picks.

They are separate, so that leaving out a client or a fault does not shift all picks after it. Each is drawn from the
seed, or taken from a recording. A recording names the task of every pick, so that a pick can be found again in a run
that has lost some steps.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from odradek_simulation.choices.strategies import StrategyName
from odradek_simulation.errors import ReplayDiverged

__all__ = ["Picks", "Recipe", "workload_dice"]


class Recipe(msgspec.Struct, frozen=True, array_like=True):
    """All that determines a run, apart from the code.

    seed, strategy, length, faults, step_us, step_limit     as for World; faults are joined by commas
    picks       the names of the tasks that were picked where there was a choice, run-length encoded: (name, how often);
                None: the strategy picks
    struck      the faults that were injected: (step, kind, target, value); None: drawn from the seed
    without     names of clients that are not started
    """

    seed: int = 0
    strategy: StrategyName = "random"
    length: int = 1000
    faults: str = ""
    step_us: int = 0
    step_limit: int = 0
    picks: tuple[tuple[str, int], ...] | None = None
    struck: tuple[tuple[int, str, str, float], ...] | None = None
    without: tuple[str, ...] = ()


class Picks:
    """Picks the tasks that a recording names; strictly, or as close to it as possible."""

    def __init__(self, picks: Sequence[tuple[str, int]], step: Callable[[], int], *, is_lenient: bool) -> None:
        self._names = [name for name, count in picks for _ in range(count)]
        self._next = 0
        self._step = step
        self._is_lenient = is_lenient

    def __call__(self, ready: Sequence[Any]) -> int:
        """Return the index of the recorded task; leniently, of the oldest one if it is not ready."""
        if self._next >= len(self._names):
            return 0
        name = self._names[self._next]
        for index, task in enumerate(ready):
            if task.name == name:
                self._next += 1
                return index
        if not self._is_lenient:
            there = ", ".join(task.name for task in ready)
            raise ReplayDiverged(
                f"at step {self._step() + 1} {name!r} is not ready, only {there}",
                "check out the code that made the token, or replay it leniently",
            )
        self._next += 1
        return 0


def workload_dice(seed: int, client: str) -> Callable[[], float]:
    """Return the random numbers of a client, which depend on the seed and its name, and not on the schedule."""
    return random.Random(f"{seed}/workload/{client}").random
