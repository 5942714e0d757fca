"""Consumers: what they are given, where they stand, what they commit, and who may hold them."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.actors import BRIEF, RawConsumer, World, event_types, in_threads, produce, read_all, values

from odradek_actors.base.actor import ActorContext
from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.consumers import CloseConsumer, Delivery, SeekTo, Subscribe
from odradek_actors.topic.actor import TopicActor
from odradek_domain.errors import (
    CommitWouldGoBackwards,
    ConsumerAlreadyOpen,
    ConsumerClosed,
    ConsumerNotPositioned,
    ConsumerNotSubscribed,
    DomainError,
    NoCommittedOffset,
    OffsetNotFound,
    PartitionNotFound,
    TopicNotFound,
)
from odradek_domain.values.positions import TopicPartition
from odradek_events import MemoryLog
from odradek_events.testing import FaultyLog

ORDERS = TopicPartition("orders", 0)


def subscribed(system: ActorSystem, *topics: str, id: str = "c", group: str | None = None) -> ConsumerHandle:
    consumer = system.consumer(id, group)
    consumer.subscribe(topics or ["orders"])
    return consumer


# -- reading ----------------------------------------------------------------------------------------------------------


def test_messages_come_in_offset_order_from_the_beginning(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b", "c")

    records = read_all(subscribed(system), 3)

    assert [(r.topic, r.partition, r.offset, r.value) for r in records] == [
        ("orders", 0, 0, b"a"),
        ("orders", 0, 1, b"b"),
        ("orders", 0, 2, b"c"),
    ]


def test_a_poll_returns_at_most_max_messages_and_the_next_poll_continues(system: ActorSystem) -> None:
    produce(system, "orders", *"abcde")
    consumer = subscribed(system)

    assert [values(consumer.poll(2)) for _ in range(3)] == [["a", "b"], ["c", "d"], ["e"]]


def test_a_poll_without_time_returns_what_is_there_or_nothing(system: ActorSystem) -> None:
    system.create_topic("orders")
    consumer = subscribed(system)

    assert consumer.poll(timeout=0) == []
    produce(system, "orders", "a")
    assert values(consumer.poll(timeout=0)) == ["a"]
    assert consumer.poll(timeout=0) == []


def test_a_poll_without_time_looks_into_every_topic(system: ActorSystem) -> None:
    for topic in ("a", "b", "c"):
        system.create_topic(topic)
    consumer = subscribed(system, "a", "b", "c")
    for topic in ("a", "b", "c"):
        produce(system, topic, topic)
        assert values(consumer.poll(timeout=0)) == [topic]


def test_a_poll_gives_up_when_its_time_is_over(system: ActorSystem) -> None:
    system.create_topic("orders")
    consumer = subscribed(system)

    assert consumer.poll(timeout=BRIEF) == []
    assert consumer.poll(timeout=BRIEF) == []


def test_a_short_poll_after_a_long_one_ends_in_its_own_time(system: ActorSystem) -> None:
    system.create_topic("orders")
    consumer = subscribed(system)
    produce(system, "orders", "a")
    consumer.poll(timeout=600.0)

    assert consumer.poll(timeout=BRIEF) == []


def test_a_waiting_poll_is_woken_by_the_message_it_waits_for(world: World) -> None:
    system = world.open()
    system.create_topic("orders")
    consumer = RawConsumer(system, topics=["orders"])
    waiting = consumer.poll(timeout=600.0)
    system.settle()
    assert not waiting.done()

    produce(system, "orders", "a")

    assert [message.value for message in waiting.result(10).messages] == [b"a"]


def test_a_waiting_poll_is_woken_by_any_of_its_topics(system: ActorSystem) -> None:
    consumer = RawConsumer(system, topics=["a", "b", "c"])
    received = 0
    for topic in ("c", "a", "b"):
        waiting = consumer.poll(received, timeout=600.0)
        system.settle()
        produce(system, topic, topic)
        delivery = waiting.result(10)
        received = delivery.number
        assert [message.topic for message in delivery.messages] == [topic]


def test_no_wake_up_is_lost_between_looking_and_waiting() -> None:
    with ActorSystem.open() as system:
        system.create_topic("orders")
        consumer = subscribed(system)
        producer = system.producer()

        def send() -> None:
            for number in range(500):
                producer.send("orders", str(number)).result()

        def receive() -> None:
            for number in range(500):
                assert values(consumer.poll(1, timeout=20.0)) == [str(number)]

        in_threads(send, receive)


def test_iteration_yields_messages_until_none_come(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")

    assert values(subscribed(system).messages(idle_timeout=BRIEF)) == ["a", "b"]


def test_an_endless_iteration_can_be_stopped_and_resumed(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b", "c")
    consumer = subscribed(system)

    assert values(itertools.islice(consumer, 2)) == ["a", "b"]
    assert values(itertools.islice(consumer, 1)) == ["c"]


def test_every_partition_is_read_in_its_order(system: ActorSystem) -> None:
    system.create_topic("orders", partitions=3)
    for number in range(30):
        system.producer().send("orders", str(number), partition=number % 3).result()

    records = read_all(subscribed(system), 30, max_messages=4)

    for partition in range(3):
        assert [r.offset for r in records if r.partition == partition] == list(range(10))


def test_a_full_topic_does_not_starve_the_others(system: ActorSystem) -> None:
    produce(system, "busy", *map(str, range(100)))
    produce(system, "quiet", "here")
    consumer = subscribed(system, "busy", "quiet")

    first = [record.topic for _ in range(4) for record in consumer.poll(5)]

    assert "quiet" in first


def test_a_full_partition_does_not_starve_the_others(system: ActorSystem) -> None:
    system.create_topic("orders", partitions=2)
    produce(system, "orders", *map(str, range(100)), partition=0)
    produce(system, "orders", "here", partition=1)
    consumer = subscribed(system)

    first = [record.partition for _ in range(4) for record in consumer.poll(5)]

    assert 1 in first


def test_messages_older_than_the_tail_in_memory_are_read_from_the_log(world: World) -> None:
    system = world.open(tail_messages=3, batch_messages=7)
    system.create_topic("orders", partitions=2)
    producer = system.producer()
    for number in range(200):
        producer.send("orders", str(number), partition=number % 2)
    producer.flush()
    consumer = subscribed(system)

    records = read_all(consumer, 200, max_messages=9)

    for partition in range(2):
        assert values(r for r in records if r.partition == partition) == [str(n) for n in range(partition, 200, 2)]
    assert consumer.poll(timeout=0) == []


def test_a_topic_that_keeps_nothing_in_memory_is_read_whole(world: World) -> None:
    system = world.open(tail_messages=0, tail_bytes=0)
    produce(system, "orders", "old", "older")
    system.delete_topic("orders")
    produce(system, "orders", *map(str, range(10)))
    consumer = subscribed(system)

    assert values(read_all(consumer, 10, max_messages=3)) == [str(number) for number in range(10)]


def test_a_fetch_stops_at_its_byte_limit_but_returns_at_least_one_message(world: World) -> None:
    system = world.open(fetch_bytes=100, tail_messages=4)
    produce(system, "orders", *(character * 80 for character in "abcdefghij"))
    consumer = subscribed(system)

    polled = [consumer.poll(timeout=10) for _ in range(10)]

    assert [len(records) for records in polled] == [1] * 10


# -- subscribing ------------------------------------------------------------------------------------------------------


def test_a_consumer_reads_nothing_it_did_not_subscribe_to(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    produce(system, "bills", "b")
    consumer = system.consumer("c")
    with pytest.raises(ConsumerNotSubscribed):
        consumer.poll()

    consumer.subscribe(["bills"])

    assert consumer.subscription == ("bills",)
    assert values(read_all(consumer, 1)) == ["b"]
    assert consumer.poll(timeout=0) == []


def test_subscribing_replaces_the_earlier_topics_and_keeps_positions(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    produce(system, "bills", "c")
    consumer = subscribed(system)
    assert values(consumer.poll(1)) == ["a"]
    consumer.subscribe(["bills"])
    assert values(consumer.poll()) == ["c"]

    consumer.subscribe(["orders"])

    assert values(consumer.poll()) == ["b"]


def test_after_unsubscribing_polls_are_refused_and_positions_stay(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = subscribed(system)
    read_all(consumer, 1)

    consumer.unsubscribe()

    assert consumer.subscription == ()
    assert consumer.position("orders", 0) == 1
    with pytest.raises(ConsumerNotSubscribed):
        consumer.poll()


def test_a_string_is_not_a_list_of_topics(system: ActorSystem) -> None:
    with pytest.raises(TypeError):
        system.consumer("c").subscribe("orders")


def test_a_topic_created_after_the_subscription_is_read_from_its_beginning(system: ActorSystem) -> None:
    consumer = RawConsumer(system, topics=["orders"])
    waiting = consumer.poll(timeout=600.0)
    system.settle()

    system.create_topic("orders")
    produce(system, "orders", "a")

    assert [message.value for message in waiting.result(10).messages] == [b"a"]


def test_a_topic_deleted_and_created_again_is_read_from_its_beginning(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b", "c")
    consumer = subscribed(system)
    read_all(consumer, 3)
    consumer.commit()
    system.delete_topic("orders")
    assert consumer.poll(timeout=0) == []

    produce(system, "orders", "d", "e")

    assert values(read_all(consumer, 2)) == ["d", "e"]
    consumer.commit()
    assert consumer.committed("orders", 0) == 2


def test_a_waiting_poll_finds_the_recreated_topic(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b", "c")
    consumer = RawConsumer(system, topics=["orders"])
    received = consumer.poll().result()
    waiting = consumer.poll(received.number, timeout=600.0)
    system.settle()

    system.delete_topic("orders")
    produce(system, "orders", "d")

    assert [(message.offset, message.value) for message in waiting.result(10).messages] == [(0, b"d")]


def test_partitions_added_while_a_poll_waits_are_read(system: ActorSystem) -> None:
    system.create_topic("orders")
    consumer = RawConsumer(system, topics=["orders"])
    waiting = consumer.poll(timeout=600.0)
    system.settle()

    system.add_partitions("orders", 3)
    produce(system, "orders", "a", partition=2)

    assert [(message.partition, message.value) for message in waiting.result(10).messages] == [(2, b"a")]


# -- positions --------------------------------------------------------------------------------------------------------


def test_a_position_is_that_of_the_next_message_poll_will_return(system: ActorSystem) -> None:
    produce(system, "orders", *"abcd")
    consumer = subscribed(system)
    assert consumer.position("orders", 0) is None

    consumer.poll(2)
    assert consumer.position("orders", 0) == 2
    next(consumer.messages())
    assert consumer.position("orders", 0) == 3  # though more has arrived already


def test_seek_goes_to_an_offset_in_either_direction(system: ActorSystem) -> None:
    produce(system, "orders", *"abcde")
    consumer = subscribed(system)
    consumer.seek("orders", 0, 3)
    assert values(read_all(consumer, 2)) == ["d", "e"]

    consumer.seek("orders", 0, 1)

    assert consumer.position("orders", 0) == 1
    assert values(read_all(consumer, 4)) == ["b", "c", "d", "e"]


def test_seek_drops_what_has_arrived_of_that_partition_only(system: ActorSystem) -> None:
    system.create_topic("orders", partitions=2)
    produce(system, "orders", *"abc", partition=0)
    produce(system, "orders", *"xyz", partition=1)
    consumer = subscribed(system)
    arrived = [record.partition for record in itertools.islice(consumer, 1)]

    consumer.seek("orders", arrived[0], 0)

    records = read_all(consumer, 6)
    assert sorted(values(records)) == ["a", "b", "c", "x", "y", "z"]


def test_seek_to_the_beginning_and_to_the_end(system: ActorSystem) -> None:
    system.create_topic("orders", partitions=2)
    produce(system, "orders", "a", partition=0)
    produce(system, "orders", "b", partition=1)
    consumer = subscribed(system)
    read_all(consumer, 2)

    consumer.seek_to_beginning("orders")
    assert sorted(values(read_all(consumer, 2))) == ["a", "b"]
    consumer.seek_to_beginning("orders")
    consumer.seek_to_end("orders")
    assert consumer.poll(timeout=0) == []
    produce(system, "orders", "c", partition=1)
    assert values(read_all(consumer, 1)) == ["c"]


def test_a_seek_to_what_is_not_there_is_refused(system: ActorSystem) -> None:
    system.create_topic("orders")
    consumer = subscribed(system)

    with pytest.raises(PartitionNotFound):
        consumer.seek("orders", 1, 0)
    with pytest.raises(TopicNotFound):
        consumer.seek("bills", 0, 0)
    with pytest.raises(ValueError, match="offset"):
        consumer.seek("orders", 0, -1)
    system.create_topic("bills")
    with pytest.raises(ConsumerNotSubscribed):
        consumer.seek("bills", 0, 0)


def test_a_seek_out_of_range_applies_the_reset_policy(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    consumer = subscribed(system)
    consumer.seek("orders", 0, 99)

    assert values(read_all(consumer, 2)) == ["a", "b"]


def test_a_seek_keeps_unacknowledged_messages_of_other_partitions(world: World) -> None:
    system = world.open(snapshot_interval=0)  # both messages in memory: one from the log would come alone
    system.create_topic("orders", partitions=2)
    produce(system, "orders", "a", partition=0)
    produce(system, "orders", "b", partition=1)
    consumer = RawConsumer(system, topics=["orders"])
    lost = consumer.poll().result()  # as if this answer never arrived
    assert len(lost.messages) == 2

    topic_id = system.describe_topic("orders").topic_id
    consumer.ask(SeekTo(consumer.handle, TopicPartition("orders", 1), topic_id, 0)).result()

    again: Delivery = consumer.poll(0).result()
    assert [message.value for message in again.messages] == [b"a"]
    assert [message.value for message in consumer.poll(again.number).result().messages] == [b"b"]


def test_a_new_subscription_keeps_unacknowledged_messages_of_topics_still_read(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = RawConsumer(system, topics=["orders", "bills"])
    lost = consumer.poll().result()
    assert len(lost.messages) == 1

    consumer.ask(Subscribe(consumer.handle, ("orders",))).result()

    assert [message.value for message in consumer.poll(0).result().messages] == [b"a"]


def test_only_an_unacknowledged_delivery_is_repeated(world: World) -> None:
    system = world.open()
    produce(system, "orders", "a", "b")
    consumer = RawConsumer(system, topics=["orders"])
    first = consumer.poll(0, max_messages=1).result()
    again = consumer.poll(0, max_messages=1).result()

    assert again == first
    assert [m.value for m in consumer.poll(again.number, max_messages=1).result().messages] == [b"b"]
    assert event_types(world.log, "consumer/raw").count("MessageConsumed") == 2


def test_a_second_poll_ends_the_first_with_nothing(system: ActorSystem) -> None:
    consumer = RawConsumer(system, topics=["orders"])
    first = consumer.poll(timeout=600.0)
    second = consumer.poll(timeout=600.0)

    assert first.result(10).messages == ()
    produce(system, "orders", "a")
    assert len(second.result(10).messages) == 1


# -- reset policy -----------------------------------------------------------------------------------------------------


def test_latest_starts_after_the_messages_that_exist_at_the_first_poll(system: ActorSystem) -> None:
    produce(system, "orders", "old")
    consumer = system.consumer("c", auto_offset_reset="latest")
    consumer.subscribe(["orders"])
    assert consumer.poll(timeout=0) == []

    produce(system, "orders", "new")

    assert values(read_all(consumer, 1)) == ["new"]


def test_with_auto_offset_reset_none_a_consumer_needs_a_position(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    consumer = system.consumer("c", auto_offset_reset="none")
    consumer.subscribe(["orders"])
    with pytest.raises(NoCommittedOffset):
        consumer.poll()

    consumer.seek("orders", 0, 1)

    assert values(read_all(consumer, 1)) == ["b"]


def test_an_unknown_policy_is_refused(system: ActorSystem) -> None:
    with pytest.raises(ValueError, match="auto_offset_reset"):
        system.consumer("c", auto_offset_reset="newest")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize(("policy", "expected"), [("earliest", ["d", "e"]), ("latest", ["f"])])
def test_a_position_below_deleted_records_is_reset(system: ActorSystem, policy: str, expected: list[str]) -> None:
    produce(system, "orders", *"abcde")
    consumer = system.consumer("c", auto_offset_reset=policy)  # type: ignore[arg-type]  # one of the literals
    consumer.subscribe(["orders"])
    consumer.seek("orders", 0, 0)
    assert values(consumer.poll(1)) == ["a"]
    system.delete_records("orders", 0, 3)
    if policy == "latest":
        assert consumer.poll(timeout=0) == []
        produce(system, "orders", "f")

    assert values(read_all(consumer, len(expected))) == expected
    consumer.commit()


def test_with_auto_offset_reset_none_a_position_below_deleted_records_is_an_error(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = system.consumer("c", auto_offset_reset="none")
    consumer.subscribe(["orders"])
    consumer.seek("orders", 0, 0)
    system.delete_records("orders", 0, 2)

    with pytest.raises(OffsetNotFound):
        consumer.poll()


# -- committing -------------------------------------------------------------------------------------------------------


def test_commit_covers_only_returned_messages(system: ActorSystem) -> None:
    produce(system, "orders", *"abcde")
    consumer = subscribed(system)
    next(consumer.messages())  # all five have arrived, one was handed out

    consumer.commit()

    assert consumer.committed("orders", 0) == 1


def test_nothing_is_committed_unless_asked(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = subscribed(system)
    read_all(consumer, 1)

    assert consumer.committed("orders", 0) is None
    consumer.close()
    assert subscribed(system).committed("orders", 0) is None


def test_given_offsets_are_committed_as_given(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = subscribed(system)
    read_all(consumer, 3)

    consumer.commit({ORDERS: 2})

    assert consumer.committed("orders", 0) == 2
    consumer.commit()
    assert consumer.committed("orders", 0) == 3


def test_a_commit_beyond_the_position_is_refused(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = subscribed(system)
    with pytest.raises(ConsumerNotPositioned):
        consumer.commit({ORDERS: 1})
    consumer.poll(1)

    with pytest.raises(DomainError):
        consumer.commit({ORDERS: 2})
    with pytest.raises(ValueError, match="offset"):
        consumer.commit({ORDERS: -1})

    assert consumer.committed("orders", 0) is None


@pytest.mark.parametrize("group", [None, "g"])
def test_a_commit_never_goes_backwards_except_after_a_seek(system: ActorSystem, group: str | None) -> None:
    produce(system, "orders", *"abc")
    consumer = subscribed(system, group=group)
    read_all(consumer, 3)
    consumer.commit()
    with pytest.raises(CommitWouldGoBackwards):
        consumer.commit({ORDERS: 1})
    assert consumer.committed("orders", 0) == 3

    consumer.seek("orders", 0, 1)
    consumer.commit({ORDERS: 1})

    assert consumer.committed("orders", 0) == 1
    read_all(consumer, 2)
    consumer.commit()
    with pytest.raises(CommitWouldGoBackwards):
        consumer.commit({ORDERS: 1})


def test_the_same_commit_again_is_no_event(world: World) -> None:
    system = world.open()
    produce(system, "orders", "a")
    consumer = subscribed(system)
    read_all(consumer, 1)
    consumer.commit({ORDERS: 1})
    consumer.commit({ORDERS: 1})
    consumer.commit()

    assert event_types(world.log, "consumer/c").count("OffsetCommitted") == 1


def test_a_commit_for_a_topic_that_was_deleted_no_longer_counts(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    with subscribed(system) as consumer:
        read_all(consumer, 2)
        consumer.commit()
        system.delete_topic("orders")
        assert consumer.committed("orders", 0) is None
    produce(system, "orders", "c")

    consumer = subscribed(system)

    assert consumer.committed("orders", 0) is None
    assert values(read_all(consumer, 1)) == ["c"]


def test_a_new_run_begins_at_the_committed_offsets(world: World) -> None:
    system = world.open()
    produce(system, "orders", *"abc")
    consumer = subscribed(system)
    consumer.poll(2)
    consumer.commit()
    consumer.poll(1)
    world.crash()

    again = subscribed(world.open())

    assert again.position("orders", 0) == 2
    assert values(read_all(again, 1)) == ["c"]


def test_uncommitted_messages_are_delivered_again_after_reopening(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    with subscribed(system) as consumer:
        read_all(consumer, 2)

    assert values(read_all(subscribed(system), 2)) == ["a", "b"]


def test_a_consumer_without_a_group_commits_to_its_own_stream(world: World) -> None:
    system = world.open()
    produce(system, "orders", "a")
    consumer = subscribed(system)
    read_all(consumer, 1)
    consumer.commit()

    assert event_types(world.log, "consumer/c")[-1] == "OffsetCommitted"
    assert not any(stream.startswith("group/") for stream in world.log.streams())


def test_two_consumers_without_a_group_each_read_everything(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")

    assert values(read_all(subscribed(system, id="c1"), 2)) == ["a", "b"]
    assert values(read_all(subscribed(system, id="c2"), 2)) == ["a", "b"]


# -- groups -----------------------------------------------------------------------------------------------------------


def test_a_consumer_in_a_group_commits_to_the_group(world: World) -> None:
    system = world.open()
    produce(system, "orders", "a", "b")
    consumer = subscribed(system, group="g")
    read_all(consumer, 2)
    consumer.commit()

    (committed,) = system.committed_offsets("g")
    assert (committed.topic, committed.partition, committed.offset) == ("orders", 0, 2)
    assert consumer.committed("orders", 0) == 2
    assert "OffsetCommitted" not in event_types(world.log, "consumer/c")


def test_another_consumer_of_the_group_resumes_where_the_first_committed(system: ActorSystem) -> None:
    produce(system, "orders", *"abcd")
    with subscribed(system, id="c1", group="g") as first:
        first.poll(3)
        first.commit()

    second = subscribed(system, id="c2", group="g")

    assert values(read_all(second, 1)) == ["d"]


def test_a_consumer_reopened_in_another_group_starts_at_its_offsets(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    with subscribed(system, id="c1", group="g") as consumer:
        consumer.poll(2)
        consumer.commit()
    with subscribed(system, id="c1", group="h") as consumer:
        assert values(read_all(consumer, 3)) == ["a", "b", "c"]
    with subscribed(system, id="c1", group="g") as consumer:
        assert values(read_all(consumer, 1)) == ["c"]


def test_a_group_without_commits_has_no_offsets(system: ActorSystem) -> None:
    assert system.committed_offsets("nobody") == ()


# -- handles ----------------------------------------------------------------------------------------------------------


def test_a_second_live_handle_on_a_consumer_is_refused(system: ActorSystem) -> None:
    first = system.consumer("c")
    with pytest.raises(ConsumerAlreadyOpen):
        system.consumer("c")

    first.close()

    system.consumer("c")


def test_a_closed_consumer_refuses_calls_and_can_be_closed_again(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    consumer = subscribed(system)
    next(consumer.messages())  # one more has arrived
    consumer.close()
    consumer.close()

    for attempt in (
        lambda: consumer.poll(),
        lambda: consumer.commit({ORDERS: 1}),
        lambda: consumer.subscribe(["orders"]),
        lambda: consumer.position("orders", 0),
        lambda: consumer.committed("orders", 0),
        lambda: consumer.seek("orders", 0, 0),
    ):
        with pytest.raises(ConsumerClosed):
            attempt()
    assert list(consumer.messages(idle_timeout=BRIEF)) == []


def test_an_old_handle_cannot_disturb_a_new_one(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    old = RawConsumer(system, "c", ["orders"])
    new = subscribed_after_closing(system, old)

    with pytest.raises(ConsumerClosed):
        old.poll().result()
    assert values(read_all(new, 1)) == ["a"]


def subscribed_after_closing(system: ActorSystem, old: RawConsumer) -> ConsumerHandle:
    old.ask(CloseConsumer(old.handle)).result()
    return subscribed(system, id="c")


def test_closing_ends_a_poll_that_waits(system: ActorSystem) -> None:
    consumer = RawConsumer(system, topics=["orders"])
    waiting = consumer.poll(timeout=600.0)

    consumer.ask(CloseConsumer(consumer.handle)).result()

    assert waiting.result(10).messages == ()


@pytest.mark.parametrize(("count", "timeout"), [(0, 1.0), (-1, 1.0), (1, -0.5)])
def test_a_poll_with_no_messages_or_a_negative_timeout_is_refused(count: int, timeout: float) -> None:
    with ActorSystem.open() as system:
        consumer = subscribed(system)
        with pytest.raises(ValueError, match="must be"):
            consumer.poll(count, timeout)


def test_every_delivery_is_recorded_before_poll_returns_it(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open()
    produce(system, "orders", "a")
    consumer = RawConsumer(system, topics=["orders"])
    consumer.poll(timeout=0).result()
    produce(system, "orders", "b")
    hold = faulty.hold("consumer/raw")
    polled = consumer.poll(received=99)
    assert hold.reached.wait(10)

    assert not polled.done()
    hold.release()
    assert [message.value for message in polled.result(10).messages] == [b"b"]


class WatchedTopic(TopicActor):
    """A topic's actor that can be looked into."""

    started: list[TopicActor]

    def __init__(self, context: ActorContext, stream: str) -> None:
        super().__init__(context, stream)
        self.started.append(self)


def test_memory_holds_a_bounded_tail_however_long_the_topic() -> None:
    WatchedTopic.started = []
    with ActorSystem.open(actors={"topic": WatchedTopic}, tail_messages=50) as system:
        for start in range(0, 2000, 100):
            produce(system, "orders", *map(str, range(start, start + 100)))

        assert values(read_all(subscribed(system), 2000)) == [str(number) for number in range(2000)]

        (topic,) = WatchedTopic.started
        assert 50 <= len(topic.state.partitions[0].messages) <= 100


def test_reading_leaves_a_log_without_consumers_untouched() -> None:
    log = MemoryLog()
    with ActorSystem.open(log) as system:
        produce(system, "orders", "a")
        system.settle()
        before = log.head().position
        system.list_topics()
        system.describe_topic("orders")
        system.committed_offsets("g")
        system.state()
        assert log.head().position == before


def test_messages_of_a_deleted_topic_are_not_committed_for_its_successor(world: World) -> None:
    system = world.open()
    system.create_topic("t", 2)
    producer = system.producer()
    producer.send_batch("t", ["old"] * 3, partition=1).result()
    consumer = system.consumer("c", "g")
    consumer.subscribe(["t"])
    assert len(read_all(consumer, 3)) == 3
    system.delete_topic("t")
    system.create_topic("t", 2)
    for partition in (0, 1):
        producer.send_batch("t", ["new"] * 5, partition=partition).result()

    first = next(consumer.messages(idle_timeout=5))
    consumer.commit()

    committed = {item.partition: item.offset for item in system.committed_offsets("g")}
    assert committed == {first.partition: first.offset + 1}
    consumer.close()
    with system.consumer("c", "g") as again:
        again.subscribe(["t"])
        assert len(read_all(again, 9)) == 9


def test_a_commit_works_after_the_topic_was_recreated(system: ActorSystem) -> None:
    system.create_topic("t", 2)
    producer = system.producer()
    for partition in (0, 1):
        producer.send_batch("t", ["old"] * 3, partition=partition).result()
    consumer = system.consumer("c")
    consumer.subscribe(["t"])
    read_all(consumer, 6)
    system.delete_topic("t")
    system.create_topic("t", 2)
    producer.send("t", "new", partition=0).result()
    assert [message.value for message in read_all(consumer, 1)] == [b"new"]

    consumer.commit()

    assert consumer.committed("t", 0) == 1
    assert consumer.committed("t", 1) is None


def test_every_partition_of_every_topic_gets_its_turn() -> None:
    with ActorSystem.open() as system, system.producer() as producer, system.consumer("c") as consumer:
        for topic in ("a", "b"):
            system.create_topic(topic, 2)
            for partition in (0, 1):
                producer.send_batch(topic, ["v"] * 200, partition=partition)
        producer.flush()
        consumer.subscribe(["a", "b"])

        seen = {(m.topic, m.partition) for _ in range(20) for m in consumer.poll(10)}

        assert seen == {("a", 0), ("a", 1), ("b", 0), ("b", 1)}


def test_partitions_that_are_never_empty_share_polls_evenly_whatever_lies_between_them() -> None:
    with ActorSystem.open() as system, system.producer() as producer, system.consumer("c") as consumer:
        system.create_topic("t", 10)
        for partition in (1, 8, 9):
            producer.send_batch("t", ["v"] * 200, partition=partition)
        producer.flush()
        consumer.subscribe(["t"])

        polls = Counter(message.partition for _ in range(12) for message in consumer.poll(10))

        assert polls == {1: 40, 8: 40, 9: 40}


def test_a_very_long_poll_does_not_stop_the_timers_of_others() -> None:
    with ActorSystem.open() as system, system.consumer("patient") as patient, system.consumer("hasty") as hasty:
        for consumer in (patient, hasty):
            consumer.subscribe(["t"])
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(patient.poll, timeout=999_999_999)
            assert [hasty.poll(timeout=0.01) for _ in range(3)] == [[], [], []]
            system.producer().send("t", "v").result()
            assert len(waiting.result(10)) == 1


def test_a_time_setting_out_of_range_is_refused() -> None:
    with ActorSystem.open() as system, system.consumer("c") as consumer:
        consumer.subscribe(["t"])
        with pytest.raises(ValueError, match="timeout"):
            consumer.poll(timeout=float("inf"))
    with pytest.raises(ValueError, match="progress_interval"):
        ActorSystem.open(progress_interval=float("inf"))
