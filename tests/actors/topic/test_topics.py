"""Topics from outside: create, list, describe, grow, delete, delete records, and creation by the first message."""

from __future__ import annotations

import pytest
from support.actors import World, event_types, produce, read_all, values

from odradek_actors.client.system import ActorSystem
from odradek_domain.errors import (
    InvalidPartitionCount,
    InvalidTopicName,
    OffsetNotFound,
    PartitionCountMustGrow,
    PartitionNotFound,
    TopicAlreadyExists,
    TopicNotFound,
)


def test_a_created_topic_is_described_with_its_partitions(system: ActorSystem) -> None:
    created = system.create_topic("orders", partitions=3)

    assert system.describe_topic("orders") == created
    assert [(p.id, p.log_start_offset, p.high_watermark) for p in created.partitions] == [
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 0),
    ]
    assert created.message_count == 0


def test_a_topic_has_one_partition_by_default(system: ActorSystem) -> None:
    assert len(system.create_topic("orders").partitions) == 1


def test_a_second_topic_of_one_name_is_refused_and_changes_nothing(system: ActorSystem) -> None:
    created = system.create_topic("orders", partitions=2)

    with pytest.raises(TopicAlreadyExists):
        system.create_topic("orders", partitions=5)

    assert system.describe_topic("orders") == created


@pytest.mark.parametrize("count", [0, -1])
def test_a_topic_without_partitions_is_refused(system: ActorSystem, count: int) -> None:
    with pytest.raises(InvalidPartitionCount):
        system.create_topic("orders", partitions=count)
    with pytest.raises(TopicNotFound):
        system.describe_topic("orders")


@pytest.mark.parametrize("name", ["", "a b", "..", "x" * 250, "a/b"])
def test_a_bad_topic_name_is_refused_at_once(system: ActorSystem, name: str) -> None:
    with pytest.raises(InvalidTopicName):
        system.create_topic(name)
    with pytest.raises(InvalidTopicName):
        system.producer().send(name, "v")


def test_a_topic_that_was_never_created_cannot_be_described_grown_or_deleted(system: ActorSystem) -> None:
    for attempt in (
        lambda: system.describe_topic("orders"),
        lambda: system.add_partitions("orders", 2),
        lambda: system.delete_topic("orders"),
        lambda: system.delete_records("orders", 0, 1),
    ):
        with pytest.raises(TopicNotFound):
            attempt()


def test_topics_are_listed_in_order_without_deleted_ones(system: ActorSystem) -> None:
    for name in ("b", "a", "c", "d"):
        system.create_topic(name)
    system.delete_topic("c")
    system.delete_topic("d")
    system.create_topic("d")

    assert system.list_topics() == ["a", "b", "d"]


def test_topics_of_an_earlier_run_are_listed_and_described(world: World) -> None:
    created = world.open().create_topic("orders", partitions=2)
    world.crash()

    later = world.open()

    assert later.list_topics() == ["orders"]
    assert later.describe_topic("orders") == created


def test_partitions_can_be_added_but_not_removed(system: ActorSystem) -> None:
    system.create_topic("orders", partitions=2)

    assert len(system.add_partitions("orders", 4).partitions) == 4
    with pytest.raises(PartitionCountMustGrow):
        system.add_partitions("orders", 4)


def test_deleted_records_cannot_be_read_and_offsets_continue(system: ActorSystem) -> None:
    system.create_topic("orders")
    produce(system, "orders", "a", "b", "c")

    description = system.delete_records("orders", 0, 2)

    assert (description.partitions[0].log_start_offset, description.partitions[0].high_watermark) == (2, 3)
    assert produce(system, "orders", "d")[0].offset == 3
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    assert values(read_all(consumer, 2)) == ["c", "d"]


def test_records_beyond_the_end_or_of_a_missing_partition_cannot_be_deleted(system: ActorSystem) -> None:
    system.create_topic("orders")

    with pytest.raises(OffsetNotFound):
        system.delete_records("orders", 0, 1)
    with pytest.raises(PartitionNotFound):
        system.delete_records("orders", 1, 0)


def test_the_first_message_creates_the_topic_with_the_default_partitions(world: World) -> None:
    system = world.open(default_partitions=4)

    receipt = system.producer().send("orders", "v").result()

    assert receipt.offset == 0
    assert len(system.describe_topic("orders").partitions) == 4


def test_without_automatic_creation_a_send_to_a_missing_topic_fails_and_creates_nothing(world: World) -> None:
    system = world.open(auto_create_topics=False)
    producer = system.producer()

    with pytest.raises(TopicNotFound):
        producer.send("orders", "v").result()

    assert system.list_topics() == []
    system.create_topic("orders")
    assert producer.send("orders", "v").result().offset == 0


def test_a_recreated_topic_starts_at_offset_0_in_the_same_stream(world: World) -> None:
    system = world.open()
    first = system.create_topic("orders")
    produce(system, "orders", "a", "b")
    system.delete_topic("orders")
    second = system.create_topic("orders")

    assert second.topic_id != first.topic_id
    assert produce(system, "orders", "c")[0].offset == 0
    assert event_types(world.log, "topic/orders") == [
        "TopicCreated",
        "MessageProduced",
        "MessageProduced",
        "TopicDeleted",
        "TopicCreated",
        "MessageProduced",
    ]


def test_a_topic_is_changed_only_by_events_of_its_own_stream(world: World) -> None:
    system = world.open()
    system.create_topic("orders")
    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    produce(system, "orders", "a")
    read_all(consumer, 1)
    before = event_types(world.log, "consumer/c")

    system.delete_topic("orders")

    system.settle()
    assert event_types(world.log, "consumer/c") == before
