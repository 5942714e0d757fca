"""Faults of time: timers that fire late or twice, and a wall clock that jumps."""

from __future__ import annotations

from datetime import timedelta

from odradek_simulation.faults.site import Dice, FaultKind, Site, Struck

__all__ = ["TIME_FAULTS"]


class _LateTimers:
    """Fire the timers that are set during a while later than asked."""

    name = "late-timers"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", site.steps(dice, 5, 1000)

    def strike(self, site: Site, target: str, value: float) -> None:
        site.runtime.delays = lambda delay: (delay + value,)
        site.after(value * 5, lambda: setattr(site.runtime, "delays", None))


class _RepeatedTimers:
    """Fire the timers that are set during a while twice."""

    name = "repeated-timers"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", site.steps(dice, 5, 200)

    def strike(self, site: Site, target: str, value: float) -> None:
        site.runtime.delays = lambda delay: (delay, delay + value)
        site.after(value * 5, lambda: setattr(site.runtime, "delays", None))


class _ClockJump:
    """Set the wall clock forwards or backwards, by up to an hour."""

    name = "clock-jump"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", (dice() - 0.5) * 7200

    def strike(self, site: Site, target: str, value: float) -> None:
        site.runtime.clock_offset += timedelta(seconds=value)


TIME_FAULTS: tuple[FaultKind, ...] = (_LateTimers(), _RepeatedTimers(), _ClockJump())
