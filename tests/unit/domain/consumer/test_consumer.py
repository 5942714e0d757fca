"""The Consumer: subscription, positions, committed offsets, and signs of life."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.domain import NOON, after, batch, given, given_topic, produced, recreate, store

from odradek_domain.consumer.consumer import Consumer
from odradek_domain.errors import (
    CommitWouldGoBackwards,
    ConsumerNotPositioned,
    ConsumerNotSubscribed,
    InvalidIdentifier,
    InvalidOffset,
    InvalidTopicName,
    OffsetNotFound,
    PositionWouldGoBackwards,
)
from odradek_domain.group.errors import ConsumerNotAssigned
from odradek_domain.topic.topic import Topic
from odradek_domain.values.committed_offsets import CommittedOffset, OffsetToCommit
from odradek_domain.values.positions import Offset, TopicPartition
from odradek_events.types import (
    ConsumerRegistered,
    ConsumerResumed,
    ConsumerSubscribed,
    MessageConsumed,
    OffsetCommitted,
    OffsetReset,
    PartitionsAssigned,
    ResumedPosition,
)

ORDERS_0 = TopicPartition("orders", 0)


def given_consumer(*events: object) -> Consumer:
    return given(Consumer("c1"), ConsumerRegistered("c1", NOON), ConsumerSubscribed("c1", ("orders",), NOON), *events)


def consumed(offset: int, partition: int = 0, topic: str = "orders") -> MessageConsumed:
    return MessageConsumed(topic, partition, offset, f"m{offset}", "c1", NOON)


def placed(offset: int, partition: int = 0, topic_id: str = "t-1") -> OffsetReset:
    return OffsetReset("consumer/c1", "orders", topic_id, partition, offset, "earliest", NOON)


def stocked(count: int = 5, partitions: int = 1) -> Topic:
    topic = given_topic(partitions=partitions)
    for partition in range(partitions):
        store(topic, batch(count, partition=partition))
    return topic


def test_a_consumer_registers_once() -> None:
    consumer = Consumer("c1")
    (registered,) = consumer.register("billing", NOON)
    assert registered == ConsumerRegistered("c1", NOON, "billing")
    given(consumer, registered)
    assert (consumer.is_registered, consumer.group_id, consumer.registered_at) == (True, "billing", NOON)
    assert consumer.register("billing", after(1)) == []


def test_a_consumer_reopened_in_another_group_has_no_positions() -> None:
    consumer = given_consumer(placed(3))
    given(consumer, *consumer.register("billing", after(9)))
    assert (consumer.group_id, consumer.registered_at) == ("billing", NOON)
    assert consumer.get_current_offset(ORDERS_0) is None


def test_a_bad_consumer_or_group_id_is_refused() -> None:
    with pytest.raises(InvalidIdentifier, match="consumer id"):
        Consumer("")
    with pytest.raises(InvalidIdentifier, match="group id"):
        Consumer("c1").register("\n", NOON)


def test_a_subscription_replaces_the_earlier_one_keeps_order_and_drops_doubles() -> None:
    consumer = given_consumer()
    (subscribed,) = consumer.subscribe(["b", "a", "b"], NOON)
    assert subscribed == ConsumerSubscribed("c1", ("b", "a"), NOON)
    assert given(consumer, subscribed).subscriptions == ("b", "a")
    assert consumer.subscribe(["b", "a"], NOON) == []
    assert given(consumer, *consumer.subscribe([], NOON)).subscriptions == ()


def test_subscribing_to_an_invalid_topic_name_is_refused() -> None:
    with pytest.raises(InvalidTopicName):
        given_consumer().subscribe(["orders", "no spaces"], NOON)


def test_a_consumer_never_reads_what_it_did_not_subscribe_to() -> None:
    consumer = given_consumer()
    other = given_topic("payments")
    for attempt in (
        lambda: consumer.fetch_messages(other, 1),
        lambda: consumer.consume([produced(0), produced(0, topic="payments")], NOON),
        lambda: consumer.reset(TopicPartition("payments", 0), "t-1", 0, "seek", NOON),
        lambda: consumer.require_subscribed("payments"),
    ):
        with pytest.raises(ConsumerNotSubscribed, match="is not subscribed to topic 'payments'; subscribe") as refused:
            attempt()
        assert (refused.value.consumer, refused.value.topic) == ("c1", "payments")


def test_polling_without_a_subscription_is_an_error() -> None:
    with pytest.raises(ConsumerNotSubscribed, match="is not subscribed to any topic") as refused:
        Consumer("c1").require_subscribed()
    assert refused.value.topic is None
    given_consumer().require_subscribed()


def test_fetching_starts_at_the_log_start_and_continues_at_the_position() -> None:
    topic, consumer = stocked(), given_consumer()
    assert [event.offset for event in consumer.fetch_messages(topic, 2)] == [0, 1]
    given(consumer, *consumer.consume(consumer.fetch_messages(topic, 2), NOON))
    assert consumer.get_current_offset(ORDERS_0) == Offset(2)
    assert [event.offset for event in consumer.fetch_messages(topic, 9)] == [2, 3, 4]


def test_fetching_goes_partition_by_partition_up_to_the_limit() -> None:
    topic, consumer = stocked(2, partitions=3), given_consumer(placed(1, partition=1))
    fetched = [(event.partition, event.offset) for event in consumer.fetch_messages(topic, 4)]
    assert fetched == [(0, 0), (0, 1), (1, 1), (2, 0)]
    assert consumer.fetch_messages(topic, 0) == []


def test_fetching_from_a_deleted_offset_is_out_of_range() -> None:
    topic, consumer = stocked(), given_consumer(placed(1))
    given(topic, *topic.delete_records(0, 3, NOON))
    with pytest.raises(OffsetNotFound, match="use one from 3 to 5"):
        consumer.fetch_messages(topic, 1)


def test_positions_in_the_earlier_topic_of_that_name_do_not_count() -> None:
    topic, consumer = stocked(), given_consumer(placed(4))
    recreate(topic)
    store(topic, batch(1))
    assert [event.offset for event in consumer.fetch_messages(topic, 9)] == [0]
    assert consumer.positions("orders", "t-2") == {}
    assert consumer.positions("orders", "t-1") == {0: 4}
    assert consumer.topic_id("orders") == "t-1"
    assert consumer.topic_id("payments") is None


def test_consuming_moves_the_position_and_commits_nothing() -> None:
    consumer = given_consumer()
    events = consumer.consume([produced(0), produced(1)], after(3))
    assert events == [
        MessageConsumed("orders", 0, 0, "m0", "c1", after(3)),
        MessageConsumed("orders", 0, 1, "m1", "c1", after(3)),
    ]
    given(consumer, *events)
    assert consumer.get_current_offset(ORDERS_0) == 2
    assert consumer.committed.get(ORDERS_0) is None


def test_a_position_passes_over_deleted_offsets() -> None:
    consumer = given_consumer(placed(0))
    given(consumer, *consumer.consume([produced(7)], NOON))
    assert consumer.get_current_offset(ORDERS_0) == 8


@pytest.mark.parametrize("offsets", [(4,), (5, 5), (6, 5), (5, 6, 2)])
def test_positions_never_fall_by_consuming(offsets: tuple[int, ...]) -> None:
    consumer = given_consumer(placed(5))
    with pytest.raises(PositionWouldGoBackwards, match="seek or reset first") as refused:
        consumer.consume([produced(offset) for offset in offsets], NOON)
    error = refused.value
    assert (error.consumer, error.topic, error.partition, error.offset) == ("c1", "orders", 0, offsets[-1])
    assert error.position == max((5, *(offset + 1 for offset in offsets[:-1])))


def test_an_explicit_reset_goes_back_and_what_follows_is_delivered_again() -> None:
    consumer = given_consumer(placed(0), consumed(0), consumed(1))
    reset = consumer.reset(ORDERS_0, "t-1", 0, "seek", after(1))
    assert reset == OffsetReset("consumer/c1", "orders", "t-1", 0, 0, "seek", after(1))
    given(consumer, reset)
    assert len(consumer.consume([produced(0)], NOON)) == 1


def test_a_reset_in_another_incarnation_forgets_the_positions_of_the_first() -> None:
    consumer = given_consumer(placed(3), placed(7, partition=1), placed(0, topic_id="t-2"))
    assert consumer.positions("orders") == {0: 0}


def test_positions_of_partitions_that_are_no_longer_assigned_do_not_count() -> None:
    consumer = given_consumer(
        PartitionsAssigned("c1", (("orders", 0), ("orders", 1)), (), NOON, "m", 1), placed(3), placed(7, partition=1)
    )
    given(consumer, *consumer.subscribe([], NOON), *consumer.subscribe(["orders"], NOON))
    given(consumer, PartitionsAssigned("c1", (("orders", 0),), (), NOON, "n", 2), placed(3))
    other = TopicPartition("orders", 1)

    assert consumer.positions("orders") == {0: 3}
    assert consumer.get_current_offset(other) is None
    with pytest.raises(ConsumerNotAssigned):
        consumer.consume([produced(7, partition=1)], NOON)
    with pytest.raises(ConsumerNotPositioned):
        consumer.to_commit(other, 7)


def test_a_reset_to_below_0_is_refused() -> None:
    with pytest.raises(InvalidOffset):
        given_consumer().reset(ORDERS_0, "t-1", -1, "seek", NOON)


def test_what_positions_returns_is_a_copy() -> None:
    consumer = given_consumer(placed(3))
    consumer.positions("orders")[0] = 99
    assert consumer.get_current_offset(ORDERS_0) == 3


def test_a_commit_is_the_offset_of_the_next_message_to_read() -> None:
    consumer = given_consumer(placed(0), consumed(0), consumed(1))
    wanted = consumer.to_commit(ORDERS_0, 2)
    assert wanted == OffsetToCommit("orders", 0, "t-1", 2)
    (committed,) = consumer.commit_offset(wanted, after(1))
    assert committed == OffsetCommitted("consumer/c1", "orders", "t-1", 0, 2, after(1), "c1")
    given(consumer, committed)
    assert consumer.committed.get(ORDERS_0) == CommittedOffset("orders", 0, "t-1", 2)
    assert consumer.commit_offset(wanted, after(2)) == []


def test_a_commit_never_falls_unless_the_position_was_moved_on_purpose() -> None:
    consumer = given_consumer(placed(5))
    given(consumer, *consumer.commit_offset(consumer.to_commit(ORDERS_0, 5), NOON))
    with pytest.raises(CommitWouldGoBackwards, match="seek or reset first") as refused:
        consumer.commit_offset(consumer.to_commit(ORDERS_0, 4), NOON)
    error = refused.value
    assert (error.owner, error.topic, error.partition) == ("consumer/c1", "orders", 0)
    assert (error.committed, error.offset) == (5, 4)
    (back,) = consumer.commit_offset(consumer.to_commit(ORDERS_0, 4, is_reset=True), NOON)
    assert (back.offset, back.is_reset) == (4, True)


@pytest.mark.parametrize(("partition", "offset", "position"), [(0, 4, 3), (1, 0, None)])
def test_nothing_is_committed_beyond_the_position(partition: int, offset: int, position: int | None) -> None:
    with pytest.raises(ConsumerNotPositioned, match="poll or seek before you commit") as refused:
        given_consumer(placed(3)).to_commit(TopicPartition("orders", partition), offset)
    error = refused.value
    assert (error.consumer, error.topic, error.partition, error.position) == ("c1", "orders", partition, position)


def test_a_negative_offset_cannot_be_committed() -> None:
    consumer = given_consumer(placed(3))
    with pytest.raises(InvalidOffset):
        consumer.commit_offset(consumer.to_commit(ORDERS_0, -1), NOON)


def test_a_reopened_consumer_has_positions_only_at_its_committed_offsets() -> None:
    consumer = given_consumer(placed(9), placed(9, partition=1))
    resumed = consumer.resume([CommittedOffset("orders", 1, "t-1", 4), CommittedOffset("a", 0, "t-0", 2)], after(1))
    assert resumed == ConsumerResumed(
        "c1", (ResumedPosition("a", "t-0", 0, 2), ResumedPosition("orders", "t-1", 1, 4)), after(1)
    )
    given(consumer, resumed)
    assert consumer.positions("orders") == {1: 4}
    assert consumer.positions("a") == {0: 2}
    assert consumer.subscriptions == ("orders",)


def test_uncommitted_messages_are_delivered_again_in_a_new_run() -> None:
    topic, consumer = stocked(5), given_consumer(placed(0))
    given(consumer, *consumer.consume(consumer.fetch_messages(topic, 2), NOON))
    given(consumer, *consumer.commit_offset(consumer.to_commit(ORDERS_0, 2), NOON))
    given(consumer, *consumer.consume(consumer.fetch_messages(topic, 2), NOON))
    given(consumer, consumer.resume(consumer.committed.all(), after(9)))
    assert [event.offset for event in consumer.fetch_messages(topic, 9)] == [2, 3, 4]


def test_a_heartbeat_keeps_a_consumer_active_and_is_not_part_of_its_state() -> None:
    consumer = given_consumer()
    assert not consumer.is_active(NOON)
    before = consumer.snapshot()
    consumer.heartbeat(NOON)
    assert consumer.is_active(after(45))
    assert not consumer.is_active(after(46))
    assert consumer.is_active(after(100), timeout=timedelta(seconds=100))
    assert consumer.snapshot() == before


def test_several_partitions_can_be_released_from_any_iterable() -> None:
    places = [TopicPartition("orders", number) for number in range(3)]
    consumer = Consumer("c")
    consumer.apply(consumer.take(places, (), NOON, "m-1", 1))
    assert consumer.assigned == set(places)

    revoked = consumer.release(iter(places[:2]), NOON, 1)
    for event in revoked:
        consumer.apply(event)

    assert [event.partitions for event in revoked] == [(("orders", 0), ("orders", 1))]
    assert consumer.assigned == {places[2]}
    assert Consumer("d").assigned == frozenset()
