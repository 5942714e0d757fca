"""Bounded exhaustive search: every schedule whose picks deviate from the default by no more than a limit.

A pick's deviation is its index among the ready tasks, oldest first; a schedule's is the sum over its picks. The search
walks the tree of picks depth first, as an odometer counts: it runs the schedule, then raises the last pick that can be
raised within the limit, and drops what follows. Source of the bound: Emmi, Qadeer, Rakamaric, "Delay-bounded
scheduling", POPL 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

__all__ = ["Odometer", "Pruned"]


class Pruned(Exception):
    """A schedule has come to a state that was explored before; its run need not go on."""


class Odometer:
    """Gives the picks of one schedule after another.

    Use it as a strategy for one run, then call `advance`. With `state`, which returns what identifies the state of the
    world at a choice, a run raises Pruned when it comes to a state again that an earlier run went on from with as many
    deviations left. The search is then faster, but schedules at the limit may be missed, because the order in which
    tasks are listed is not part of the state.
    """

    def __init__(self, limit: int, state: Callable[[], Hashable] | None = None) -> None:
        self._limit = limit
        self.state = state
        self._indices: list[int] = []
        self._counts: list[int] = []
        self._place = 0
        self._spent = 0
        self._explored: dict[Hashable, int] = {}

    def __call__(self, ready: Sequence[Any]) -> int:
        """Return the index of the schedule's next pick."""
        place = self._place
        self._place += 1
        if place < len(self._indices):
            self._counts[place] = len(ready)
            self._spent += self._indices[place]
            return self._indices[place]
        if self.state is not None:
            left = self._limit - self._spent
            key = self.state()
            if self._explored.get(key, -1) >= left:
                self._place -= 1
                raise Pruned
            self._explored[key] = left
        self._indices.append(0)
        self._counts.append(len(ready))
        return 0

    def advance(self) -> bool:
        """Go to the next schedule; return False if there is none."""
        del self._indices[self._place :], self._counts[self._place :]
        self._place = self._spent = 0
        while self._indices:
            raised = self._indices[-1] + 1
            if raised < self._counts[-1] and sum(self._indices[:-1]) + raised <= self._limit:
                self._indices[-1] = raised
                return True
            self._indices.pop()
            self._counts.pop()
        return False
