"""Where a reset would move committed offsets: every way to say it, clamped to what can be read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from support.domain import NOON, after

from odradek_domain.errors import InvalidOffset, PartitionNotFound, TopicNotFound
from odradek_domain.group.errors import NothingToShift
from odradek_domain.group.offset_reset import (
    PlannedReset,
    ResetTarget,
    ShiftBy,
    checked_target,
    plan_reset,
    planned_offsets,
    reset_reason,
    wanted_partitions,
)
from odradek_domain.replay.topic_reader import TopicOutline
from odradek_domain.topic.bounds import PartitionBounds
from odradek_domain.values.committed_offsets import CommittedOffset, OffsetToCommit
from odradek_domain.values.positions import TopicPartition

# orders/0 can be read from 10 to 20 and is committed at 15; orders/1 from 0 to 5, with no commit.
ORDERS = TopicOutline("t-1", 0, 0, (PartitionBounds(0, 10, 20), PartitionBounds(1, 0, 5)))
COMMITTED = (CommittedOffset("orders", 0, "t-1", 15, "note"),)


def plan(
    to: ResetTarget, *places: str | tuple[str, int], at_time: Mapping[TopicPartition, int | None] | None = None
) -> tuple[PlannedReset, ...]:
    return plan_reset("g", COMMITTED, {"orders": ORDERS}, wanted_partitions(places or ("orders",)), to, at_time)


@pytest.mark.parametrize(
    ("to", "wanted", "after", "is_clamped"),
    [
        ("earliest", 10, 10, False),
        ("latest", 20, 20, False),
        (10, 10, 10, False),
        (12, 12, 12, False),
        (20, 20, 20, False),
        (0, 0, 10, True),
        (21, 21, 20, True),
        (ShiftBy(0), 15, 15, False),
        (ShiftBy(-5), 10, 10, False),
        (ShiftBy(-6), 9, 10, True),
        (ShiftBy(-100), -85, 10, True),
        (ShiftBy(5), 20, 20, False),
        (ShiftBy(6), 21, 20, True),
    ],
)
def test_a_reset_goes_to_its_target_clamped_to_the_readable_range(
    to: ResetTarget, wanted: int, after: int, is_clamped: bool
) -> None:
    (item,) = plan(to, ("orders", 0))
    assert item == PlannedReset("orders", 0, "t-1", 15, wanted, after)
    assert item.is_clamped is is_clamped


@pytest.mark.parametrize(
    ("found", "expected", "is_clamped"), [(13, 13, False), (None, 20, False), (8, 10, True), (99, 20, True)]
)
def test_a_time_means_the_first_message_at_or_after_it_or_else_the_end(
    found: int | None, expected: int, is_clamped: bool
) -> None:
    (item,) = plan(NOON, ("orders", 0), at_time={TopicPartition("orders", 0): found})
    assert (item.wanted, item.after, item.is_clamped) == (found, expected, is_clamped)


def test_a_topic_means_all_its_partitions_also_those_with_no_commit() -> None:
    assert [(item.partition, item.before, item.after) for item in plan("latest")] == [(0, 15, 20), (1, None, 5)]


def test_nothing_can_be_shifted_where_nothing_is_committed() -> None:
    with pytest.raises(NothingToShift) as caught:
        plan(ShiftBy(1))
    assert (caught.value.topic, caught.value.partition) == ("orders", 1)


def test_a_commit_for_an_earlier_incarnation_of_the_topic_does_not_count() -> None:
    earlier = (CommittedOffset("orders", 0, "t-0", 15),)
    wanted = wanted_partitions([("orders", 0)])
    (item,) = plan_reset("g", earlier, {"orders": ORDERS}, wanted, "earliest")
    assert (item.before, item.after) == (None, 10)
    with pytest.raises(NothingToShift):
        plan_reset("g", earlier, {"orders": ORDERS}, wanted, ShiftBy(1))


def test_a_missing_topic_or_partition_cannot_be_reset() -> None:
    with pytest.raises(TopicNotFound):
        plan("latest", "payments")
    for partition in (2, -1):
        with pytest.raises(PartitionNotFound):
            plan("latest", ("orders", partition))


def test_a_plan_includes_unchanged_offsets() -> None:
    assert planned_offsets(plan(15)) == (OffsetToCommit("orders", 0, "t-1", 15), OffsetToCommit("orders", 1, "t-1", 5))


def test_topics_and_partitions_are_sorted_and_a_topic_holds_its_partitions() -> None:
    assert wanted_partitions([("b", 2), ("b", 0), "a", ("a", 1), ("b", 2)]) == {"a": None, "b": (0, 2)}
    assert list(wanted_partitions([("b", 0), "a"])) == ["a", "b"]
    assert wanted_partitions([TopicPartition("a", 1)]) == {"a": (1,)}
    assert wanted_partitions([]) == {}


@pytest.mark.parametrize("places", ["orders", [1], [("orders",)], [("orders", "0")], [("orders", True)], [None]])
def test_a_place_that_is_neither_a_topic_nor_a_pair_is_refused(places: list[str]) -> None:
    with pytest.raises(TypeError):
        wanted_partitions(places)


def test_a_timedelta_means_that_long_ago() -> None:
    assert checked_target(timedelta(hours=1), NOON) == after(-3600)
    assert checked_target(timedelta.max, NOON) == datetime.min.replace(tzinfo=UTC)
    there = datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert checked_target(there, NOON) == NOON


@pytest.mark.parametrize(
    ("to", "error"),
    [
        ("begin", TypeError),
        (True, TypeError),
        (1.0, TypeError),
        (None, TypeError),
        (ShiftBy(True), TypeError),
        (-1, InvalidOffset),
        (timedelta(seconds=-1), ValueError),
        (datetime(2024, 5, 1), ValueError),  # noqa: DTZ001  # without a zone on purpose
    ],
)
def test_an_invalid_reset_target_is_refused(to: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        checked_target(to, NOON)


def test_the_log_records_the_reason_of_a_reset() -> None:
    assert [reset_reason(to) for to in ("latest", 4, NOON, ShiftBy(-2))] == [
        "reset to latest",
        "reset to offset 4",
        "reset to 2024-05-01T12:00:00+00:00",
        "shifted by -2",
    ]
