"""What became of messages: consumptions and commits in other conversations."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.log import START, append, created, produced

from odradek_domain.errors import OffsetNotFound, TopicNotFound
from odradek_domain.replay.message_trace import follow_messages, position_of
from odradek_events import LogStore, MemoryLog
from odradek_events.trace import TracedEvent, trace_at
from odradek_events.types import MessageConsumed, OffsetCommitted, OffsetReset, TopicDeleted


def consumed(offset: int, consumer: str = "c", partition: int = 0, message_id: str = "") -> MessageConsumed:
    return MessageConsumed("orders", partition, offset, message_id or f"m{offset}", consumer, START)


def committed(
    offset: int, owner: str = "group/g", consumer: str | None = "c", partition: int = 0, topic_id: str = "t-1"
) -> OffsetCommitted:
    return OffsetCommitted(owner, "orders", topic_id, partition, offset, START, consumer)


def named(offset: int, message_id: str) -> Any:
    """Return a message of that id."""
    return msgspec.structs.replace(produced(offset), message_id=message_id)


@pytest.fixture
def log() -> LogStore:
    """Give a log with a topic of two partitions; four messages in the first, two of them in one commit."""
    log = MemoryLog()
    append(log, "topic/orders", created())  # 0
    append(log, "topic/orders", produced(0))  # 1
    append(log, "topic/orders", produced(1), produced(2))  # 2, 3
    append(log, "topic/orders", produced(3), produced(0, partition=1))  # 4, 5
    return log


def story(log: LogStore, position: int) -> Any:
    """Return what became of the message at a position: (type, position, what followed)."""
    events = list(log.read(after=position - 1, until=position))
    return [told(item) for item in follow_messages(log, events).get(position, ())]


def told(traced: TracedEvent) -> Any:
    place = (traced.recorded.type, traced.recorded.position)
    return (*place, *map(told, traced.followed_by)) if traced.followed_by else place


def test_a_message_is_followed_by_each_time_it_was_consumed_and_by_the_commit_that_covered_it(log: LogStore) -> None:
    append(log, "consumer/c", consumed(0), consumed(1))  # 6, 7
    append(log, "group/g", committed(1))  # 8
    append(log, "consumer/d", consumed(0, "d"))  # 9
    append(log, "consumer/c", consumed(2))  # 10
    append(log, "group/g", committed(3))  # 11

    assert story(log, 1) == [("MessageConsumed", 6, ("OffsetCommitted", 8)), ("MessageConsumed", 9)]
    assert story(log, 2) == [("MessageConsumed", 7, ("OffsetCommitted", 11))]
    assert story(log, 3) == [("MessageConsumed", 10, ("OffsetCommitted", 11))]
    assert story(log, 4) == []


def test_many_messages_are_followed_in_one_go(log: LogStore) -> None:
    append(log, "consumer/c", *(consumed(offset) for offset in range(4)))  # 6 to 9
    append(log, "group/g", committed(3))  # 10
    append(log, "group/g", committed(4))  # 11

    found = follow_messages(log, list(log.read(types=["MessageProduced"])))
    assert {position: [told(item) for item in items] for position, items in found.items()} == {
        1: [("MessageConsumed", 6, ("OffsetCommitted", 10))],
        2: [("MessageConsumed", 7, ("OffsetCommitted", 10))],
        3: [("MessageConsumed", 8, ("OffsetCommitted", 10))],
        4: [("MessageConsumed", 9, ("OffsetCommitted", 11))],
        5: [],
    }


def test_a_commit_follows_the_last_delivery_of_a_message_that_was_delivered_twice(log: LogStore) -> None:
    append(log, "consumer/c", consumed(0))  # 6
    append(log, "consumer/c", consumed(0))  # 7
    append(log, "group/g", committed(1))  # 8
    append(log, "consumer/c", consumed(0))  # 9

    assert story(log, 1) == [
        ("MessageConsumed", 6),
        ("MessageConsumed", 7, ("OffsetCommitted", 8)),
        ("MessageConsumed", 9),
    ]


def test_a_commit_without_a_delivery_is_a_separate_entry_in_the_trace(log: LogStore) -> None:
    append(log, "consumer/c", consumed(0))  # 6
    append(log, "group/g", committed(1, consumer="d"))  # 7
    append(log, "group/h", committed(4, "group/h", None))  # 8

    assert story(log, 1) == [("MessageConsumed", 6), ("OffsetCommitted", 7), ("OffsetCommitted", 8)]
    assert story(log, 2) == [("OffsetCommitted", 8)]


def test_a_consumer_without_a_group_commits_for_itself(log: LogStore) -> None:
    append(log, "consumer/c", consumed(0))  # 6
    append(log, "consumer/c", committed(1, "consumer/c", None))  # 7

    assert story(log, 1) == [("MessageConsumed", 6, ("OffsetCommitted", 7))]


def test_only_the_first_commit_of_an_owner_covers_a_message_also_when_it_went_back(log: LogStore) -> None:
    append(log, "group/g", committed(2))  # 6
    append(log, "group/g", OffsetReset("group/g", "orders", "t-1", 0, 0, "operator", START))  # 7
    append(log, "group/g", committed(1), committed(3))  # 8, 9

    assert story(log, 1) == story(log, 2) == [("OffsetCommitted", 6)]
    assert story(log, 3) == [("OffsetCommitted", 9)]


def test_partitions_are_distinguished(log: LogStore) -> None:
    append(log, "consumer/c", consumed(0, partition=1), consumed(0))  # 6, 7
    append(log, "group/g", committed(1, partition=1))  # 8

    assert story(log, 5) == [("MessageConsumed", 6, ("OffsetCommitted", 8))]
    assert story(log, 1) == [("MessageConsumed", 7)]


def test_a_topic_created_again_has_other_messages(log: LogStore) -> None:
    append(log, "topic/orders", TopicDeleted("orders", "t-1", START), created(topic_id="t-2"))  # 6, 7
    append(log, "topic/orders", named(0, "n0"))  # 8
    append(log, "consumer/c", consumed(0, message_id="n0"))  # 9
    append(log, "group/g", committed(1, topic_id="t-2"))  # 10

    assert story(log, 1) == []
    assert story(log, 8) == [("MessageConsumed", 9, ("OffsetCommitted", 10))]
    assert position_of(log, "orders", 0, 0) == 8
    with pytest.raises(OffsetNotFound):
        position_of(log, "orders", 0, 1)


@pytest.mark.parametrize("name", ["Bäume", 'a"b', "back\\slash", ""])
def test_message_ids_may_be_any_text(name: str) -> None:
    log = MemoryLog()
    append(log, "topic/orders", created(), named(0, name + "x"), named(1, name + "y"))
    append(log, "consumer/c", consumed(1, message_id=name + "y"), consumed(0, message_id=name + "x"))

    found = follow_messages(log, list(log.read(types=["MessageProduced"])))
    assert [[told(item) for item in items] for items in found.values()] == [
        [("MessageConsumed", 4)],
        [("MessageConsumed", 3)],
    ]


def test_deliveries_are_part_of_a_trace(log: LogStore) -> None:
    append(log, "consumer/c", consumed(0))
    (decision,) = trace_at(log, 1, follow=follow_messages).decisions
    assert [told(item) for item in decision.events] == [("MessageProduced", 1, ("MessageConsumed", 6))]


def test_a_message_is_found_by_its_offset(log: LogStore) -> None:
    assert [position_of(log, "orders", 0, offset) for offset in range(4)] == [1, 2, 3, 4]
    assert position_of(log, "orders", 1, 0) == 5
    with pytest.raises(TopicNotFound):
        position_of(log, "nothing", 0, 0)
    for partition, offset in ((0, 4), (0, 10**18), (1, 1), (7, 0)):
        with pytest.raises(OffsetNotFound):
            position_of(log, "orders", partition, offset)
