"""Faults of the store: appends that fail cleanly or with unknown outcome, a log that is away, bad snapshots."""

from __future__ import annotations

from odradek_simulation.faults.site import Dice, FaultKind, Site, Struck
from odradek_simulation.faults.snapshots import SPOILED

__all__ = ["STORAGE_FAULTS"]


class _Reject:
    """Refuse appends cleanly, as a full disk does."""

    name = "log-full"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", float(1 + int(dice() * 3))

    def strike(self, site: Site, target: str, value: float) -> None:
        site.log.reject(times=int(value))


class _LoseAnswer:
    """Fail an append with unknown outcome: half of them are stored."""

    name = "unknown-outcome"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", float(int(dice() * 2))

    def strike(self, site: Site, target: str, value: float) -> None:
        site.log.lose_answer(written=bool(value))


class _Away:
    """Make the log unavailable for a while: neither appends nor reopening work."""

    name = "log-away"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", site.steps(dice, 5, 500)

    def strike(self, site: Site, target: str, value: float) -> None:
        site.log.is_away = True
        site.after(value, lambda: setattr(site.log, "is_away", False))


class _Unreadable:
    """Make the log refuse reads for a while."""

    name = "unreadable"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return "", site.steps(dice, 5, 200)

    def strike(self, site: Site, target: str, value: float) -> None:
        site.log.is_unreadable = True
        site.after(value, lambda: setattr(site.log, "is_unreadable", False))


class _BadSnapshots:
    """Let the next loads of snapshots find none, an old, a corrupt or a too new one."""

    name = "bad-snapshots"

    def draw(self, site: Site, dice: Dice) -> Struck | None:
        return SPOILED[int(dice() * len(SPOILED))], float(1 + int(dice() * 5))

    def strike(self, site: Site, target: str, value: float) -> None:
        site.snapshots.spoil(next(how for how in SPOILED if how == target), int(value))


STORAGE_FAULTS: tuple[FaultKind, ...] = (_Reject(), _LoseAnswer(), _Away(), _Unreadable(), _BadSnapshots())
