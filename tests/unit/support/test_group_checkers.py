"""The checkers of a group's history find what they are for."""

from __future__ import annotations

from typing import Any

import pytest
from support.domain import NOON
from support.group_checkers import group_anomalies
from support.log import append

from odradek_events import MemoryLog
from odradek_events.types import (
    GenerationStarted,
    GroupAssigned,
    MemberAssignment,
    MemberJoined,
    MemberLeft,
    MessageConsumed,
    MessageProduced,
    OffsetCommitted,
    PartitionsAssigned,
    PartitionsRevoked,
    StaticMemberReplaced,
)

ZERO, ONE = ("t", 0), ("t", 1)


def joined(name: str) -> MemberJoined:
    return MemberJoined("g", f"m-{name}", name, ("t",), ("range",), 1, 1, "r", NOON)


def started(generation: int, *names: str) -> GenerationStarted:
    return GenerationStarted("g", generation, "range", "m-a", tuple(f"m-{name}" for name in names), NOON)


def assigned(generation: int, **shares: Any) -> GroupAssigned:
    given = tuple(MemberAssignment(f"m-{name}", tuple(places)) for name, places in shares.items())
    return GroupAssigned("g", generation, given, NOON)


def committed(offset: int, by: str, partition: int = 0) -> OffsetCommitted:
    return OffsetCommitted("group/g", "t", "t-1", partition, offset, NOON, by)


def consumed(partition: int) -> MessageConsumed:
    return MessageConsumed("t", partition, 0, "id", "a", NOON)


SOUND = [joined("a"), joined("b"), started(1, "a", "b"), assigned(1, a=[ZERO], b=[ONE]), committed(1, "a")]


def anomalies(group: list[Any], consumer: list[Any] | None = None) -> list[str]:
    """Return the anomalies of a log with two messages in the first partition, without their places."""
    with MemoryLog() as log:
        append(log, "topic/t", *(MessageProduced("t", 0, offset, "id", "p", 0, offset, NOON) for offset in (0, 1)))
        append(log, "group/g", *group)
        if consumer:
            append(log, "consumer/a", *consumer)
        return [what.split(": ", 2)[2] for what in group_anomalies(log.read())]


def test_a_sound_history_has_no_anomalies() -> None:
    took = PartitionsAssigned("a", (ZERO,), (), NOON)
    assert anomalies(SOUND, [took, consumed(0)]) == []
    assert anomalies([*SOUND, MemberLeft("g", "m-a", "", NOON), started(2, "b"), assigned(2, b=[ZERO, ONE])]) == []
    replaced = StaticMemberReplaced("g", "i", "m-a", "m-c", "c", NOON)
    assert anomalies([*SOUND, replaced, committed(2, "c"), started(2, "b", "c")]) == []


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([MemberLeft("g", "m-c", "", NOON)], "m-c left, and was no member"),
        ([StaticMemberReplaced("g", "i", "m-c", "m-d", "d", NOON)], "m-c was replaced, and was no member"),
        ([started(3, "a", "b")], "generation 3 after 1"),
        ([started(2, "a")], "generation 2 of other members than there are"),
        ([assigned(2, a=[ZERO], b=[ONE])], "shares of generation 2 in 1"),
        ([assigned(1, a=[ZERO], b=[ZERO])], "two-owners: ('t', 0) in generation 1"),
        ([committed(0, "a")], "commit-backwards: ('t', 0) from 1 to 0"),
        ([committed(3, "a")], "commit-beyond-end: ('t', 0) 3 of 2"),
        ([committed(2, "b")], "commit-by-other: ('t', 0) of a by b"),
    ],
)
def test_each_wrong_turn_of_a_group_is_found(events: list[Any], found: str) -> None:
    assert anomalies([*SOUND, *events]) == [found]


def test_a_read_of_what_was_not_given_or_was_let_go_of_is_found() -> None:
    took, let_go = PartitionsAssigned("a", (ZERO,), (), NOON), PartitionsRevoked("a", (ZERO,), NOON)
    assert anomalies(SOUND, [took, consumed(1)]) == ["read-of-other: t/1"]
    assert anomalies(SOUND, [took, consumed(0), let_go, consumed(0)]) == ["read-of-other: t/0"]
