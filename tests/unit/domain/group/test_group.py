"""The ConsumerGroup: committed offsets that outlive its consumers."""

from __future__ import annotations

import pytest
from support.domain import NOON, after

from odradek.testing import Scenario, given
from odradek_domain.errors import CommitWouldGoBackwards, InvalidIdentifier, InvalidOffset, OffsetMetadataTooLarge
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.values.committed_offsets import CommittedOffset, OffsetToCommit
from odradek_domain.values.positions import TopicPartition
from odradek_events.types import OffsetCommitted, OffsetReset

ORDERS_0 = TopicPartition("orders", 0)


def wanted(offset: int, partition: int = 0, topic_id: str = "t-1", metadata: str = "") -> OffsetToCommit:
    return OffsetToCommit("orders", partition, topic_id, offset, metadata)


def group(*offsets: OffsetToCommit) -> Scenario[ConsumerGroup]:
    """Begin with a group that has committed these offsets."""
    return given(ConsumerGroup("billing"), *ConsumerGroup("billing").commit_offsets(offsets, NOON))


def committed(offset: int, partition: int = 0, topic_id: str = "t-1", metadata: str = "") -> OffsetCommitted:
    return OffsetCommitted("group/billing", "orders", topic_id, partition, offset, NOON, None, metadata)


def test_a_group_needs_a_usable_id() -> None:
    with pytest.raises(InvalidIdentifier, match="group id"):
        ConsumerGroup("")


def test_a_commit_says_who_committed_for_whom() -> None:
    group().when(ConsumerGroup.commit_offsets, [wanted(3, metadata="x")], after(1), "c1").then(
        OffsetCommitted("group/billing", "orders", "t-1", 0, 3, after(1), "c1", "x")
    )


def test_a_commit_of_offset_0_counts() -> None:
    scenario = group().when(ConsumerGroup.commit_offsets, [wanted(0)], NOON).then(committed(0))
    assert scenario.aggregate.committed.get(ORDERS_0) == CommittedOffset("orders", 0, "t-1", 0)


def test_several_offsets_are_committed_all_or_none() -> None:
    scenario = (
        group(wanted(5))
        .when(ConsumerGroup.commit_offsets, [wanted(1, partition=1), wanted(4)], NOON)
        .then_raises(CommitWouldGoBackwards, owner="group/billing", committed=5, offset=4)
    )
    assert scenario.aggregate.committed.get(TopicPartition("orders", 1)) is None


def test_a_repeated_commit_is_no_event_unless_its_metadata_changes() -> None:
    scenario = group(wanted(5)).when(ConsumerGroup.commit_offsets, [wanted(5)], NOON).then_nothing()
    scenario.when(ConsumerGroup.commit_offsets, [wanted(5, metadata="note")], NOON).then(committed(5, metadata="note"))


def test_a_negative_offset_is_refused() -> None:
    group().when(ConsumerGroup.commit_offsets, [wanted(-1)], NOON).then_raises(InvalidOffset)


def test_metadata_is_limited_by_its_bytes_in_utf_8() -> None:
    group().when(ConsumerGroup.commit_offsets, [wanted(1, metadata="é" * 2048)], NOON).then(
        committed(1, metadata="é" * 2048)
    )
    group().when(ConsumerGroup.commit_offsets, [wanted(1), wanted(1, 1, metadata="é" * 2049)], NOON).then_raises(
        OffsetMetadataTooLarge, topic="orders", partition=1, size=4098, limit=4096
    )


def test_a_reset_moves_a_commit_forwards_or_backwards() -> None:
    scenario = (
        group(wanted(5))
        .when(ConsumerGroup.reset_offsets, [wanted(2)], after(1), "operator")
        .then(OffsetReset("group/billing", "orders", "t-1", 0, 2, "operator", after(1)))
    )
    assert scenario.aggregate.committed.get(ORDERS_0) == CommittedOffset("orders", 0, "t-1", 2)
    scenario.when(ConsumerGroup.reset_offsets, [wanted(-1)], NOON, "operator").then_raises(InvalidOffset)


def test_a_reset_without_a_change_is_no_event_unless_the_incarnation_differs() -> None:
    scenario = (
        group(wanted(5, metadata="note")).when(ConsumerGroup.reset_offsets, [wanted(5)], NOON, "x").then_nothing()
    )
    scenario.when(ConsumerGroup.reset_offsets, [wanted(5), wanted(5, partition=1)], NOON, "x").then(
        OffsetReset("group/billing", "orders", "t-1", 1, 5, "x", NOON)
    )
    group(wanted(5)).when(ConsumerGroup.reset_offsets, [wanted(5, topic_id="t-2")], NOON, "x").then(
        OffsetReset("group/billing", "orders", "t-2", 0, 5, "x", NOON)
    )


def test_a_commit_for_another_incarnation_of_the_topic_may_be_lower_and_replaces_it() -> None:
    scenario = group(wanted(5)).when(ConsumerGroup.commit_offsets, [wanted(1, topic_id="t-2")], NOON)
    offsets = scenario.then(committed(1, topic_id="t-2")).aggregate.committed
    assert offsets.get(ORDERS_0, "t-1") is None
    assert offsets.get(ORDERS_0, "t-2") == CommittedOffset("orders", 0, "t-2", 1)
    assert offsets.get(ORDERS_0) == CommittedOffset("orders", 0, "t-2", 1)


def test_all_commits_come_in_order_of_topic_and_partition() -> None:
    offsets = group(wanted(1, 2), wanted(2, 0), OffsetToCommit("a", 1, "t-0", 3)).aggregate.committed
    assert [(item.topic, item.partition) for item in offsets.all()] == [("a", 1), ("orders", 0), ("orders", 2)]


def test_a_topic_is_in_doubt_when_a_commit_is_of_another_incarnation_than_those_before() -> None:
    aggregate = group(wanted(5), wanted(2, partition=1)).aggregate
    restored = ConsumerGroup.restore(aggregate.snapshot())
    for offsets in (aggregate.committed, restored.committed):
        assert offsets.in_doubt([wanted(6), wanted(1, partition=2)]) == ()
        other = [wanted(1, partition=2, topic_id="t-2"), wanted(0, topic_id="t-2")]
        assert offsets.in_doubt([*other, OffsetToCommit("a", 0, "t-0", 3)]) == ("orders",)


def test_a_restored_group_drops_commits_for_an_earlier_incarnation() -> None:
    restored = ConsumerGroup.restore(group(wanted(5), wanted(2, partition=1)).aggregate.snapshot())

    restored.apply(committed(1, topic_id="t-2"))

    assert restored.committed.all() == (CommittedOffset("orders", 0, "t-2", 1),)
