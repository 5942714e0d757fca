"""Partitions chosen by hand: nothing is shared out, and the group is only where offsets are."""

from __future__ import annotations

import pytest
from support.actors import World, produce, read_all, values
from support.groups import Heard, balance, fill, member, places, poll_all, poll_on

from odradek_actors.client.system import ActorSystem
from odradek_domain.errors import ConsumerNotSubscribed, PartitionNotFound
from odradek_domain.group.errors import (
    ConsumerNotAssigned,
    GroupNotFound,
    SubscriptionConflict,
    UnknownMember,
)
from odradek_domain.group.member import GroupState
from odradek_domain.values.positions import TopicPartition

pytestmark = pytest.mark.usefixtures("replayed")

GROUPS = pytest.mark.parametrize("group", [None, "g"], ids=["alone", "grouped"])


@GROUPS
def test_only_what_was_chosen_is_read(system: ActorSystem, group: str | None) -> None:
    system.create_topic("orders", 3)
    fill(system, "orders", 3, 2)
    produce(system, "bills", "bill")
    consumer = system.consumer("a", group)

    consumer.assign([("orders", 2), ("bills", 0), ("orders", 2)])

    assert consumer.assignment == (("bills", 0), ("orders", 2))
    assert places(read_all(consumer, 3)) == [("bills", 0, 0), ("orders", 2, 0), ("orders", 2, 1)]
    assert consumer.poll(timeout=0.02) == []


@GROUPS
def test_reading_resumes_at_the_committed_offset(system: ActorSystem, group: str | None) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    with system.consumer("a", group) as consumer:
        consumer.assign([("orders", 0), ("orders", 1)])
        read_all(consumer, 6)
        consumer.commit({TopicPartition("orders", 1): 2})

    again = system.consumer("a", group)
    again.assign([("orders", 1)])

    assert values(read_all(again, 1)) == ["1-2"]
    again.assign([("orders", 0), ("orders", 1)])
    assert places(read_all(again, 4)) == [("orders", 0, 0), ("orders", 0, 1), ("orders", 0, 2), ("orders", 1, 2)]


def test_a_manual_assignment_does_not_join_the_group(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = system.consumer("a", "g")
    consumer.assign([("orders", 0)])
    read_all(consumer, 1)

    with pytest.raises(GroupNotFound):
        system.describe_group("g")
    consumer.commit()

    assert system.describe_group("g").state is GroupState.EMPTY


def test_two_may_read_the_same_partition(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    consumers = [system.consumer(name, "g") for name in ("a", "b")]
    for consumer in consumers:
        consumer.assign([("orders", 0)])

    assert [values(read_all(consumer, 2)) for consumer in consumers] == [["a", "b"]] * 2


def test_a_commit_is_refused_while_the_group_has_members(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    by_hand = system.consumer("by-hand", "g")
    by_hand.assign([("orders", 0)])
    read_all(by_hand, 2)
    shares = member(system, "shares", "orders")
    balance(system, shares, partitions=1)

    with pytest.raises(UnknownMember, match="has members, so only they can commit"):
        by_hand.commit()
    shares.close()
    by_hand.commit()

    assert [item.offset for item in system.committed_offsets("g")] == [2]


@GROUPS
def test_a_subscription_and_a_manual_assignment_are_mutually_exclusive(system: ActorSystem, group: str | None) -> None:
    produce(system, "orders", "a")
    consumer = system.consumer("a", group)
    consumer.subscribe(["orders"])
    with pytest.raises(SubscriptionConflict):
        consumer.assign([("orders", 0)])
    assert values(read_all(consumer, 1)) == ["a"]

    consumer.unsubscribe()
    consumer.assign([("orders", 0)])
    with pytest.raises(SubscriptionConflict):
        consumer.subscribe(["orders"])
    with pytest.raises(SubscriptionConflict):
        consumer.subscribe(pattern="orders")
    assert values(read_all(consumer, 1)) == ["a"]

    consumer.unsubscribe()
    with pytest.raises(ConsumerNotSubscribed):
        consumer.poll(timeout=0)
    consumer.subscribe(["orders"])
    produce(system, "orders", "b")
    assert "b" in values(read_all(consumer, 1 if group is None else 2))  # who is alone has its positions still


@GROUPS
def test_a_partition_that_does_not_exist_is_an_error_of_poll(system: ActorSystem, group: str | None) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 1)
    consumer = system.consumer("a", group)
    consumer.assign([("orders", 1), ("orders", 2)])

    with pytest.raises(PartitionNotFound):
        poll_on(consumer)
    system.add_partitions("orders", 3)
    system.producer("p").send("orders", "2-0", partition=2).result()

    assert set(values(poll_all([consumer], 2)["a"])) == {"1-0", "2-0"}


@GROUPS
def test_a_topic_that_does_not_exist_is_read_once_it_does(system: ActorSystem, group: str | None) -> None:
    consumer = system.consumer("a", group)
    consumer.assign([("orders", 0)])
    assert consumer.poll(timeout=0.02) == []

    produce(system, "orders", "a")

    assert values(read_all(consumer, 1)) == ["a"]


def test_a_new_manual_assignment_replaces_the_first(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 2)
    consumer = system.consumer("a", "g")
    consumer.assign([("orders", 0)])
    assert values(consumer.poll(1)) == ["0-0"]

    consumer.assign([("orders", 1)])

    assert values(read_all(consumer, 2)) == ["1-0", "1-1"]
    with pytest.raises(ConsumerNotAssigned):
        consumer.commit({TopicPartition("orders", 0): 1})
    with pytest.raises(ConsumerNotAssigned):
        consumer.seek("orders", 0, 0)
    consumer.seek("orders", 1, 1)
    assert values(read_all(consumer, 1)) == ["1-1"]


def test_buffered_messages_of_a_replaced_assignment_are_not_returned(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    consumer = system.consumer("a")
    consumer.assign([("orders", 0)])
    assert next(iter(consumer)).value == b"0-0"

    consumer.assign([("orders", 1)])

    assert values(read_all(consumer, 3)) == ["1-0", "1-1", "1-2"]


def test_assigning_no_partitions_unsubscribes(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = system.consumer("a")
    consumer.assign([("orders", 0)])

    consumer.assign([])

    with pytest.raises(ConsumerNotSubscribed):
        consumer.poll(timeout=0)


def test_a_manual_assignment_does_not_call_the_listener(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    heard = Heard()
    consumer = system.consumer("a", "g")
    consumer.subscribe(["orders"], listener=heard)
    consumer.unsubscribe()
    consumer.assign([("orders", 0)])
    read_all(consumer, 1)
    consumer.assign([("orders", 0)])

    assert heard.calls == []


@GROUPS
def test_a_manual_assignment_is_not_kept_after_reopening(world: World, system: ActorSystem, group: str | None) -> None:
    produce(system, "orders", "a")
    with system.consumer("a", group) as consumer:
        consumer.assign([("orders", 0)])
        read_all(consumer, 1)

    again = system.consumer("a", group)

    assert again.assignment == ()
    with pytest.raises(ConsumerNotSubscribed):
        again.poll(timeout=0)


@pytest.mark.parametrize("partitions", [["orders"], [("orders",)], [("orders", "0")], [("orders", -1)], [("", 0)], 5])
def test_an_invalid_partition_is_refused(system: ActorSystem, partitions: object) -> None:
    consumer = system.consumer("a")

    with pytest.raises((TypeError, ValueError)):
        consumer.assign(partitions)  # type: ignore[arg-type]  # on purpose
