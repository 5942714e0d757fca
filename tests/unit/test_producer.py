"""The Producer: identity, epochs, a count that only rises, and what it asks of topics."""

from __future__ import annotations

import pytest
from support_domain import NOON, after, given, given_topic, message, store

from odradek_domain.errors import InvalidIdentifier, PartitionNotFound, ProducerNotRegistered, TopicNotFound
from odradek_domain.producer import Producer
from odradek_domain.topic import AppendMessages, Topic
from odradek_events.types import ProducerEpochBumped, ProducerProgressed, ProducerRegistered, TopicDeleted


def given_producer(epoch: int = 0) -> Producer:
    return given(Producer("checkout"), ProducerRegistered("checkout", "checkout", epoch, NOON, "tx-1"))


def test_a_producer_registers_once_with_epoch_0() -> None:
    producer = Producer("checkout")
    (registered,) = producer.register(NOON, "tx-1")
    assert registered == ProducerRegistered("checkout", "checkout", 0, NOON, "tx-1")
    given(producer, registered)
    assert (producer.id, producer.client_id, producer.transaction_id) == ("checkout", "checkout", "tx-1")
    assert (producer.created_at, producer.epoch, producer.message_count) == (NOON, 0, 0)
    assert producer.register(after(1)) == []


def test_a_producer_needs_a_usable_client_id() -> None:
    with pytest.raises(InvalidIdentifier):
        Producer("")


def test_a_new_life_has_the_next_epoch() -> None:
    producer = given_producer()
    bumped = producer.bump_epoch(after(1))
    assert bumped == ProducerEpochBumped("checkout", 1, after(1))
    assert given(producer, bumped).epoch == 1
    assert producer.bump_epoch(after(2)).epoch == 2


def test_what_needs_a_registered_producer_is_refused_before() -> None:
    producer = Producer("checkout")
    for attempt in (
        lambda: producer.bump_epoch(NOON),
        lambda: producer.record_progress(1, 0, NOON),
        lambda: producer.send_message(given_topic(), message()),
    ):
        with pytest.raises(
            ProducerNotRegistered, match="producer 'checkout' is not registered; register it"
        ) as refused:
            attempt()
        assert refused.value.producer == "checkout"


def test_progress_is_recorded_as_a_total() -> None:
    producer = given_producer()
    (progressed,) = producer.record_progress(5, 17, after(1))
    assert progressed == ProducerProgressed("checkout", 5, 17, after(1))
    given(producer, progressed)
    assert (producer.message_count, producer.counted_through) == (5, 17)


@pytest.mark.parametrize("count", [5, 4, 0, -1])
def test_the_message_count_only_rises(count: int) -> None:
    producer = given(given_producer(), ProducerProgressed("checkout", 5, 17, NOON))
    assert producer.record_progress(count, 99, NOON) == []


def test_a_message_is_asked_of_the_topic_which_gives_the_offset() -> None:
    topic, producer = given_topic(), given_producer(epoch=3)
    asked = producer.send_message(topic, message(b"tea"))
    assert asked == AppendMessages((message(b"tea"),), (0,), "checkout", 3, (), "t-1")
    assert topic.message_count == 0
    assert store(topic, asked).offsets == [0]


def test_a_batch_is_stored_all_in_one() -> None:
    topic, producer = given_topic(), given_producer()
    messages = [message(id=str(number)) for number in range(3)]
    assert store(topic, producer.send_batch(topic, messages)).offsets == [0, 1, 2]


def test_a_keyless_batch_sticks_to_a_partition_and_the_next_goes_to_the_next() -> None:
    topic, producer = given_topic(partitions=3), given_producer()
    batches = [producer.send_batch(topic, [message(), message()]).partitions for _ in range(4)]
    assert batches == [(0, 0), (1, 1), (2, 2), (0, 0)]


def test_an_explicit_partition_wins() -> None:
    topic, producer = given_topic(partitions=3), given_producer()
    assert producer.send_message(topic, message(key=b"alice"), 2).partitions == (2,)
    with pytest.raises(PartitionNotFound):
        producer.send_message(topic, message(), 3)


def test_nothing_can_be_sent_to_a_topic_that_does_not_exist() -> None:
    producer = given_producer()
    for missing in (Topic("orders"), given(given_topic(), TopicDeleted("orders", "t-1", NOON))):
        with pytest.raises(TopicNotFound):
            producer.send_message(missing, message())
