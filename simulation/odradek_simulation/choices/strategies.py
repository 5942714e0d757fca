"""Strategies: which of the ready tasks takes the next step.

A strategy is called with the ready tasks, oldest first, and returns an index. Medians of schedules to the first
failure, over 11 disjoint ranges of seeds: a zombie's commit takes random walks 80-180, PCT with d = 3 13-21; two logs
written in one order takes random walks 2, PCT with d = 1 never finds it. So no strategy wins, and sweeps use them all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

__all__ = ["STRATEGIES", "Choose", "Pct", "Prioritised", "StrategyName", "fifo", "random_walk", "strategy"]

StrategyName = Literal["fifo", "random", "pct1", "pct2", "pct3"]
STRATEGIES: tuple[StrategyName, ...] = ("fifo", "random", "pct1", "pct2", "pct3")


class Prioritised(Protocol):
    """What a strategy needs of a task."""

    number: int
    priority: float


Choose = Callable[[Sequence[Any]], int]


def fifo(_: Sequence[Any]) -> int:
    """Take the task that has been ready for longest."""
    return 0


def random_walk(seed: str) -> Choose:
    """Take any ready task, all with the same probability."""
    dice = random.Random(seed).random

    def choose(ready: Sequence[Any]) -> int:
        return int(dice() * len(ready))

    return choose


class Pct:
    """Probabilistic concurrency testing: always the ready task of the highest priority, with d - 1 changes.

    Each task gets a random priority above d. At d - 1 random moments the task that would run drops to the lowest
    priority so far. One run finds a bug of depth d with probability of at least 1 / (n k^(d-1)), for n tasks and k
    choices. Source: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A randomized scheduler with probabilistic guarantees
    of finding bugs", ASPLOS 2010. Only steps with a choice count; `length` is an estimate of their number.
    """

    def __init__(self, seed: str, depth: int, length: int) -> None:
        self._dice = random.Random(seed).random
        self._depth = depth
        changes = sorted({1 + int(self._dice() * length) for _ in range(depth - 1)})
        self._changes = list(reversed(changes))
        self._count = 0

    def __call__(self, ready: Sequence[Prioritised]) -> int:
        """Return the index of the ready task with the highest priority."""
        self._count += 1
        best, highest = 0, -1.0
        for index, task in enumerate(ready):
            if task.priority == 0.0:
                task.priority = self._depth + self._dice()
            if task.priority > highest:
                best, highest = index, task.priority
        if self._changes and self._count >= self._changes[-1]:
            self._changes.pop()
            ready[best].priority = (len(self._changes) + 1) / (self._depth + 1)
            self._count -= 1
            return self(ready)
        return best


def strategy(name: StrategyName, seed: str, length: int) -> Choose:
    """Return the strategy of a name; `length` is the number of choices in the longest run so far."""
    if name == "fifo":
        return fifo
    if name == "random":
        return random_walk(seed)
    return Pct(seed, int(name[3:]), length)
