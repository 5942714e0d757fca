"""Retention: which limits a topic can have, and which messages they let go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import UNSET
from support.domain import NOON, after, given, given_topic, record, recreate
from support.retention import apply_retention, ends_of, stored

from odradek_domain.errors import TopicAlreadyExists, TopicNotFound
from odradek_domain.replay.log_scans import walk_messages
from odradek_domain.topic.partition import TailLimit
from odradek_domain.topic.retention import InvalidRetention, RetentionPolicy, RetentionWalk
from odradek_domain.topic.topic import Topic
from odradek_events import MemoryLog
from odradek_events.types import RecordsDeleted, TopicRetentionSet

SECOND = 1000  # milliseconds


def test_a_topic_keeps_everything_by_default() -> None:
    topic, messages = given_topic(), [stored(0, at=datetime(1, 1, 1, tzinfo=UTC))]
    given(topic, *messages)
    assert topic.retention == RetentionPolicy(None, None)
    assert topic.plan_retention(NOON).walks == ()


def test_limits_are_set_by_an_event_and_known_from_then_on() -> None:
    topic = given_topic()
    (decided,) = topic.set_retention(SECOND, 10, after(1))
    assert decided == TopicRetentionSet("orders", SECOND, 10, after(1))
    assert not topic.retention.is_limited
    assert given(topic, decided).retention == RetentionPolicy(SECOND, 10)


def test_a_limit_that_is_not_given_stays_and_none_takes_one_away() -> None:
    topic = given_topic()
    given(topic, *topic.set_retention(SECOND, 10, NOON))
    assert topic.set_retention(UNSET, 20, NOON) == [TopicRetentionSet("orders", SECOND, 20, NOON)]
    assert topic.set_retention(UNSET, None, NOON) == [TopicRetentionSet("orders", SECOND, None, NOON)]
    assert topic.set_retention(None, UNSET, NOON) == [TopicRetentionSet("orders", None, 10, NOON)]


def test_unchanged_limits_are_no_event() -> None:
    topic = given_topic()
    assert topic.set_retention(None, UNSET, NOON) == []
    given(topic, *topic.set_retention(SECOND, None, NOON))
    assert topic.set_retention(SECOND, None, NOON) == []


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "7", 1 << 63])
@pytest.mark.parametrize("limit", ["retention_ms", "retention_bytes"])
def test_limits_are_whole_numbers_from_1_on(limit: str, value: Any) -> None:
    limits: dict[str, Any] = {"retention_ms": 1, "retention_bytes": (1 << 63) - 1, limit: value}
    for decide in (
        lambda: given_topic().set_retention(at=NOON, **limits),
        lambda: Topic("orders").create_limited(1, **limits, topic_id="t-1", at=NOON),
    ):
        with pytest.raises(InvalidRetention, match=f"{limit} of topic 'orders' cannot be") as refused:
            decide()
        assert (refused.value.topic, refused.value.limit, refused.value.value) == ("orders", limit, value)


def test_a_topic_may_have_limits_from_its_creation_on() -> None:
    topic = Topic("orders")
    created, limited = topic.create_limited(2, SECOND, None, topic_id="t-1", at=NOON)
    assert limited == TopicRetentionSet("orders", SECOND, None, NOON)
    assert given(topic, created, limited).partition_count == 2
    assert Topic("orders").create_limited(2, None, None, topic_id="t-1", at=NOON) == [created]
    with pytest.raises(TopicAlreadyExists):
        topic.create_limited(2, SECOND, None, topic_id="t-2", at=NOON)


def test_a_topic_created_again_has_no_limits() -> None:
    topic = given_topic()
    given(topic, *topic.set_retention(SECOND, 10, NOON))
    recreate(topic)
    assert topic.retention == RetentionPolicy(None, None)


def test_retention_of_a_missing_topic_cannot_be_set_or_applied() -> None:
    topic = given_topic()
    plan = topic.plan_retention(NOON)
    given(topic, topic.delete(NOON))
    for attempt in (
        lambda: topic.set_retention(SECOND, None, NOON),
        lambda: topic.plan_retention(NOON),
        lambda: topic.apply_retention(plan, [], NOON),
    ):
        with pytest.raises(TopicNotFound):
            attempt()


def test_messages_older_than_the_limit_are_deleted_and_those_exactly_as_old_are_kept() -> None:
    topic, messages = given_topic(), [stored(offset, at=after(offset)) for offset in range(5)]
    given(topic, *messages, *topic.set_retention(2 * SECOND, None, NOON))
    assert apply_retention(topic, messages, after(4)) == [RecordsDeleted("orders", 0, 2, after(4))]
    assert (topic.partitions[0].log_start_offset, topic.message_count) == (2, 3)


def test_an_old_message_after_a_younger_one_is_kept() -> None:
    topic, messages = given_topic(), [stored(0, at=after(9)), stored(1, at=NOON)]
    given(topic, *messages, *topic.set_retention(SECOND, None, NOON))
    assert apply_retention(topic, messages, after(10)) == []
    assert apply_retention(topic, messages, after(11)) == [RecordsDeleted("orders", 0, 2, after(11))]


def test_all_messages_of_a_partition_may_expire_and_offsets_continue() -> None:
    topic, messages = given_topic(tail=TailLimit(1, 1)), [stored(offset) for offset in range(3)]
    given(topic, *messages, *topic.set_retention(SECOND, None, NOON))
    apply_retention(topic, messages, after(3600))
    partition = topic.partitions[0]
    assert (partition.log_start_offset, partition.high_watermark) == (3, 3)
    assert topic.plan_retention(after(7200)).walks == ()


def test_bytes_above_the_limit_are_deleted_and_at_least_the_limit_is_kept() -> None:
    topic, messages = given_topic(), [stored(offset, size=10) for offset in range(10)]
    given(topic, *messages, *topic.set_retention(None, 25, NOON))
    assert apply_retention(topic, messages, NOON) == [RecordsDeleted("orders", 0, 7, NOON)]


def test_the_newest_message_stays_however_large_it_is() -> None:
    topic, messages = given_topic(), [stored(0, size=1000)]
    given(topic, *messages, *topic.set_retention(None, 1, NOON))
    assert apply_retention(topic, messages, NOON) == []


def test_each_partition_has_the_limit_for_itself() -> None:
    topic = given_topic(partitions=3)
    messages = [stored(offset, size=10, partition=partition) for partition in (0, 2) for offset in range(3)]
    given(topic, *messages, *topic.set_retention(None, 20, NOON))
    assert apply_retention(topic, messages, NOON) == [
        RecordsDeleted("orders", 0, 1, NOON),
        RecordsDeleted("orders", 2, 1, NOON),
    ]


def test_a_limit_longer_than_time_itself_keeps_everything() -> None:
    topic, messages = given_topic(), [stored(0, at=datetime(1, 1, 1, tzinfo=UTC))]
    given(topic, *messages, *topic.set_retention((1 << 63) - 1, None, NOON))
    assert apply_retention(topic, messages, NOON) == []


def test_a_plan_for_other_limits_or_an_earlier_topic_deletes_nothing() -> None:
    for meanwhile in (lambda topic: given(topic, *topic.set_retention(None, None, NOON)), recreate):
        topic, messages = given_topic(), [stored(offset) for offset in range(3)]
        given(topic, *messages, *topic.set_retention(SECOND, None, NOON))
        plan = topic.plan_retention(after(60))
        assert ends_of(plan, messages) == [3]
        meanwhile(topic)
        assert topic.apply_retention(plan, [3], after(60)) == []


def test_records_deleted_during_a_walk_are_not_deleted_again() -> None:
    topic, messages = given_topic(), [stored(offset) for offset in range(3)]
    given(topic, *messages, *topic.set_retention(SECOND, None, NOON))
    plan = topic.plan_retention(after(60))
    given(topic, *topic.delete_records(0, 3, NOON))
    assert topic.apply_retention(plan, [3], after(60)) == []


def test_a_walk_by_size_starts_at_a_mark_and_is_skipped_if_nothing_can_be_deleted() -> None:
    mib = 1 << 20
    topic, messages = given_topic(), [stored(offset, size=mib // 4) for offset in range(40)]
    given(topic, *messages, *topic.set_retention(None, 2 * mib + 1, NOON))
    (walk,) = topic.plan_retention(NOON).walks
    assert (walk.from_offset, walk.start_offset, walk.until_offset) == (28, 0, 40)
    assert apply_retention(topic, messages, NOON) == [RecordsDeleted("orders", 0, 31, NOON)]
    assert topic.plan_retention(NOON).walks == ()


def test_a_walk_yields_regularly_even_if_it_ends_early_in_every_partition() -> None:
    log = MemoryLog()
    for partition in range(50):
        record(log, "topic/orders", *[stored(offset, partition=partition) for offset in range(1000)])
    walks = [RetentionWalk(partition, 0, 0, 1000, NOON, -1) for partition in range(50)]

    pauses = len(list(walk_messages(log, "orders", walks, 0)))

    assert pauses >= 2
