"""The Producer: identity, epochs, a count that only rises, and what it asks of topics."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from support.domain import NOON, after, given_topic, message, store

from odradek.testing import given
from odradek_domain.errors import InvalidIdentifier, PartitionNotFound, ProducerNotRegistered, TopicNotFound
from odradek_domain.producer.producer import Producer
from odradek_domain.topic.topic import AppendMessages, Topic
from odradek_events.types import ProducerEpochBumped, ProducerProgressed, ProducerRegistered, TopicDeleted

REGISTERED = ProducerRegistered("checkout", "checkout", 0, NOON, "tx-1")


def given_producer(epoch: int = 0) -> Producer:
    return given(Producer("checkout"), msgspec.structs.replace(REGISTERED, epoch=epoch)).aggregate


def test_a_producer_registers_once_with_epoch_0() -> None:
    scenario = given(Producer("checkout")).when(Producer.register, NOON, "tx-1").then(REGISTERED)
    scenario.then_state(id="checkout", client_id="checkout", transaction_id="tx-1", created_at=NOON, epoch=0)
    scenario.then_state(message_count=0).when(Producer.register, after(1)).then_nothing()


def test_a_producer_needs_a_usable_client_id() -> None:
    with pytest.raises(InvalidIdentifier):
        Producer("")


def test_a_new_run_of_a_producer_has_the_next_epoch() -> None:
    scenario = given(Producer("checkout"), REGISTERED)
    for epoch in (1, 2):
        scenario.when(Producer.bump_epoch, after(epoch)).then(ProducerEpochBumped("checkout", epoch, after(epoch)))
        scenario.then_state(epoch=epoch)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda producer: producer.bump_epoch(NOON),
        lambda producer: producer.record_progress(1, 0, NOON),
        lambda producer: producer.send_message(given_topic(), message()),
    ],
)
def test_what_needs_a_registered_producer_is_refused_before(attempt: Callable[[Producer], object]) -> None:
    reason = "producer 'checkout' is not registered; register it"
    given(Producer("checkout")).when(attempt).then_raises(ProducerNotRegistered, match=reason, producer="checkout")


def test_progress_is_recorded_as_a_total() -> None:
    scenario = given(Producer("checkout"), REGISTERED).when(Producer.record_progress, 5, 17, after(1))
    scenario.then(ProducerProgressed("checkout", 5, 17, after(1))).then_state(message_count=5, counted_through=17)


@pytest.mark.parametrize("count", [5, 4, 0, -1])
def test_the_message_count_only_increases(count: int) -> None:
    scenario = given(Producer("checkout"), REGISTERED, ProducerProgressed("checkout", 5, 17, NOON))
    scenario.when(Producer.record_progress, count, 99, NOON).then_nothing()


def test_a_producer_routes_a_message_and_the_topic_assigns_its_offset() -> None:
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
    for missing in (Topic("orders"), given(given_topic(), TopicDeleted("orders", "t-1", NOON)).aggregate):
        with pytest.raises(TopicNotFound):
            producer.send_message(missing, message())
