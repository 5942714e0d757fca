"""What faults can reach: the parts of a world, and the form of a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from odradek_actors.base.actor import OdradekActor
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_events.log.faulty import FaultyLog
from odradek_simulation.faults.snapshots import FaultySnapshots
from odradek_simulation.runtime.seeded import SeededRuntime
from odradek_simulation.runtime.tasks import ActorTask, Task

__all__ = ["Dice", "Fault", "FaultKind", "Site", "Struck", "Tampered", "one_of"]

Dice = Callable[[], float]
"""Returns random numbers in [0, 1)."""
Struck = tuple[str, float]
"""What a fault strikes, such as the name of a task, and a number, such as its duration in seconds."""


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """A fault that was injected before the step after `step`."""

    step: int
    kind: str
    target: str = ""
    value: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".strip()


class Site:
    """The parts of a world that faults change.

    may_hang    names of the tasks that may hang for ever, because others take over their work
    hung        names of those that do
    crash       asks for a crash of the process; the argument is the number of commits that the log loses
    raised      the exceptions that were, or will be, raised in handlers
    noticed     what has happened that is worth a goal, such as "duplicate refused"
    """

    def __init__(self, runtime: SeededRuntime, log: FaultyLog, snapshots: FaultySnapshots) -> None:
        self.runtime = runtime
        self.log = log
        self.snapshots = snapshots
        self.may_hang: set[str] = set()
        self.hung: list[str] = []
        self.crash: Callable[[int], None] = lambda _: None
        self.raised: list[BaseException] = []
        self.noticed: set[str] = set()

    def task(self, name: str) -> Task | None:
        """Return the task of a name, if it lives."""
        return next((task for task in self.runtime.scheduler.tasks if task.name == name and task.is_alive), None)

    def actors(self, *classes: type[Any]) -> list[ActorTask]:
        """Return the live actors of these classes, in the order in which they were started."""
        return [
            task
            for task in self.runtime.scheduler.tasks
            if isinstance(task, ActorTask) and task.is_alive and isinstance(task.actor, classes or OdradekActor)
        ]

    def heal(self) -> None:
        """End every fault that lasts; tasks that hang go on hanging."""
        self.log.heal()
        self.snapshots.heal()
        self.runtime.delays = None
        for task in list(self.runtime.scheduler.tasks):
            task.delay_ns = 0
            if isinstance(task.receive, Tampered):
                task.receive.restore()
            if task.name not in self.hung:
                self.runtime.scheduler.let_go(task)

    def stream_actors(self) -> list[ActorTask]:
        """Return the live actors that own an aggregate."""
        return self.actors(EventSourcedActor)

    def steps(self, dice: Dice, least: float, most: float) -> float:
        """Draw a duration: virtual seconds of `least` to `most` steps, short ones as often as long ones."""
        return float(least * (most / least) ** dice() * self.runtime.scheduler.step_ns / 1e9)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` between two steps, after virtual seconds."""
        self.runtime.scheduler.at(round(seconds * 1e9), action)


class Tampered:
    """Takes the place of a task's `receive`, and lets a fault strike at a message; `usual` is what it replaces."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.usual: Callable[[Any], None] = task.receive

    def restore(self) -> None:
        """Let the task receive as usual."""
        self.task.receive = self.usual


class FaultKind(Protocol):
    """A kind of fault: `draw` chooses what to strike, None if there is nothing; `strike` does it."""

    @property
    def name(self) -> str:
        """The name by which users choose it."""
        ...

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        """Choose a target and a value."""
        ...

    def strike(self, site: Site, target: str, value: float) -> None:
        """Inject the fault; a target that no longer exists is left alone."""
        ...


def one_of(tasks: Iterable[Task], dice: Dice) -> Task | None:
    """Return one of these tasks, or None if there are none."""
    found = list(tasks)
    return found[int(dice() * len(found))] if found else None
