"""Faults of the whole process, and of what clients repeat: crashes, retried commands, rebalance storms."""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec.structs import replace

from odradek_actors.consumer.actor import ConsumerActor
from odradek_actors.messages.core import Command, Reply
from odradek_actors.messages.topics import AppendBatch, AppendDone
from odradek_actors.topic.actor import TopicActor
from odradek_simulation.faults.site import Dice, FaultKind, Site, Struck, Tampered, one_of
from odradek_simulation.faults.tasks import stop_soon
from odradek_simulation.runtime.tasks import ActorTask

__all__ = ["LOST_TAIL", "PROCESS_FAULTS"]

LOST_TAIL = "lost-tail"
_MOST_LOST = 5  # commits


class _Crash:
    """End the process: actors, mailboxes, timers and clients are gone, and a new system opens on the same store."""

    name = "crash"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", 0.0

    def strike(self, site: Site, target: str, value: float) -> None:
        site.crash(0)


class _LostTail:
    """Crash, and lose the newest commits, as a power failure does without `durability="full"`.

    Acknowledged messages are lost then, so "all" does not include it.
    """

    name = LOST_TAIL

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", float(1 + int(dice() * _MOST_LOST))

    def strike(self, site: Site, target: str, value: float) -> None:
        site.crash(int(value))


class _Duplicate:
    """Deliver a batch a second time after it was acknowledged, as a late retry would.

    A batch that was refused is not repeated: its sender was told that it is not stored, and retries it no longer.
    """

    name = "duplicate"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        task = one_of(site.actors(TopicActor), dice)
        return None if task is None else (task.name, site.steps(dice, 2, 200))

    def strike(self, site: Site, target: str, value: float) -> None:
        task = site.task(target)
        if isinstance(task, ActorTask) and not isinstance(task.receive, Tampered):
            task.receive = _Repeats(site, task, value)


class _Repeats(Tampered):
    """Handles messages as usual, and repeats the first batch once, a while after it was acknowledged."""

    def __init__(self, site: Site, task: ActorTask, delay: float) -> None:
        super().__init__(task)
        self.site, self._delay = site, delay

    def __call__(self, message: Any) -> None:
        if type(message) is Command and type(message.body) is AppendBatch:
            self.restore()
            message = replace(message, reply_to=_Repeated(self, message))
        self.usual(message)

    def repeat(self, command: Command) -> None:
        """Deliver a command again, after the delay."""
        copy = replace(command, reply_to=_Refused(self.site))
        self.site.after(self._delay, partial(self.site.runtime.scheduler.enqueue, self.task, copy))


class _Repeated:
    """Passes on the answer to a batch, and has the batch repeated if it is stored."""

    def __init__(self, repeats: _Repeats, command: Command) -> None:
        self._repeats, self._command = repeats, command

    def tell(self, message: Any) -> None:
        self._repeats.site.runtime.send(self._command.reply_to, message)
        if isinstance(message, Reply) and isinstance(message.value, AppendDone):
            self._repeats.repeat(self._command)


class _Refused:
    """Takes the answer to a repeated batch. It is not stored again: the invariants of a log check that."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def tell(self, message: Any) -> None:
        self._site.noticed.add("duplicate refused")


class _RebalanceStorm:
    """Kill the actors of all consumers one after another, so that their groups rebalance again and again."""

    name = "rebalance-storm"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return ("", site.steps(dice, 10, 200)) if site.actors(ConsumerActor) else None

    def strike(self, site: Site, target: str, value: float) -> None:
        for number, task in enumerate(site.actors(ConsumerActor)):
            site.after(value * (number + 1), partial(stop_soon, site, task.name))


PROCESS_FAULTS: tuple[FaultKind, ...] = (_Crash(), _LostTail(), _Duplicate(), _RebalanceStorm())
