"""One timer for many deadlines, so that deadlines that are often extended do not each need a timer."""

from __future__ import annotations

from odradek_actors.base.actor import OdradekActor
from odradek_actors.messages.core import Tick

__all__ = ["DeadlineTimer"]


class DeadlineTimer:
    """Sends an actor a Tick at the earliest requested deadline. The actor then sets the timer again."""

    def __init__(self, actor: OdradekActor, purpose: str) -> None:
        self._actor = actor
        self._purpose = purpose
        self._number = 0
        self._due = float("inf")  # when the current timer fires

    def wake_in(self, delay: float) -> None:
        """Send the actor a Tick in `delay` seconds or earlier."""
        due = self._actor.runtime.monotonic() + delay
        if due < self._due:
            number = self._actor.runtime.new_number()
            self._actor.tick(delay, Tick(self._purpose, number))
            self._due, self._number = due, number

    def is_fired_by(self, tick: Tick) -> bool:
        """Return whether a Tick belongs to the current timer, not to a replaced one; if so, the timer is then off."""
        if tick.purpose != self._purpose or tick.number != self._number:
            return False
        self._due = float("inf")
        return True
