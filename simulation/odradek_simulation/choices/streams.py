"""The three streams of choices of a run: its workload, its faults and its picks.

They are separate, so that leaving out a client or a fault does not shift all picks after it. Each is drawn from the
seed, or taken from a recording. A recording names the task of every pick, so that a pick can be found again in a run
that has lost some steps.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from odradek_simulation.choices.strategies import StrategyName
from odradek_simulation.errors import ReplayDiverged

__all__ = ["Draws", "Parameter", "Picks", "Progress", "Recipe", "decoded", "encoded"]

Parameter = bool | int | float | str
"""A parameter of a world, which its token keeps."""


class Recipe(msgspec.Struct, frozen=True, array_like=True):
    """All that determines a run, apart from the code.

    seed, strategy, length, faults, step_us, step_limit     as for World; faults are joined by commas
    picks       what was picked where there was a choice, run-length encoded: (name, how often), with "" for the task
                that has been ready for longest; that is also picked at the end. None: the strategy picks
    struck      the faults that were injected: (step, kind, target, value); None: drawn from the seed
    without     names of clients that are not started
    draws       what clients drew, by client; 0 at the end. None: drawn from the seed
    parameters  what the user's own code reads
    is_instant  actors start at once, and not in a step of their own
    quiet_at    the step after which the quiet phase begins, unless the clients end before; 0: as the faults say
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
    draws: dict[str, tuple[int, ...]] | None = None
    parameters: tuple[tuple[str, Parameter], ...] = ()
    is_instant: bool = False
    quiet_at: int = 0

    @property
    def deviations(self) -> int:
        """How many picks differ from taking the task that has been ready for longest; 0 without a recording."""
        return sum(count for name, count in self.picks or () if name)


def encoded(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return picks run-length encoded, without the default ones at their end."""
    runs = [(name, len(list(group))) for name, group in itertools.groupby(names)]
    return tuple(runs[:-1] if runs and not runs[-1][0] else runs)


def decoded(picks: Iterable[tuple[str, int]]) -> list[str]:
    """Return the name of every pick."""
    return [name for name, count in picks for _ in range(count)]


class Picks:
    """Picks what a recording names: strictly, or as close to it as possible.

    Leniently, a pick whose task is not ready is passed over if that task takes no part in the run at all, and is
    otherwise replaced by the default. A pick that begins with `!` takes the oldest task but the one named.
    """

    def __init__(self, picks: Iterable[tuple[str, int]], progress: Progress, *, is_lenient: bool) -> None:
        self._names = decoded(picks)
        self._next = 0
        self._progress = progress
        self._is_lenient = is_lenient

    def __call__(self, ready: Sequence[Any]) -> int:
        """Return the index of the recorded task."""
        while self._next < len(self._names):
            name = self._names[self._next]
            self._next += 1
            if not name:
                return 0
            if self._is_lenient and name[0] == "!":
                return int(ready[0].name == name[1:])
            for index, task in enumerate(ready):
                if task.name == name:
                    return index
            if not self._is_lenient:
                there = ", ".join(task.name for task in ready)
                raise ReplayDiverged(
                    f"at step {self._progress.steps + 1} {name!r} is not ready, only {there}",
                    "check out the code that made the token, or replay it leniently",
                )
            if name in self._progress.names:
                return 0
        return 0


class Progress(Protocol):
    """What picks need to know of a scheduler."""

    steps: int
    names: list[str]


class Draws:
    """What clients draw: from the seed and the client's name, whatever the schedule; or from a recording."""

    def __init__(self, recipe: Recipe) -> None:
        self._seed = recipe.seed
        self._given = recipe.draws
        self._dice: dict[str, Callable[[], float]] = {}
        self.drawn: dict[str, list[int]] = {}

    def draw(self, client: str, bound: int) -> int:
        """Return a number from 0 to `bound` - 1."""
        drawn = self.drawn.setdefault(client, [])
        if self._given is not None:
            given = self._given.get(client, ())
            number = min(given[len(drawn)], bound - 1) if len(drawn) < len(given) else 0
        else:
            dice = self._dice.get(client)
            if dice is None:
                dice = self._dice[client] = random.Random(f"{self._seed}/workload/{client}").random
            number = int(dice() * bound)
        drawn.append(number)
        return number
