"""The Topic: who may create, grow, shorten and delete it, and which offsets messages get."""

from __future__ import annotations

import pytest
from support.domain import NOON, after, batch, given, given_topic, message, produced, recreate, store

from odradek_domain.errors import (
    DomainError,
    InvalidAppend,
    InvalidPartitionCount,
    InvalidTopicName,
    MessagesNotHeld,
    OffsetNotFound,
    PartitionCountMustGrow,
    PartitionNotFound,
    TopicAlreadyExists,
    TopicNotFound,
    UnknownTopicId,
)
from odradek_domain.topic.partition import TailLimit
from odradek_domain.topic.topic import AppendDecision, AppendMessages, Topic
from odradek_events.types import MessageProduced, PartitionsAdded, ProducerRegistered, RecordsDeleted, TopicDeleted


def test_a_topic_has_one_partition_by_default() -> None:
    topic = Topic("orders")
    created = topic.create(topic_id="t-1", at=NOON)
    assert (created.topic, created.topic_id, created.partition_count, created.timestamp) == ("orders", "t-1", 1, NOON)
    assert given(topic, created).partition_count == 1


def test_deciding_changes_nothing() -> None:
    topic = Topic("orders")
    topic.create(3, topic_id="t-1", at=NOON)
    assert not topic.exists
    assert topic.version == -1
    assert topic.partitions == []


def test_a_created_topic_knows_its_partitions_by_their_ids() -> None:
    topic = given_topic(partitions=3)
    assert [partition.id for partition in topic.partitions] == [0, 1, 2]
    assert (topic.exists, topic.topic_id, topic.created_at, topic.message_count, topic.version) == (
        True,
        "t-1",
        NOON,
        0,
        0,
    )
    found = topic.get_partition(2)
    assert found is topic.partitions[2]
    assert topic.get_partition(3) is None
    assert topic.get_partition(-1) is None


def test_a_topic_with_a_bad_name_cannot_be() -> None:
    with pytest.raises(InvalidTopicName):
        Topic("no spaces")


def test_a_topic_is_created_once() -> None:
    with pytest.raises(TopicAlreadyExists, match="topic 'orders' already exists") as refused:
        given_topic().create(topic_id="t-2", at=NOON)
    assert refused.value.topic == "orders"


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_a_topic_has_1_to_10000_partitions(count: int) -> None:
    with pytest.raises(InvalidPartitionCount, match="use 1 to 10000") as refused:
        Topic("orders").create(count, topic_id="t-1", at=NOON)
    assert (refused.value.topic, refused.value.count) == ("orders", count)


def test_partitions_are_added_empty_and_the_old_ones_stay() -> None:
    topic = given_topic(partitions=2)
    store(topic, batch(3, partition=1))
    added = topic.add_partitions(4, after(60))
    assert added == PartitionsAdded("orders", 4, after(60))
    given(topic, added)
    assert [partition.high_watermark for partition in topic.partitions] == [0, 3, 0, 0]
    assert topic.partitions[3].created_at == after(60)
    assert store(topic, batch(1, partition=3)).offsets == [0]


@pytest.mark.parametrize("total", [2, 1, 0])
def test_partitions_cannot_be_removed(total: int) -> None:
    with pytest.raises(PartitionCountMustGrow, match=f"has 2 partitions, so it cannot get {total}") as refused:
        given_topic(partitions=2).add_partitions(total, NOON)
    assert (refused.value.topic, refused.value.current, refused.value.requested) == ("orders", 2, total)


def test_partitions_cannot_grow_beyond_the_limit() -> None:
    with pytest.raises(InvalidPartitionCount):
        given_topic().add_partitions(10_001, NOON)


def test_what_needs_a_topic_is_refused_before_it_is_created() -> None:
    topic = Topic("orders")
    for attempt in (
        lambda: topic.add_partitions(2, NOON),
        lambda: topic.delete(NOON),
        lambda: topic.delete_records(0, 0, NOON),
        lambda: topic.add_message(message()),
        lambda: topic.get_messages(0, 1),
    ):
        with pytest.raises(TopicNotFound, match="check the name, or create it") as refused:
            attempt()
        assert refused.value.topic == "orders"


def test_messages_get_offsets_0_1_2_in_each_partition() -> None:
    topic = given_topic(partitions=2)
    assert store(topic, batch(2, partition=0)).offsets == [0, 1]
    assert store(topic, batch(1, partition=1)).offsets == [0]
    assert store(topic, batch(2, partition=0)).offsets == [2, 3]
    assert [partition.high_watermark for partition in topic.partitions] == [4, 1]
    assert topic.message_count == 5


def test_one_command_may_write_to_several_partitions() -> None:
    topic = given_topic(partitions=2)
    messages = tuple(message(id=str(number)) for number in range(4))
    decided = store(topic, AppendMessages(messages, (1, 0, 1, 1), "p"))
    assert decided.offsets == [0, 0, 1, 2]
    assert [event.message_id for event in decided.events] == ["0", "1", "2", "3"]
    assert [event.partition for event in decided.events] == [1, 0, 1, 1]


def test_add_message_returns_the_event_with_the_offset() -> None:
    topic = given_topic()
    sent = message(b"tea", b"alice", id="m-1", headers=(("h", b"1"),))
    event = topic.add_message(sent, producer_id="p1")
    assert event == MessageProduced("orders", 0, 0, "m-1", "p1", 0, -1, NOON, b"alice", b"tea", (("h", b"1"),))
    given(topic, event)
    assert topic.get_messages(0, 10) == [sent.assign_offset(0)]


def test_add_message_to_a_missing_partition_is_refused() -> None:
    with pytest.raises(PartitionNotFound, match="has no partition 3; use 0 to 1") as refused:
        given_topic(partitions=2).add_message(message(), 3)
    assert (refused.value.topic, refused.value.partition, refused.value.count) == ("orders", 3, 2)


def test_an_empty_append_is_fine_and_no_event() -> None:
    assert store(given_topic(), AppendMessages((), (), "p")) == AppendDecision([], [])


def test_an_error_answers_its_own_command_and_leaves_the_others_alone() -> None:
    topic = given_topic()
    first, second, third, fourth = topic.decide_appends(
        [batch(2), batch(1, partition=9), AppendMessages((message(),), (), "p"), batch(1)]
    )
    assert isinstance(first, AppendDecision)
    assert isinstance(second, PartitionNotFound)
    assert isinstance(third, InvalidAppend)
    assert isinstance(fourth, AppendDecision)
    assert (first.offsets, fourth.offsets) == ([0, 1], [2])


@pytest.mark.parametrize(
    ("partitions", "sequences", "problem"),
    [
        ((0,), (), "give one partition for each message"),
        ((0, 0, 0), (), "give one partition for each message"),
        ((0, 1), ((0, 0),), "give a sequence for every partition, or for none"),
        ((0, 0), ((0, 0), (1, 0)), "give a sequence for every partition, or for none"),
        ((0, 0), ((7, 0),), "give a sequence for every partition, or for none"),
    ],
)
def test_an_append_whose_partitions_or_sequences_do_not_match_is_refused(
    partitions: tuple[int, ...], sequences: tuple[tuple[int, int], ...], problem: str
) -> None:
    command = AppendMessages((message(), message()), partitions, "p", base_sequences=sequences)
    with pytest.raises(InvalidAppend, match=problem) as refused:
        store(given_topic(partitions=2), command)
    assert (refused.value.producer, refused.value.topic) == ("p", "orders")


def test_a_topic_deleted_and_created_again_is_another_topic_with_the_same_history() -> None:
    topic = given_topic(partitions=2)
    store(topic, batch(5, sequence=0))
    deleted = topic.delete(after(1))
    assert deleted == TopicDeleted("orders", "t-1", after(1))
    given(topic, deleted)
    assert (topic.exists, topic.topic_id, topic.created_at, topic.partition_count, topic.message_count) == (
        False,
        None,
        None,
        0,
        0,
    )
    given(topic, topic.create(1, topic_id="t-2", at=after(2)))
    assert (topic.topic_id, topic.created_at, topic.partition_count, topic.version) == ("t-2", after(2), 1, 7)
    assert store(topic, batch(1, sequence=0)).offsets == [0]
    assert [stored.id for stored in topic.get_messages(0, 9)] == ["p-0-0-0"]


def test_a_deleted_topic_cannot_be_deleted_or_written() -> None:
    topic = given_topic()
    given(topic, topic.delete(NOON))
    with pytest.raises(TopicNotFound):
        topic.delete(NOON)
    with pytest.raises(TopicNotFound):
        store(topic, batch(1))


def test_a_command_for_the_earlier_topic_of_that_name_is_refused() -> None:
    topic = given_topic()
    assert store(topic, batch(1, topic_id="t-1")).offsets == [0]
    recreate(topic)
    with pytest.raises(UnknownTopicId, match="no longer has id t-1, as it was deleted; look it up again") as refused:
        store(topic, batch(1, topic_id="t-1"))
    assert (refused.value.topic, refused.value.topic_id, refused.value.retriable) == ("orders", "t-1", True)


def test_deleting_records_moves_the_log_start_offset() -> None:
    topic = given_topic()
    store(topic, batch(5))
    (deleted,) = topic.delete_records(0, 3, NOON)
    assert deleted == RecordsDeleted("orders", 0, 3, NOON)
    given(topic, deleted)
    assert topic.message_count == 2
    assert [stored.offset for stored in topic.get_messages(3, 9)] == [3, 4]
    with pytest.raises(OffsetNotFound, match="use one from 3 to 5") as refused:
        topic.get_messages(2, 1)
    error = refused.value
    assert (error.topic, error.partition, error.offset, error.start, error.end) == ("orders", 0, 2, 3, 5)


def test_deleting_records_again_or_below_the_start_is_no_event() -> None:
    topic = given_topic()
    store(topic, batch(5))
    given(topic, *topic.delete_records(0, 3, NOON))
    assert topic.delete_records(0, 3, NOON) == []
    assert topic.delete_records(0, 0, NOON) == []


def test_all_records_can_be_deleted_and_offsets_continue() -> None:
    topic = given_topic()
    store(topic, batch(5))
    given(topic, *topic.delete_records(0, 5, NOON))
    assert topic.message_count == 0
    assert topic.get_messages(5, 1) == []
    assert store(topic, batch(1)).offsets == [5]


def test_minus_one_deletes_records_up_to_the_high_watermark() -> None:
    topic = given_topic()
    assert topic.delete_records(0, -1, NOON) == []
    store(topic, batch(5))
    assert topic.delete_records(0, -1, NOON) == [RecordsDeleted("orders", 0, 5, NOON)]


@pytest.mark.parametrize("offset", [-2, 6])
def test_records_outside_the_range_cannot_be_deleted(offset: int) -> None:
    topic = given_topic()
    store(topic, batch(5))
    with pytest.raises(OffsetNotFound):
        topic.delete_records(0, offset, NOON)


def test_records_of_a_missing_partition_cannot_be_deleted() -> None:
    with pytest.raises(PartitionNotFound):
        given_topic().delete_records(1, 0, NOON)


def test_messages_beyond_the_high_watermark_are_not_there() -> None:
    topic = given_topic()
    store(topic, batch(2))
    assert topic.get_messages(2, 1) == []
    with pytest.raises(OffsetNotFound):
        topic.get_messages(3, 1)


def test_a_bounded_topic_says_that_older_messages_are_in_the_log() -> None:
    topic = given_topic(tail=TailLimit(10, 1_000_000))
    store(topic, batch(100))
    held_from = topic.partitions[0].tail_start
    assert 80 <= held_from <= 90
    assert len(topic.get_messages(held_from, 100)) == 100 - held_from
    with pytest.raises(
        MessagesNotHeld, match=f"in memory only from offset {held_from}; read 0 from the log"
    ) as refused:
        topic.get_messages(0, 1)
    error = refused.value
    assert (error.topic, error.partition, error.offset, error.held_from) == ("orders", 0, 0, held_from)


def test_a_topic_without_a_tail_decides_as_one_that_keeps_all() -> None:
    kept, bare = given_topic(), given_topic(tail=TailLimit(0, 0))
    for command in (batch(3, sequence=0), batch(1), batch(3, sequence=0), batch(2, sequence=3)):
        assert store(kept, command) == store(bare, command)
    assert kept.snapshot() == bare.snapshot()
    assert bare.partitions[0].messages == []


def test_a_restored_topic_has_the_bounds_and_reads_on_from_there() -> None:
    topic = given_topic()
    store(topic, batch(5))
    restored = Topic.restore(topic.snapshot())
    assert restored.partitions[0].high_watermark == 5
    with pytest.raises(MessagesNotHeld):
        restored.get_messages(0, 1)
    store(restored, batch(2))
    assert [stored.offset for stored in restored.get_messages(5, 9)] == [5, 6]


def test_an_event_that_a_topic_does_not_handle_only_advances_the_version() -> None:
    topic = given_topic()
    before = topic.snapshot()
    topic.apply(ProducerRegistered("p", "p", 0, NOON))
    assert topic.version == 1
    assert topic.snapshot().partitions == before.partitions


@pytest.mark.parametrize("event", [produced(0), produced(0, partition=3), RecordsDeleted("orders", 1, 5, NOON)])
def test_an_event_of_a_partition_that_the_fold_does_not_have_only_advances_the_version(
    event: MessageProduced | RecordsDeleted,
) -> None:
    for topic in (Topic("orders"), given(given_topic(), TopicDeleted("orders", "t-1", NOON))):
        before = topic.version
        topic.apply(event)
        assert (topic.version, topic.partitions) == (before + 1, [])


def test_add_message_raises_what_deciding_answers() -> None:
    (decided,) = Topic("orders").decide_appends([batch(1)])
    assert isinstance(decided, DomainError)
    with pytest.raises(type(decided)):
        Topic("orders").add_message(message())
