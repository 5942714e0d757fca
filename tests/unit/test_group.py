"""The ConsumerGroup: committed offsets that outlive its consumers."""

from __future__ import annotations

import pytest
from support_domain import NOON, after, given

from odradek_domain.errors import CommitWouldGoBackwards, InvalidIdentifier, InvalidOffset
from odradek_domain.group import ConsumerGroup
from odradek_domain.offsets import CommittedOffset, OffsetToCommit
from odradek_domain.positions import TopicPartition
from odradek_events.types import OffsetCommitted, OffsetReset

ORDERS_0 = TopicPartition("orders", 0)


def wanted(offset: int, partition: int = 0, topic_id: str = "t-1", metadata: str = "") -> OffsetToCommit:
    return OffsetToCommit("orders", partition, topic_id, offset, metadata)


def given_group(*offsets: OffsetToCommit) -> ConsumerGroup:
    group = ConsumerGroup("billing")
    return given(group, *group.commit_offsets(offsets, NOON))


def test_a_group_needs_a_usable_id() -> None:
    with pytest.raises(InvalidIdentifier, match="group id"):
        ConsumerGroup("")


def test_a_commit_says_who_committed_for_whom() -> None:
    (event,) = ConsumerGroup("billing").commit_offsets([wanted(3, metadata="x")], after(1), "c1")
    assert event == OffsetCommitted("group/billing", "orders", "t-1", 0, 3, after(1), "c1", "x")


def test_a_commit_of_offset_0_counts() -> None:
    group = given_group(wanted(0))
    assert group.committed.get(ORDERS_0) == CommittedOffset("orders", 0, "t-1", 0)


def test_several_offsets_are_committed_all_or_none() -> None:
    group = given_group(wanted(5))
    with pytest.raises(CommitWouldGoBackwards) as refused:
        group.commit_offsets([wanted(1, partition=1), wanted(4)], NOON)
    assert (refused.value.owner, refused.value.committed, refused.value.offset) == ("group/billing", 5, 4)
    assert group.committed.get(TopicPartition("orders", 1)) is None


def test_what_is_committed_already_is_no_event_but_new_metadata_is() -> None:
    group = given_group(wanted(5))
    assert group.commit_offsets([wanted(5)], NOON) == []
    (event,) = group.commit_offsets([wanted(5, metadata="note")], NOON)
    assert event.metadata == "note"


def test_a_negative_offset_is_refused() -> None:
    with pytest.raises(InvalidOffset):
        ConsumerGroup("billing").commit_offsets([wanted(-1)], NOON)


def test_a_reset_moves_a_commit_in_whatever_direction() -> None:
    group = given_group(wanted(5))
    reset = group.reset_offset(wanted(2), after(1), "operator")
    assert reset == OffsetReset("group/billing", "orders", "t-1", 0, 2, "operator", after(1))
    given(group, reset)
    assert group.committed.get(ORDERS_0) == CommittedOffset("orders", 0, "t-1", 2)
    with pytest.raises(InvalidOffset):
        group.reset_offset(wanted(-1), NOON, "operator")


def test_a_commit_for_another_incarnation_of_the_topic_may_be_lower_and_replaces_it() -> None:
    group = given_group(wanted(5))
    given(group, *group.commit_offsets([wanted(1, topic_id="t-2")], NOON))
    assert group.committed.get(ORDERS_0, "t-1") is None
    assert group.committed.get(ORDERS_0, "t-2") == CommittedOffset("orders", 0, "t-2", 1)
    assert group.committed.get(ORDERS_0) == CommittedOffset("orders", 0, "t-2", 1)


def test_all_commits_come_in_order_of_topic_and_partition() -> None:
    group = given_group(wanted(1, 2), wanted(2, 0), OffsetToCommit("a", 1, "t-0", 3))
    assert [(item.topic, item.partition) for item in group.committed.all()] == [("a", 1), ("orders", 0), ("orders", 2)]
