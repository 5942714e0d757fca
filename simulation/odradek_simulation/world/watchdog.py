"""Runs a world on a pooled thread, and waits for it as a caller must: interruptibly, and not for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from odradek_simulation.errors import WorldStalled
from odradek_simulation.runtime.switchers import run_on_pooled_thread

__all__ = ["Watched", "run_watched"]

T = TypeVar("T", covariant=True)
_PATIENCE = 5.0  # seconds that an interrupted world gets to end


class Watched(Protocol[T]):
    """A run that can be watched from another thread."""

    def run(self) -> T:
        """Run to the end."""
        ...

    def interrupt(self) -> None:
        """Ask the run to end with KeyboardInterrupt after the step in hand."""
        ...

    def place(self) -> tuple[int, str]:
        """Return how many steps were taken, and the task that runs."""
        ...


def run_watched(make: Callable[[], Watched[T]], stall_seconds: float | None) -> T:
    """Make a run and run it, both on a pooled thread.

    Raises what the run raises, KeyboardInterrupt, and WorldStalled if a step takes longer than `stall_seconds` of real
    time (None: no limit). The thread of a stalled step cannot be ended and is left behind.
    """
    done = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []
    running: list[Watched[T]] = []
    is_interrupted = False

    def job() -> None:
        try:
            running.append(make())
            results.append(running[0].run())
        except BaseException as error:
            errors.append(error)

    run_on_pooled_thread(job, done.set)
    seen = -1
    while True:
        try:
            if done.wait(stall_seconds):
                break
            if not running:  # its thread has not got to it yet
                continue
            steps, task = running[0].place()
            if steps == seen:
                raise WorldStalled(steps, task, stall_seconds or 0.0)
            seen = steps
        except KeyboardInterrupt:
            if not running:
                raise
            is_interrupted = True
            running[0].interrupt()
            if not done.wait(_PATIENCE):
                raise
    if errors:
        try:
            raise errors[0]
        finally:
            del errors, job  # break the reference cycle with the traceback
    if is_interrupted:  # the run was about to end, and took no notice
        raise KeyboardInterrupt
    return results[0]
