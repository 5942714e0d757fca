"""Paused partitions, seeks and positions of consumers in groups and alone; and that every partition gets its turn."""

from __future__ import annotations

import pytest
from support.actors import produce, read_all, values
from support.groups import COOPERATIVE, balance, fill, member, places, poll_all, until

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_domain.errors import (
    ConsumerNotPositioned,
    ConsumerNotSubscribed,
    NoCommittedOffset,
    OffsetNotFound,
    PartitionNotFound,
)
from odradek_domain.group.errors import ConsumerNotAssigned
from odradek_domain.values.positions import TopicPartition

pytestmark = pytest.mark.usefixtures("replayed")

WAYS = pytest.mark.parametrize("way", ["alone", "grouped", "cooperative", "by hand"])


def reader(system: ActorSystem, way: str, partitions: int, topic: str = "orders") -> ConsumerHandle:
    """Return a consumer that reads a topic in one way or another, and has its partitions."""
    if way == "alone":
        consumer = system.consumer("a")
        consumer.subscribe([topic])
        return consumer
    if way == "by hand":
        consumer = system.consumer("a", "g")
        consumer.assign([(topic, partition) for partition in range(partitions)])
        return consumer
    consumer = member(system, "a", topic, assignors=COOPERATIVE if way == "cooperative" else ["range"])
    balance(system, consumer, partitions=partitions)
    return consumer


def everything(partitions: int, each: int) -> list[tuple[str, int, int]]:
    return [("orders", partition, offset) for partition in range(partitions) for offset in range(each)]


# -- pausing ----------------------------------------------------------------------------------------------------------


@WAYS
def test_a_paused_partition_returns_nothing_and_loses_nothing(system: ActorSystem, way: str) -> None:
    system.create_topic("orders", 3)
    consumer = reader(system, way, 3)
    fill(system, "orders", 3, 4)

    consumer.pause([("orders", 1)])
    seen = places(read_all(consumer, 8))
    assert consumer.paused == (("orders", 1),)
    assert {partition for _, partition, _ in seen} == {0, 2}
    assert consumer.poll(timeout=0.02) == []
    consumer.resume([("orders", 1)])
    seen += places(read_all(consumer, 4))

    assert not consumer.paused
    assert sorted(seen) == everything(3, 4)


@WAYS
def test_buffered_messages_of_a_paused_partition_are_returned_after_resume(system: ActorSystem, way: str) -> None:
    system.create_topic("orders", 2)
    consumer = reader(system, way, 2)
    fill(system, "orders", 2, 5)
    stream = consumer.messages(idle_timeout=0.02)
    seen = [next(stream)]
    now = seen[0].partition

    consumer.pause([("orders", now)])
    assert consumer.position("orders", now) == 1
    while_paused = list(stream)
    consumer.resume([("orders", now)])
    afterwards = list(consumer.messages(idle_timeout=0.05))

    assert {record.partition for record in while_paused} == {1 - now}
    assert {record.partition for record in afterwards} == {now}
    assert places(seen + while_paused + afterwards) == everything(2, 5)


@WAYS
def test_pausing_and_resuming_at_every_step_neither_loses_nor_repeats(system: ActorSystem, way: str) -> None:
    system.create_topic("orders", 3)
    consumer = reader(system, way, 3)
    fill(system, "orders", 3, 6)
    seen = []

    for step in range(12):
        consumer.pause([("orders", step % 3)])
        consumer.resume([("orders", (step + 1) % 3)])
        seen.append(next(consumer.messages(idle_timeout=5)))
    consumer.resume(consumer.paused)
    seen += read_all(consumer, 18 - len(seen))

    assert places(seen) == everything(3, 6)


@WAYS
def test_a_poll_that_waits_only_for_paused_partitions_returns_in_time(system: ActorSystem, way: str) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 1)
    consumer = reader(system, way, 2)
    consumer.pause([("orders", 0), ("orders", 1)])

    assert consumer.poll(timeout=0.02) == []
    assert consumer.poll(timeout=0) == []
    fill(system, "orders", 2, 1)
    assert consumer.poll(timeout=0.02) == []
    consumer.resume([("orders", 1), ("orders", 1)])
    assert places(read_all(consumer, 2)) == [("orders", 1, 0), ("orders", 1, 1)]


def test_only_partitions_that_are_read_can_be_paused(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    alone = system.consumer("alone")
    with pytest.raises(ConsumerNotSubscribed):
        alone.pause([("orders", 0)])
    first, second = member(system, "a", "orders"), member(system, "b", "orders")
    balance(system, first, second, partitions=2)

    with pytest.raises(ConsumerNotAssigned):
        first.pause([(place.topic, place.partition) for place in second.assignment])

    assert first.paused == ()
    first.pause(first.assignment)
    first.resume([("orders", 77)])
    assert first.paused == first.assignment


@pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])
def test_a_pause_ends_when_the_partition_is_revoked_and_lasts_while_it_is_kept(
    system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    system.create_topic("orders", 2)
    first = member(system, "a", "orders", assignors=assignors)
    balance(system, first, partitions=2)
    first.pause([("orders", 0), ("orders", 1)])
    second = member(system, "b", "orders", assignors=assignors)

    balance(system, first, second, partitions=2)
    kept = first.assignment if assignors == COOPERATIVE else ()
    assert (first.paused, second.paused) == (kept, ())
    second.close()
    balance(system, first, partitions=2)
    fill(system, "orders", 2, 1)

    assert len(poll_all([first], 2 - len(kept))["a"]) == 2 - len(kept)
    assert first.poll(timeout=0.02) == []
    first.resume(kept)
    assert len(poll_all([first], len(kept))["a"]) == len(kept)


def test_a_pause_ends_with_the_subscription(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = member(system, "a", "orders")
    balance(system, consumer, partitions=1)
    consumer.pause([("orders", 0)])

    consumer.unsubscribe()
    consumer.subscribe(["orders"])

    assert consumer.paused == ()
    assert values(poll_all([consumer], 1)["a"]) == ["a"]


# -- seeking ----------------------------------------------------------------------------------------------------------


@WAYS
def test_a_seek_decides_what_comes_next_and_the_position_says_so(system: ActorSystem, way: str) -> None:
    produce(system, "orders", *"abcdef")
    consumer = reader(system, way, 1)
    assert values(consumer.poll(2)) == ["a", "b"]
    assert consumer.position("orders", 0) == 2

    consumer.seek("orders", 0, 4)
    assert consumer.position("orders", 0) == 4
    assert values(read_all(consumer, 2)) == ["e", "f"]
    consumer.seek_to_beginning("orders")
    assert values(read_all(consumer, 6)) == [*"abcdef"]
    consumer.seek_to_end("orders")
    assert consumer.position("orders", 0) == 6
    produce(system, "orders", "g")

    assert values(read_all(consumer, 1)) == ["g"]


@WAYS
def test_a_seek_beyond_the_end_applies_the_reset_policy(system: ActorSystem, way: str) -> None:
    produce(system, "orders", *"ab")
    consumer = reader(system, way, 1)
    read_all(consumer, 2)

    consumer.seek("orders", 0, 100)

    assert values(poll_all([consumer], 2)["a"]) == ["a", "b"]


@WAYS
def test_a_seek_in_a_missing_topic_or_partition_is_refused(system: ActorSystem, way: str) -> None:
    produce(system, "orders", *"ab")
    consumer = reader(system, way, 1)

    with pytest.raises(PartitionNotFound):
        consumer.seek("orders", 1, 0)
    with pytest.raises(ValueError, match="offset"):
        consumer.seek("orders", 0, -1)

    assert values(read_all(consumer, 2)) == ["a", "b"]


def test_a_member_seeks_in_its_own_partitions_only(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    first, second = member(system, "a", "orders"), member(system, "b", "orders")
    with pytest.raises(ConsumerNotAssigned):
        first.seek("orders", 0, 0)
    balance(system, first, second, partitions=2)
    (theirs,) = second.assignment

    with pytest.raises(ConsumerNotAssigned):
        first.seek(theirs.topic, theirs.partition, 0)


def test_with_auto_offset_reset_none_a_member_names_the_missing_offset(system: ActorSystem) -> None:
    produce(system, "orders", *"ab")
    consumer = member(system, "a", "orders", auto_offset_reset="none")

    with pytest.raises(NoCommittedOffset):
        until(lambda: False, lambda: consumer.poll(timeout=0.1))
    consumer.seek("orders", 0, 1)
    assert values(poll_all([consumer], 1)["a"]) == ["b"]
    consumer.seek("orders", 0, 9)
    with pytest.raises(OffsetNotFound):
        consumer.poll(timeout=1)


# -- how much, and of what --------------------------------------------------------------------------------------------


@WAYS
def test_a_poll_returns_at_most_max_messages(system: ActorSystem, way: str) -> None:
    system.create_topic("orders", 3)
    fill(system, "orders", 3, 10)
    consumer = reader(system, way, 3)
    sizes: list[int] = []

    while sum(sizes) < 30:
        sizes.append(len(consumer.poll(4, timeout=5)))

    assert max(sizes) <= 4


def test_max_poll_records_is_what_a_poll_returns_at_most(system: ActorSystem) -> None:
    produce(system, "orders", *"abcdefg")
    consumer = member(system, "a", "orders", max_poll_records=3)

    polls = [values(consumer.poll(timeout=2)) for _ in range(3)]

    assert polls == [["a", "b", "c"], ["d", "e", "f"], ["g"]]


@WAYS
def test_every_partition_comes_within_a_few_polls_however_long_the_others_are(system: ActorSystem, way: str) -> None:
    system.create_topic("orders", 4)
    producer = system.producer("p")
    producer.send_batch("orders", list(map(str, range(400))), partition=0).result()
    for partition in (1, 2, 3):
        producer.send("orders", "rare", partition=partition).result()
    consumer = reader(system, way, 4)

    records = [record for _ in range(8) for record in consumer.poll(5, timeout=5)]

    assert {record.partition for record in records} == {0, 1, 2, 3}
    assert len({(record.partition, record.offset) for record in records}) == len(records)


def test_every_topic_comes_within_a_few_polls_however_long_the_others_are(system: ActorSystem) -> None:
    for topic, count in (("big", 300), ("small", 1), ("tiny", 1)):
        produce(system, topic, *map(str, range(count)))
    consumer = member(system, "a", "big", "small", "tiny")
    balance(system, consumer, partitions=3)

    records = [record for _ in range(6) for record in consumer.poll(5, timeout=5)]

    assert {record.topic for record in records} == {"big", "small", "tiny"}


def test_a_position_is_unknown_before_anything_was_read(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = member(system, "a", "orders")
    balance(system, consumer, partitions=1)

    assert consumer.position("orders", 0) is None
    with pytest.raises(ConsumerNotPositioned):
        consumer.commit({TopicPartition("orders", 0): 1})
