"""The checks of groups find each wrong turn that a log can show, and nothing in a sound one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.domain import NOON
from support.log import append
from support.profiles import fewer

from odradek_events import MemoryLog
from odradek_events.types import (
    ConsumerRegistered,
    ConsumerResumed,
    ConsumerSubscribed,
    GenerationStarted,
    GroupAssigned,
    GroupDeleted,
    MemberAssignment,
    MemberJoined,
    MemberLeft,
    MessageConsumed,
    MessageProduced,
    OffsetCommitted,
    OffsetReset,
    OffsetsExpired,
    PartitionsAssigned,
    PartitionsRevoked,
    StaticMemberReplaced,
    TopicCreated,
)
from odradek_simulation.checkers.invariants import InvariantChecker

ZERO, ONE = ("t", 0), ("t", 1)


def joined(name: str) -> MemberJoined:
    return MemberJoined("g", f"m-{name}", name, ("t",), ("range",), 1, 1, "r", NOON)


def left(name: str) -> MemberLeft:
    return MemberLeft("g", f"m-{name}", "", NOON)


def replaced(name: str, by: str) -> StaticMemberReplaced:
    return StaticMemberReplaced("g", "i", f"m-{name}", f"m-{by}", by, NOON)


def started(generation: int, *names: str) -> GenerationStarted:
    return GenerationStarted("g", generation, "range", "m-a", tuple(f"m-{name}" for name in names), NOON)


def assigned(generation: int, **shares: Any) -> GroupAssigned:
    given = tuple(MemberAssignment(f"m-{name}", tuple(places)) for name, places in shares.items())
    return GroupAssigned("g", generation, given, NOON)


def committed(offset: int, by: str | None, partition: int = 0, **more: Any) -> OffsetCommitted:
    return OffsetCommitted("group/g", "t", more.pop("topic_id", "t-1"), partition, offset, NOON, by, **more)


def reset(offset: int) -> OffsetReset:
    return OffsetReset("group/g", "t", "t-1", 0, offset, "why", NOON)


def took(name: str, generation: int, *places: tuple[str, int]) -> PartitionsAssigned:
    return PartitionsAssigned(name, places, (), NOON, f"m-{name}", generation)


def gave_up(name: str, *places: tuple[str, int]) -> PartitionsRevoked:
    return PartitionsRevoked(name, places, NOON)


def consumed(name: str, partition: int = 0) -> MessageConsumed:
    return MessageConsumed("t", partition, 0, "id", name, NOON)


SETTLED = [joined("a"), joined("b"), started(1, "a", "b"), assigned(1, a=[ZERO], b=[ONE]), committed(1, "a")]


def found(*commits: tuple[str, list[Any]]) -> list[tuple[str, str]]:
    """Return what is wrong with a log of two messages in the first partition, and these commits."""
    with MemoryLog() as log:
        append(log, "topic/t", TopicCreated("t", "t-1", 2, NOON))
        append(log, "topic/t", *(MessageProduced("t", 0, each, "id", "p", 0, each, NOON) for each in (0, 1)))
        for stream, events in commits:
            append(log, stream, *events)
        return [(each.checker, each.problem) for each in InvariantChecker().follow(log)]


@pytest.mark.parametrize(
    "events",
    [
        [],
        [left("a"), started(2, "b"), assigned(2, b=[ZERO, ONE]), committed(2, "b")],
        [replaced("a", "c"), committed(2, "c"), started(2, "b", "c")],
        [joined("a"), started(2, "a", "b"), assigned(2, b=[ONE]), committed(2, "a")],  # withheld until a revokes it
        [committed(0, "a", is_reset=True), committed(1, "a")],
        [left("a"), left("b"), committed(2, "other"), reset(0), committed(1, "other")],
        [left("a"), left("b"), OffsetsExpired("group/g", (ZERO,), "idle", NOON), committed(0, "other")],
        [left("a"), left("b"), GroupDeleted("g", NOON), committed(0, None), joined("a"), started(2, "a")],
        [committed(9, "a", topic_id="older"), committed(0, "a")],
    ],
)
def test_a_sound_group_gives_no_findings(events: list[Any]) -> None:
    assert found(("group/g", [*SETTLED, *events])) == []


@pytest.mark.parametrize(
    ("events", "checker", "problem"),
    [
        ([left("c")], "membership", "m-c, not a member of group g, left it"),
        ([replaced("c", "d")], "membership", "m-c, not a member of group g, was replaced"),
        ([started(3, "a", "b")], "membership", "group g began generation 3 after 1"),
        (
            [started(2, "a")],
            "membership",
            "generation 2 of group g began with the members ['m-a'], but it has ['m-a', 'm-b']",
        ),
        ([assigned(2, a=[ZERO], b=[ONE])], "membership", "group g assigned partitions for generation 2 in 1"),
        ([assigned(1, a=[ZERO], b=[ZERO])], "two-owners", "group g assigned t/0 to two members in generation 1"),
        (
            [committed(0, "a")],
            "commit-backwards",
            "the committed offset of group/g for t/0 fell from 1 to 0 without a reset",
        ),
        ([committed(3, "a")], "commit-beyond-end", "group/g committed offset 3 of t/0, which ends at 2"),
        (
            [committed(2, "b")],
            "commit-by-other",
            "b committed t/0 to group g, which had assigned it to a",
        ),
        (
            [left("a"), committed(2, "a")],
            "commit-by-other",
            "a committed t/0 to group g, which had assigned it to a",
        ),
    ],
)
def test_each_wrong_turn_of_a_group_is_found(events: list[Any], checker: str, problem: str) -> None:
    assert found(("group/g", [*SETTLED, *events])) == [(checker, problem)]


MEMBER = ConsumerRegistered("a", NOON, "g")


def test_a_consumer_reads_only_what_it_owns() -> None:
    problem = ("read-of-other", "a was given offset 0 of t/0, which it does not own")
    group = ("group/g", SETTLED)
    assert found(group, ("consumer/a", [MEMBER, took("a", 1, ZERO), consumed("a")])) == []
    assert found(group, ("consumer/a", [MEMBER, consumed("a")])) == [problem]
    assert found(group, ("consumer/a", [MEMBER, took("a", 1, ZERO), gave_up("a", ZERO), consumed("a")])) == [problem]
    resumed = ConsumerResumed("a", (), NOON)
    assert found(group, ("consumer/a", [MEMBER, took("a", 1, ZERO), resumed, consumed("a")])) == [problem]


def test_a_consumer_without_a_group_owns_what_it_subscribes_to_or_chose() -> None:
    alone, subscribed = ConsumerRegistered("a", NOON), ConsumerSubscribed("a", ("t",), NOON)
    chosen = PartitionsAssigned("a", (ONE,), (), NOON, is_manual=True)
    none = ConsumerSubscribed("a", (), NOON)
    assert found(("consumer/a", [alone, subscribed, consumed("a")])) == []
    assert found(("consumer/a", [alone, chosen, consumed("a", 1), none, subscribed, consumed("a")])) == []
    assert [checker for checker, _ in found(("consumer/a", [alone, chosen, consumed("a")]))] == ["read-of-other"]


def test_two_consumers_do_not_take_one_partition_in_the_same_generation() -> None:
    other = ConsumerRegistered("b", NOON, "g")
    group, first = ("group/g", SETTLED), ("consumer/a", [MEMBER, took("a", 1, ZERO)])
    assert found(group, first, ("consumer/b", [other, took("b", 2, ZERO)])) == []
    assert found(group, first, ("consumer/b", [other, took("b", 1, ZERO)])) == [
        ("two-owners", "b took t/0 in generation 1 of group g, in which a had taken it")
    ]
    back = ConsumerRegistered("c", NOON, "g")
    assert found(group, first, ("group/g", [replaced("a", "c")]), ("consumer/c", [back, took("c", 1, ZERO)])) == []


@fewer(2)
@given(st.data())
def test_a_group_that_follows_the_protocol_gives_no_findings(data: st.DataObject) -> None:
    members, owners, generation, offsets = list[str](), dict[tuple[str, int], str](), 0, {ZERO: 0, ONE: 0}
    commits: list[tuple[str, list[Any]]] = [
        (f"consumer/{name}", [ConsumerRegistered(name, NOON, "g")]) for name in "abc"
    ]
    for _ in range(data.draw(st.integers(0, 8), label="steps")):
        change = data.draw(st.sampled_from(["join", "leave", "commit", "read"]))
        if change == "join" and (coming := [name for name in "abc" if name not in members]):
            members.append(data.draw(st.sampled_from(coming)))
            changed: Any = joined(members[-1])
        elif change == "leave" and members:
            changed = left(members.pop(data.draw(st.integers(0, len(members) - 1))))
        else:
            for place, owner in owners.items():
                if change == "read" and place == ZERO:
                    commits.append((f"consumer/{owner}", [consumed(owner)]))
                elif change == "commit":
                    offsets[place] = data.draw(st.integers(offsets[place], 2 if place == ZERO else 0))
                    commits.append(("group/g", [committed(offsets[place], owner, place[1])]))
            continue
        commits += [(f"consumer/{owner}", [gave_up(owner, place)]) for place, owner in owners.items()]
        commits.append(("group/g", [changed]))
        owners = {}
        if members:
            generation += 1
            owners = {place: members[(place[1] + generation) % len(members)] for place in (ZERO, ONE)}
            shares = {name: [place for place, owner in owners.items() if owner == name] for name in members}
            commits.append(("group/g", [started(generation, *members), assigned(generation, **shares)]))
            commits += [(f"consumer/{owner}", [took(owner, generation, place)]) for place, owner in owners.items()]
    assert found(*commits) == []


def test_commits_of_a_consumer_without_a_group_do_not_go_backwards_either() -> None:
    def commits(*offsets: int) -> tuple[str, list[Any]]:
        return "consumer/a", [OffsetCommitted("consumer/a", "t", "t-1", 0, each, NOON, "a") for each in offsets]

    assert found(commits(0, 1, 2)) == []
    assert [checker for checker, _ in found(commits(1, 0, 3))] == ["commit-backwards", "commit-beyond-end"]
