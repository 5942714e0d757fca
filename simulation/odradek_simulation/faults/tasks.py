"""Faults of single actors and clients: they die, recover, stand still, hang, slow down, or raise."""

from __future__ import annotations

from functools import partial
from typing import Any

import pykka

from odradek_actors.consumer.actor import ConsumerActor
from odradek_actors.infrastructure.directory import DirectoryActor
from odradek_actors.infrastructure.journal import JournalActor
from odradek_actors.infrastructure.log_reader import LogReaderActor
from odradek_actors.infrastructure.snapshot_writer import SnapshotWriterActor
from odradek_actors.messages.core import Recover, Reply
from odradek_simulation.faults.site import Dice, FaultKind, Site, Struck, Tampered, one_of
from odradek_simulation.runtime.tasks import ActorTask, Client, Task, TimerTask

__all__ = ["TASK_FAULTS", "InjectedAbort", "InjectedError", "stop_soon"]


class InjectedError(Exception):
    """What the fault `exception` raises in a handler."""


class InjectedAbort(BaseException):
    """As InjectedError, but no Exception: as SystemExit or a test's own abort would be."""


class _Kill:
    """Stop an actor after the messages in its inbox, whatever it is doing."""

    name = "kill"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        task = one_of(site.stream_actors(), dice)
        return None if task is None else (task.name, 0.0)

    def strike(self, site: Site, target: str, value: float) -> None:
        stop_soon(site, target)


class _Recover:
    """Have an actor drop its state and rebuild it from the log."""

    name = "recover"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        task = one_of(site.stream_actors(), dice)
        return None if task is None else (task.name, 0.0)

    def strike(self, site: Site, target: str, value: float) -> None:
        task = site.task(target)
        if task is not None:
            site.runtime.scheduler.enqueue(task, Recover())


class _Pause:
    """Let a task stand still for a while; then it goes on as if nothing had happened, a zombie perhaps."""

    name = "pause"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        task = one_of(_pausable(site), dice)
        return None if task is None else (task.name, site.steps(dice, 5, 3000))

    def strike(self, site: Site, target: str, value: float) -> None:
        task = site.task(target)
        if task is not None and not task.is_held:
            scheduler = site.runtime.scheduler
            scheduler.hold(task)
            site.after(value, partial(_resume, site, task))


class _Swizzle:
    """Pause about half of the actors one by one, and resume them in another order."""

    name = "swizzle"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", dice()

    def strike(self, site: Site, target: str, value: float) -> None:
        for number, task in enumerate(site.actors()):
            chance = (value * (number + 2) * 7.13) % 1.0
            if chance < 0.5 and not task.is_held:
                site.runtime.scheduler.hold(task)
                site.after(chance * 1000 * site.runtime.scheduler.step_ns / 1e9, partial(_resume, site, task))


class _Hang:
    """Let a task stand still for good, one that `World.may_hang` names."""

    name = "hang"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        task = one_of((task for task in _pausable(site) if task.name in site.may_hang), dice)
        return None if task is None else (task.name, 0.0)

    def strike(self, site: Site, target: str, value: float) -> None:
        task = site.task(target)
        if task is not None:
            site.runtime.scheduler.hold(task)
            site.hung.append(target)


class _Slow:
    """Let every step of a client or an infrastructure actor take longer, for a while."""

    name = "slow"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        slow = (JournalActor, LogReaderActor, DirectoryActor, SnapshotWriterActor, ConsumerActor)
        clients = [task for task in site.runtime.scheduler.tasks if isinstance(task, Client)]
        task = one_of([*site.actors(*slow), *clients[1:]], dice)
        return None if task is None else (task.name, site.steps(dice, 2, 100))

    def strike(self, site: Site, target: str, value: float) -> None:
        task = site.task(target)
        if task is not None:
            task.delay_ns = round(value * 1e9)
            site.after(value * 30, partial(_speed_up, task))


class _Raise:
    """Raise in a handler: before it does anything, or after it has done everything; an Exception or an abort."""

    name = "exception"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        task = one_of(site.actors(), dice)
        return None if task is None else (task.name, float(int(dice() * 4)))

    def strike(self, site: Site, target: str, value: float) -> None:
        task = site.task(target)
        if isinstance(task, ActorTask) and not isinstance(task.receive, Tampered):
            error = InjectedAbort("injected abort") if int(value) & 1 else InjectedError("injected exception")
            site.raised.append(error)
            task.receive = _Armed(task, error, after=int(value) >= 2)


class _Armed(Tampered):
    """Handles the next message that is not Pykka's own with an exception."""

    def __init__(self, task: ActorTask, error: BaseException, *, after: bool) -> None:
        super().__init__(task)
        self._actor, self._error, self._after = task.actor, error, after

    def __call__(self, message: Any) -> None:
        actor = self._actor
        kind = type(message)
        table: dict[Any, Any] = actor._continuations if kind is Reply else actor.handlers
        key = message.request_id if kind is Reply else kind
        usual = table.get(key)
        if usual is None:
            self.usual(message)
            return
        self.restore()

        def raise_once(value: Any) -> None:
            table[key] = usual
            if self._after:
                usual(value)
            raise self._error

        table[key] = raise_once
        self.usual(message)


def stop_soon(site: Site, target: str) -> None:
    """Stop an actor after the messages in its inbox."""
    task = site.task(target)
    if isinstance(task, ActorTask):
        site.runtime.scheduler.enqueue(task, pykka._envelope.Envelope(pykka.messages._ActorStop()))


def _pausable(site: Site) -> list[Task]:
    tasks = site.runtime.scheduler.tasks
    return [task for task in tasks[1:] if not isinstance(task, TimerTask) and task.is_alive and not task.is_held]


def _resume(site: Site, task: Task) -> None:
    if task.name not in site.hung and task.is_alive:
        site.runtime.scheduler.let_go(task)


def _speed_up(task: Task) -> None:
    task.delay_ns = 0


TASK_FAULTS: tuple[FaultKind, ...] = (_Kill(), _Recover(), _Pause(), _Swizzle(), _Hang(), _Slow(), _Raise())
