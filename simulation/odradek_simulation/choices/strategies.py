"""Strategies: which of the ready tasks takes the next step.

A strategy is called with the ready tasks, oldest first, and returns an index. Medians of schedules to the first
failure, over 11 disjoint ranges of seeds: a zombie's commit takes random walks 80-180, PCT with d = 3 13-21, POS 19;
two logs written in one order take random walks 2, POS 3, PCT with d = 1 never finds them. No strategy wins, so the
portfolio takes a different one for each seed.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

__all__ = [
    "STRATEGIES",
    "Choose",
    "Pct",
    "Pos",
    "Prioritised",
    "StrategyName",
    "fifo",
    "random_walk",
    "resolved",
    "strategy",
]

StrategyName = Literal["fifo", "random", "pct1", "pct2", "pct3", "pos", "portfolio"]
STRATEGIES: tuple[StrategyName, ...] = ("fifo", "random", "pct1", "pct2", "pct3", "pos")
"""The strategies themselves; "portfolio" stands for all but the first, one after another by seed."""
_PORTFOLIO: tuple[StrategyName, ...] = ("random", "pos", "pct3", "pct1", "random", "pos", "pct2", "pct3")


class Prioritised(Protocol):
    """What a strategy needs of a task."""

    number: int
    priority: float
    outbox: deque[tuple[Any, Any]]


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


class Pos:
    """Partial order sampling: every pending step has a random priority, and the highest one is taken.

    The priority of a step is drawn again when the task comes to its next step, and when a step that races with it is
    taken: two sends to the same mailbox race. Source: Yuan, Yang, Gu, "Partial order aware concurrency sampling", CAV
    2018.
    """

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed).random

    def __call__(self, ready: Sequence[Prioritised]) -> int:
        """Return the index of the task whose pending step has the highest priority."""
        best, highest = 0, 0.0
        for index, task in enumerate(ready):
            if task.priority == 0.0:
                task.priority = 1.0 - self._dice()
            if task.priority > highest:
                best, highest = index, task.priority
        chosen = ready[best]
        chosen.priority = 0.0
        if chosen.outbox:
            mailbox = _mailbox_of(chosen)
            for task in ready:
                if task.outbox and _mailbox_of(task) is mailbox:
                    task.priority = 0.0
        return best


def _mailbox_of(task: Prioritised) -> object:
    """Return what the next message of a task's outbox goes to."""
    recipient = task.outbox[0][0]
    return getattr(recipient, "actor_inbox", recipient)


def resolved(name: StrategyName, seed: int) -> StrategyName:
    """Return the strategy that a seed runs under: one of the portfolio, or the named one."""
    return _PORTFOLIO[seed % len(_PORTFOLIO)] if name == "portfolio" else name


def strategy(name: StrategyName, seed: str, length: int) -> Choose:
    """Return the strategy of a name; `length` is the number of choices in the longest run so far."""
    if name == "fifo":
        return fifo
    if name == "random":
        return random_walk(seed)
    if name == "pos":
        return Pos(seed)
    return Pct(seed, int(name[3:]), length)
