"""A workload from a recorded log: the commands that its decisions answer, at the times at which they were recorded.

What a log cannot tell: commands that were refused or changed nothing left no trace, so the workload lacks them; and a
command arrived earlier than its events were recorded, by an unknown time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from odradek_boundaries.errors import InvalidWorkload
from odradek_boundaries.workload import Workload
from odradek_events.log.port import EventLog
from odradek_events.record import Commit, type_name

__all__ = ["CommandsOf", "Recording", "record"]

CommandsOf = Callable[[Sequence[Any]], Sequence[Any]]
"""From the events of one decision to the commands that they answer; none if the model has no such command."""


class Recording(msgspec.Struct, frozen=True):
    """A workload from a log, and how many events of each type no command stands for."""

    workload: Workload
    skipped: dict[str, int]


def record(log: EventLog, commands_of: CommandsOf, workload: Workload) -> Recording:
    """Read the commands of a log; times of service and retries are those of `workload`.

    Raises InvalidWorkload if the log has no decision that the model knows.
    """
    recorded: list[tuple[float, Any]] = []
    skipped: dict[str, int] = {}
    begin = None
    for commit in log.commits():
        begin = begin or commit.metadata.recorded_at
        at_ms = (commit.metadata.recorded_at - begin).total_seconds() * 1000
        for events in _decisions(commit):
            commands = commands_of(events)
            recorded += [(at_ms, command) for command in commands]
            if not commands:
                for event in events:
                    name = type_name(event)
                    skipped[name] = skipped.get(name, 0) + 1
    if not recorded:
        raise InvalidWorkload("the log has no event that a command of the model leads to; use another log or model")
    times = msgspec.structs.asdict(workload) | {"mix": {}, "per_second": None, "clients": None}
    return Recording(Workload(**times | {"recorded": tuple(recorded), "count": len(recorded)}), skipped)


def _decisions(commit: Commit) -> Iterator[list[Any]]:
    """Yield the events of each decision of a commit."""
    first = 0
    for decision in commit.metadata.decisions:
        yield commit.events[first : first + decision.event_count]
        first += decision.event_count
