"""Stops in the debugger one step before a failure.

The debugger runs in the thread of the world, between two steps: virtual time stands still, and `s` leads into the
handler that fails.
"""

from __future__ import annotations

from typing import Any

import pytest

from odradek_actors.client.system import ActorSystem
from odradek_simulation.runtime.tasks import Task
from odradek_simulation.runtime.trace import Trace
from odradek_simulation.world.result import Result
from odradek_simulation.world.target import Target
from odradek_simulation.world.world import World

__all__ = ["repeat_and_stop"]


def repeat_and_stop(target: Target, token: str) -> Result:
    """Repeat the run of a token twice: to learn when it fails, and to stop there. A run that passes does not stop."""
    failed = target.repeat(token, trace=True, stall_seconds=None)
    if failed.failure is None:
        return failed
    stopping = _StoppingTrace(_step_of(failed))
    world = target.replay(token, trace=stopping, stall_seconds=None)
    stopping.world = world
    return world.run(target.start)


def _step_of(failed: Result) -> int:
    """Return the step that fails: of a client the one in which it raised, and not the one in which that was noticed."""
    failure = failed.failure
    assert failure is not None, "only failures have such a step"
    assert failed.trace is not None, "the run was traced"
    resumed = [step.number for step in failed.trace if step.kind == "resumed" and step.task == failure.what]
    return resumed[-1] if failure.kind == "client" and resumed else failure.step


class _StoppingTrace(Trace):
    """A trace that stops before a step."""

    __slots__ = ("_step", "world")

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step
        self.world: World

    def sent(self, number: int, now: int, task: Task, recipient: Any, message: Any) -> None:
        """Record that a message left an outbox."""
        super().sent(number, now, task, recipient, message)
        if number == self._step:
            _stop(self.world.system, self.world, task, message)

    def received(self, number: int, now: int, task: Task, message: Any, sent_at: int) -> None:
        """Record that a task handles a message."""
        super().received(number, now, task, message, sent_at)
        if number == self._step:
            _stop(self.world.system, self.world, task, message)

    def resumed(self, number: int, now: int, task: Task, woken_at: int) -> None:
        """Record that a client runs."""
        super().resumed(number, now, task, woken_at)
        if number == self._step:
            _stop(self.world.system, self.world, task, None)


def _stop(system: ActorSystem, world: World, task: Task, message: Any) -> None:
    pytest.set_trace(header=f"the next step of {task.name} fails; see system, world, task and message, and `s` into it")
