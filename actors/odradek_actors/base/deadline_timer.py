"""One timer for many deadlines: deadlines that move on, as most do, cost no timer each."""

from __future__ import annotations

from odradek_actors.base.actor import OdradekActor
from odradek_actors.messages.core import Tick

__all__ = ["DeadlineTimer"]


class DeadlineTimer:
    """Wakes an actor by a Tick at the earliest deadline it asked for; the actor then sets the timer again."""

    def __init__(self, actor: OdradekActor, purpose: str) -> None:
        self._actor = actor
        self._purpose = purpose
        self._number = 0
        self._due = float("inf")  # when the timer that is set goes off

    def wake_in(self, delay: float) -> None:
        """Have the actor woken in `delay` seconds, or earlier."""
        due = self._actor.runtime.monotonic() + delay
        if due < self._due:
            self._due = due
            self._number = self._actor.runtime.new_number()
            self._actor.tick(delay, Tick(self._purpose, self._number))

    def is_fired_by(self, tick: Tick) -> bool:
        """Say whether a Tick is this timer's, not that of a timer replaced by an earlier one; the timer is then off."""
        if tick.purpose != self._purpose or tick.number != self._number:
            return False
        self._due = float("inf")
        return True
