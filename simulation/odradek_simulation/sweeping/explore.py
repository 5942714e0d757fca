"""Explores a tiny world: runs every schedule within a limit of deviations, and says what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from odradek_simulation.choices.odometer import Odometer, Pruned
from odradek_simulation.runtime.tasks import Task
from odradek_simulation.world.result import Result
from odradek_simulation.world.target import target_of
from odradek_simulation.world.world import Start

__all__ = ["Exploration", "explore"]

_MAX_RUNS = 20_000


class Exploration(msgspec.Struct, frozen=True):
    """What a search found: how many schedules it ran, how many of them it could cut short, and the first failure.

    `is_complete` says whether it came to an end within its limit of runs.
    """

    runs: int
    pruned: int
    is_complete: bool
    failure: Result | None


def explore(
    start: Start, deviations: int = 3, *, max_runs: int = _MAX_RUNS, prune: bool = True, **options: Any
) -> Exploration:
    """Run every schedule of a world without faults whose deviations from first come, first served are within a limit.

    For worlds of a few actors and some dozens of steps: their number grows with the number of steps to the power of
    `deviations`. Ends at the first failure. With `prune`, schedules that come to a known state are cut short.
    """
    search = _Search(start, deviations, options)
    runs = pruned = 0
    for result in search.results(prune=prune):
        runs += 1
        pruned += result is None
        if result is not None and result.failure is not None:
            return Exploration(runs, pruned, False, result)
        if runs >= max_runs:
            return Exploration(runs, pruned, False, None)
    return Exploration(runs, pruned, True, None)


class _Search:
    def __init__(self, start: Start, deviations: int, options: dict[str, Any]) -> None:
        self._target = target_of(start)
        self._odometer = Odometer(deviations)
        self._options = {**options, "faults": "none", "strategy": "fifo"}

    def results(self, *, prune: bool) -> Iterator[Result | None]:
        """Yield the result of each schedule, None for one that was cut short."""
        while True:
            world = self._target.world(0, **self._options)
            observer = _Histories(self._odometer, lambda: world.tasks) if prune else None  # noqa: B023  # used at once
            try:
                yield world.run_with(self._target.start, self._odometer, observer)
            except Pruned:
                yield None
            if not self._odometer.advance():
                return


class _Histories:
    """Identifies the state of a world by what each task has received, without looking at any message.

    Takes the place of a trace. A message is labelled by what its sender had received when it sent it; a task's history
    is a hash of the labels of what it received; a client receives what wakes it. Equal histories mean equal states,
    because nothing else determines a task.
    """

    def __init__(self, odometer: Odometer, tasks: Callable[[], Sequence[Task]]) -> None:
        self._labels: dict[int, int] = {0: 0}
        self._histories: dict[int, int] = {}
        self._tasks = tasks
        self.picked: list[str] = []
        odometer.state = self.state

    def sent(self, number: int, now: int, task: Task, recipient: Any, message: Any) -> None:
        """Label a message."""
        history = self._histories[task.number] = hash((self._histories.get(task.number, task.number), 1))
        self._labels[number] = history

    def received(self, number: int, now: int, task: Task, message: Any, sent_at: int) -> None:
        """Extend the history of a task."""
        before = self._histories.get(task.number, task.number)
        self._histories[task.number] = hash((before, self._labels.get(sent_at, sent_at)))

    def resumed(self, number: int, now: int, task: Task, woken_at: int) -> None:
        """Extend the history of a client."""
        self.received(number, now, task, None, woken_at)

    def state(self) -> int:
        """Return a hash of all histories, and of what is on its way."""
        labels = self._labels
        return hash(
            tuple(
                (
                    task.number,
                    self._histories.get(task.number, task.number),
                    tuple(labels.get(sent_at, sent_at) for _, sent_at in task.inbox),
                    len(task.outbox),
                )
                for task in sorted(self._tasks(), key=_number)
            )
        )


def _number(task: Task) -> int:
    return task.number
