"""What members subscribe to, by list and by pattern, as topics come, grow and go; and by which assignor they share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from support.actors import World, produce, values
from support.groups import COOPERATIVE, Heard, balance, fill, member, nudge, places, poll_all, reasons, until

from odradek_actors.client.system import ActorSystem
from odradek_domain.errors import ConsumerNotSubscribed
from odradek_domain.group.assignors.kafka import InvalidAssignment, MemberSubscription
from odradek_domain.group.errors import InconsistentAssignors, SubscriptionConflict, UnknownAssignor
from odradek_domain.group.member import GroupState
from odradek_domain.values.positions import TopicPartition

pytestmark = pytest.mark.usefixtures("replayed")

GROUPS = pytest.mark.parametrize("group", [None, "g"], ids=["alone", "grouped"])
BOTH = pytest.mark.parametrize("how", [{"topics": ["orders"]}, {"pattern": "ord.*"}], ids=["list", "pattern"])


# -- topics that come, grow and go ------------------------------------------------------------------------------------


@GROUPS
@BOTH
def test_a_topic_that_is_created_after_it_was_subscribed_to_is_read(
    system: ActorSystem, group: str | None, how: dict[str, Any]
) -> None:
    consumer = system.consumer("a", group)
    consumer.subscribe(**how)
    assert consumer.poll(timeout=0.02) == []

    produce(system, "orders", "first")

    assert values(poll_all([consumer], 1)["a"]) == ["first"]


@GROUPS
def test_a_new_topic_that_fits_the_pattern_is_read_and_no_other(system: ActorSystem, group: str | None) -> None:
    produce(system, "orders-eu", "eu")
    consumer = system.consumer("a", group)
    consumer.subscribe(pattern=re.compile("orders-.*"))
    assert values(poll_all([consumer], 1)["a"]) == ["eu"]
    consumer.commit()

    for topic in ("my-orders-us", "orders-us", "other"):
        produce(system, topic, topic)

    assert values(poll_all([consumer], 1)["a"]) == ["orders-us"]
    assert consumer.poll(timeout=0.05) == []


@BOTH
def test_added_partitions_are_assigned(system: ActorSystem, how: dict[str, Any]) -> None:
    system.create_topic("orders", 2)
    consumers = [system.consumer(name, "g") for name in ("a", "b")]
    for consumer in consumers:
        consumer.subscribe(**how)
    before = balance(system, *consumers, partitions=2)

    system.add_partitions("orders", 4)
    after = balance(system, *consumers, partitions=4)
    fill(system, "orders", 4, 1)

    assert after > before
    assert len(places([record for found in poll_all(consumers, 4).values() for record in found])) == 4


@BOTH
def test_partitions_of_a_deleted_topic_are_revoked_and_its_successor_is_read_from_the_start(
    system: ActorSystem, how: dict[str, Any]
) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    heard = Heard()
    consumer = system.consumer("a", "g")
    consumer.subscribe(**how, listener=heard)
    poll_all([consumer], 6)
    consumer.commit()

    system.delete_topic("orders")
    balance(system, consumer, partitions=0)
    system.create_topic("orders", 1)
    fill(system, "orders", 1, 2)
    balance(system, consumer, partitions=1)

    assert places(poll_all([consumer], 2)["a"]) == [("orders", 0, 0), ("orders", 0, 1)]
    assert heard.calls[-1] == ("assigned", [0])
    consumer.commit()
    assert consumer.committed("orders", 0) == 2


def test_a_commit_for_a_deleted_topic_does_not_reset_other_partitions(
    system: ActorSystem,
) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    first, second = (member(system, name, "orders", assignors=COOPERATIVE) for name in ("a", "b"))
    balance(system, first, second, partitions=2)
    poll_all([first, second], 6)
    first.commit()
    second.commit()
    system.delete_topic("orders")
    system.create_topic("orders", 2)
    system.settle()
    balance(system, first, second, partitions=2)
    fill(system, "orders", 2, 3)
    until(lambda: len(first.poll(timeout=0.1)) == 3, lambda: nudge(second), what="its own is read")

    second.close()

    records = poll_all([first], 3)["a"]
    records += first.poll(timeout=0.05)

    assert [record.offset for record in records] == [0, 1, 2]
    assert len({record.partition for record in records}) == 1


@pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])
def test_a_member_that_unsubscribes_and_subscribes_again_reads_only_its_own_partitions(
    system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 2)
    first = member(system, "a", "orders", assignors=assignors)
    balance(system, first, partitions=2)
    poll_all([first], 4)
    first.commit()
    second = member(system, "b", "orders", assignors=assignors)

    first.unsubscribe()
    balance(system, second, partitions=2)
    first.subscribe(["orders"])
    balance(system, second, first, partitions=2)
    fill(system, "orders", 2, 2)
    records = poll_all([first, second], 4)

    for consumer in (first, second):
        assert {(found.topic, found.partition) for found in records[consumer.consumer_id]} == set(consumer.assignment)
        consumer.commit()
    assert {item.partition: item.offset for item in system.committed_offsets("g")} == {0: 4, 1: 4}


def test_a_member_has_no_position_in_a_partition_that_it_no_longer_reads(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    produce(system, "bills", "b")
    consumer = member(system, "a", "orders")
    poll_all([consumer], 1)
    assert consumer.position("orders", 0) == 1

    consumer.unsubscribe()
    consumer.subscribe(["bills"])
    poll_all([consumer], 1)

    assert consumer.position("orders", 0) is None


def test_a_topic_deleted_and_created_again_between_two_polls_is_read_from_its_start(system: ActorSystem) -> None:
    produce(system, "orders", "old-1", "old-2")
    consumer = member(system, "a", "orders")
    assert values(poll_all([consumer], 2)["a"]) == ["old-1", "old-2"]

    system.delete_topic("orders")
    produce(system, "orders", "new-1", "new-2", "new-3")

    assert values(poll_all([consumer], 3)["a"]) == ["new-1", "new-2", "new-3"]


def test_a_new_topic_without_subscribers_does_not_trigger_a_rebalance(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    consumers = [member(system, "a", "orders"), member(system, "b", pattern="ord.*")]
    before = balance(system, *consumers, partitions=2)

    system.create_topic("other", 2)
    system.add_partitions("other", 3)
    system.delete_topic("other")
    system.settle()

    assert balance(system, *consumers, partitions=2) == before


# -- who reads what ---------------------------------------------------------------------------------------------------


def test_members_with_different_topics_get_partitions_of_their_own_only(system: ActorSystem) -> None:
    for topic in ("orders", "bills", "notes"):
        system.create_topic(topic, 2)
        fill(system, topic, 2, 1)
    reads = {"a": ["orders", "bills"], "b": ["bills"], "c": ["notes", "orders"]}
    consumers = [member(system, name, *topics) for name, topics in reads.items()]

    balance(system, *consumers, partitions=6)
    records = poll_all(consumers, 6)

    for name, found in records.items():
        assert {record.topic for record in found} <= {*reads[name]}
    assert len(places([record for found in records.values() for record in found])) == 6


def test_a_member_by_list_and_one_by_pattern_share_what_both_read(system: ActorSystem) -> None:
    for topic in ("orders-1", "orders-2"):
        system.create_topic(topic, 2)
    by_list = member(system, "by-list", "orders-1")
    by_pattern = member(system, "by-pattern", pattern="orders-.")

    balance(system, by_list, by_pattern, partitions=4)

    assert [place.topic for place in by_list.assignment] == ["orders-1"]
    assert [place.topic for place in by_pattern.assignment] == ["orders-1", "orders-2", "orders-2"]


@pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])
def test_a_new_subscription_replaces_the_first(system: ActorSystem, assignors: tuple[str, ...]) -> None:
    for topic in ("orders", "bills", "notes"):
        system.create_topic(topic, 1)
        fill(system, topic, 1, 2)
    consumer = member(system, "a", "orders", "bills", assignors=assignors)
    poll_all([consumer], 4)
    consumer.commit()

    consumer.subscribe(["bills", "notes"])
    balance(system, consumer, partitions=2)
    records = poll_all([consumer], 2)["a"]

    assert {place.topic for place in consumer.assignment} == {"bills", "notes"}
    assert [record.topic for record in records] == ["notes", "notes"]
    assert consumer.subscription == ("bills", "notes")


@pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])
def test_a_consumer_that_changes_its_subscription_while_it_joins_reads_the_new_topics(
    system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    produce(system, "orders", "a")
    produce(system, "invoices", "b")
    first = member(system, "a", "orders", assignors=assignors)
    balance(system, first, partitions=1)
    second = member(system, "b", "orders", assignors=assignors)
    nudge(second)  # and waits until the first one has joined again

    second.subscribe(["invoices"])
    balance(system, first, second, partitions=2)

    assert second.assignment == (TopicPartition("invoices", 0),)


def test_the_same_subscription_again_is_no_rebalance(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    consumer = member(system, "a", "orders")
    assert len(consumer.poll(1)) == 1
    before = system.describe_group("g").generation

    consumer.subscribe(["orders"])

    assert values(poll_all([consumer], 1)["a"]) == ["b"]
    assert system.describe_group("g").generation == before


def test_a_member_that_unsubscribes_leaves_and_can_rejoin(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    consumer = member(system, "a", "orders")
    assert len(consumer.poll(1)) == 1
    consumer.commit()

    consumer.unsubscribe()
    system.settle()
    assert system.describe_group("g").state is GroupState.EMPTY
    assert reasons(system.log) == ["it unsubscribed"]
    with pytest.raises(ConsumerNotSubscribed):
        consumer.poll(timeout=0)
    consumer.subscribe(["orders"])

    assert values(poll_all([consumer], 1)["a"]) == ["b"]


def test_topics_and_a_pattern_are_mutually_exclusive_until_unsubscribe(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = member(system, "a", "orders")

    with pytest.raises(SubscriptionConflict):
        consumer.subscribe(pattern="orders")
    with pytest.raises(ValueError, match="not both"):
        consumer.subscribe(["orders"], pattern="orders")
    with pytest.raises(ValueError, match="is not a regular expression"):
        consumer.subscribe(pattern="(")
    consumer.unsubscribe()
    consumer.subscribe(pattern="orders")

    assert values(poll_all([consumer], 1)["a"]) == ["a"]


# -- assignors --------------------------------------------------------------------------------------------------------


def test_a_subscription_that_is_refused_leaves_the_listener_of_the_earlier_one(system: ActorSystem) -> None:
    system.create_topic("orders", 1)
    heard = Heard()
    consumer = member(system, "a", "orders", listener=heard)
    balance(system, consumer, partitions=1)
    with pytest.raises(SubscriptionConflict):
        consumer.subscribe(pattern="ord.*")

    consumer.close()

    assert heard.calls == [("assigned", [0]), ("revoked", [0])]


def test_members_with_different_preferences_share_by_what_most_prefer_of_what_all_can(system: ActorSystem) -> None:
    system.create_topic("orders", 3)
    preferences = [("range", "roundrobin", "sticky"), ("sticky", "roundrobin"), ("roundrobin", "sticky")]
    consumers = [member(system, f"c{at}", "orders", assignors=names) for at, names in enumerate(preferences)]

    balance(system, *consumers, partitions=3)

    assert system.describe_group("g").assignor == "roundrobin"


def test_a_consumer_without_a_common_assignor_is_refused_and_the_others_continue(
    system: ActorSystem,
) -> None:
    produce(system, "orders", "a")
    first = member(system, "a", "orders", assignors=["range", "sticky"])
    before = balance(system, first, partitions=1)
    other = member(system, "b", "orders", assignors=["roundrobin"])

    for _ in range(2):
        with pytest.raises(
            InconsistentAssignors, match=r"'g' assigns partitions by range or sticky, but .* only roundrobin"
        ):
            other.poll(timeout=5)

    assert values(poll_all([first], 1)["a"]) == ["a"]
    assert system.describe_group("g").generation == before
    first.close()
    assert values(poll_all([other], 1)["b"]) == ["a"]


def test_an_unknown_assignor_is_refused_when_the_consumer_is_opened(system: ActorSystem) -> None:
    with pytest.raises(UnknownAssignor, match="no assignor 'fair'"):
        system.consumer("a", "g", assignors=["fair"])


class Own:
    """An assignor of somebody's own: all to the first member; or what a test wants it to do."""

    name = "own"
    is_cooperative = False

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.gives_twice = False

    def assign(
        self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
    ) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Share out."""
        if self.error is not None:
            raise self.error
        everything = tuple(
            TopicPartition(topic, at) for topic, count in partition_counts.items() for at in range(count)
        )
        ordered = sorted(member.member_id for member in members)
        return {name: everything if self.gives_twice or name == ordered[0] else () for name in ordered}


def test_a_custom_assignor_assigns_the_partitions(world: World) -> None:
    system = world.open(assignors=[Own()])
    system.create_topic("orders", 3)
    consumers = [member(system, name, "orders", assignors=["own"]) for name in ("a", "b")]

    balance(system, *consumers, partitions=3)

    assert [len(consumer.assignment) for consumer in consumers] == [3, 0]


@pytest.mark.parametrize("mistake", ["raises", "gives twice"])
def test_members_get_an_assignors_error_and_rebalance_once_it_is_fixed(world: World, mistake: str) -> None:
    own = Own()
    system = world.open(assignors=[own])
    system.create_topic("orders", 2)
    consumers = [member(system, name, "orders", assignors=["own"]) for name in ("a", "b")]
    balance(system, *consumers, partitions=2)
    if mistake == "raises":
        own.error = ArithmeticError("it cannot count")
    else:
        own.gives_twice = True
    system.add_partitions("orders", 3)
    told: dict[str, Exception] = {}

    def poll(name: str) -> None:
        try:
            nudge(next(consumer for consumer in consumers if consumer.consumer_id == name))
        except (ArithmeticError, InvalidAssignment) as error:
            told[name] = error

    until(lambda: len(told) == 2, lambda: poll("a"), lambda: poll("b"), what="both are told")
    own.error, own.gives_twice = None, False
    until(lambda: sum(len(consumer.assignment) for consumer in consumers) == 3, lambda: poll("a"), lambda: poll("b"))
    balance(system, *consumers, partitions=3)

    assert {type(error) for error in told.values()} == {ArithmeticError if mistake == "raises" else InvalidAssignment}
