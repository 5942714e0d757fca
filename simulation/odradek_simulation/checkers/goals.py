"""Goals: what should happen sometimes. A sweep that never gets there has not tested it.

A check that must always hold says nothing about runs in which nothing happened. So a run notes which goals it reached
(a fault that fired, a rebalance during a fetch), the reports of many runs are merged, and what no run reached is shown.
The idea is that of Antithesis' and FoundationDB's *sometimes* assertions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from odradek_events.types import (
    GroupDeleted,
    MemberLeft,
    OffsetReset,
    OffsetsExpired,
    PartitionsRevoked,
    ProducerEpochBumped,
    RebalanceStarted,
    RecordsDeleted,
    StaticMemberReplaced,
    TopicDeleted,
)
from odradek_simulation.checkers.finding import Finding

__all__ = ["EVENT_GOALS", "GoalReport", "Goals"]

EVENT_GOALS: dict[type[Any], str] = {
    GroupDeleted: "a group was deleted",
    MemberLeft: "a member left its group",
    OffsetReset: "an offset was reset",
    OffsetsExpired: "committed offsets expired",
    PartitionsRevoked: "a consumer gave up partitions",
    ProducerEpochBumped: "a producer began a new epoch",
    RebalanceStarted: "a group rebalanced although its members stayed the same",
    RecordsDeleted: "messages were deleted",
    StaticMemberReplaced: "a static member came back",
    TopicDeleted: "a topic was deleted",
}
"""Goals that an event in the log reaches, by its type."""


class GoalReport(msgspec.Struct, frozen=True):
    """Of how many runs each goal was reached in; 0 for a goal that was expected and never reached."""

    runs: int
    reached_in: dict[str, int]

    @classmethod
    def merged(cls, reports: Iterable[GoalReport]) -> GoalReport:
        """Return the report over the runs of all these reports. The order of the reports does not matter."""
        runs, reached_in = 0, dict[str, int]()
        for report in reports:
            runs += report.runs
            for name, times in report.reached_in.items():
                reached_in[name] = reached_in.get(name, 0) + times
        return cls(runs, dict(sorted(reached_in.items())))

    @property
    def never(self) -> list[str]:
        """The goals that no run reached, sorted."""
        return sorted(name for name, times in self.reached_in.items() if not times)

    def findings(self) -> list[Finding]:
        """Return a finding for each goal that no run reached."""
        return [
            Finding("sometimes", f"{name!r} was not reached in any of {self.runs} runs", {"goal": name})
            for name in self.never
        ]

    def __str__(self) -> str:
        """One line for each goal, those that were never reached first, then the rarest."""
        ranked = sorted(self.reached_in.items(), key=lambda each: (each[1], each[0]))
        lines = [f"NEVER  {name}" if not times else f"{times:5}  {name}" for name, times in ranked]
        return "\n".join([f"goals reached in {self.runs} runs:", *lines])


class Goals:
    """The goals of one run: those that are expected, and those that were reached."""

    def __init__(self, expected: Iterable[str] = ()) -> None:
        self._reached = dict.fromkeys(expected, False)

    def expect(self, name: str) -> None:
        """Add a goal. A report lists it, whether it is reached or not."""
        self._reached.setdefault(name, False)

    def reach(self, name: str) -> None:
        """Note that a goal is reached, be it expected or not."""
        self._reached[name] = True

    def observe(self, events: Iterable[Any]) -> None:
        """Note the goals that these events of a log reach; see EVENT_GOALS."""
        for event in events:
            name = EVENT_GOALS.get(type(event))
            if name is not None:
                self._reached[name] = True

    def has_reached(self, name: str) -> bool:
        """Return whether a goal is reached: what is reached need not be looked for any longer."""
        return self._reached.get(name, False)

    def report(self) -> GoalReport:
        """Return the report of this run, to be merged with those of others."""
        return GoalReport(1, {name: int(is_reached) for name, is_reached in sorted(self._reached.items())})
