"""What a listener hears of a rebalance, in which order, and what it may do meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from support.actors import World, produce, values
from support.groups import COOPERATIVE, Heard, balance, fill, member, nudge, poll_all, until

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorStopped
from odradek_actors.messages.consumers import DescribeConsumer
from odradek_actors.messages.groups import LeaveGroup
from odradek_domain.errors import ConsumerClosed
from odradek_domain.group.errors import ConsumerNotAssigned, UnknownMember
from odradek_domain.group.member import GroupState
from odradek_domain.values.positions import TopicPartition

pytestmark = pytest.mark.usefixtures("replayed")

BOTH = pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])


def committed(system: ActorSystem) -> dict[int, int]:
    return {item.partition: item.offset for item in system.committed_offsets("g")}


# -- what it hears ----------------------------------------------------------------------------------------------------


def test_the_first_share_is_assigned_and_nothing_is_revoked(system: ActorSystem) -> None:
    system.create_topic("orders", 3)
    heard = Heard()

    balance(system, member(system, "a", "orders", listener=heard), partitions=3)

    assert heard.calls == [("assigned", [0, 1, 2])]


def test_an_eager_member_gives_everything_back_before_it_gets_its_new_share(system: ActorSystem) -> None:
    system.create_topic("orders", 4)
    heard = Heard()
    first = member(system, "a", "orders", listener=heard, assignors=["range"])
    balance(system, first, partitions=4)
    heard.calls.clear()

    balance(system, first, member(system, "b", "orders", assignors=["range"]), partitions=4)

    assert heard.calls == [("revoked", [0, 1, 2, 3]), ("assigned", [0, 1])]


def test_only_moved_partitions_are_revoked_from_a_cooperative_member(system: ActorSystem) -> None:
    system.create_topic("orders", 4)
    first_heard, second_heard = Heard(), Heard()
    first = member(system, "a", "orders", listener=first_heard, assignors=COOPERATIVE)
    balance(system, first, partitions=4)
    first_heard.calls.clear()
    second = member(system, "b", "orders", listener=second_heard, assignors=COOPERATIVE)

    balance(system, first, second, partitions=4)

    moved = [place.partition for place in second.assignment]
    assert len(moved) == 2
    assert [call for call in first_heard.calls if call[1]] == [("revoked", moved)]
    assert [call for call in second_heard.calls if call[1]] == [("assigned", moved)]


def test_no_member_gets_a_partition_before_its_reader_has_released_it(system: ActorSystem) -> None:
    system.create_topic("orders", 6)
    owners: dict[TopicPartition, str] = {}

    class Owner(RebalanceListener):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_partitions_assigned(self, partitions: Sequence[TopicPartition]) -> None:
            for place in partitions:
                assert place not in owners, f"{place} is still read by {owners[place]}"
                owners[place] = self.name

        def on_partitions_revoked(self, partitions: Sequence[TopicPartition]) -> None:
            for place in partitions:
                assert owners.pop(place) == self.name

    for assignors in (("range",), COOPERATIVE):
        consumers: list[ConsumerHandle] = []
        for name in ("a", "b", "c"):
            consumers.append(member(system, name, "orders", listener=Owner(name), assignors=assignors))
            balance(system, *consumers, partitions=6)
        while consumers:
            consumers.pop(0).close()
            if consumers:
                balance(system, *consumers, partitions=6)
        assert owners == {}


@BOTH
def test_lost_partitions_are_reported_as_lost_and_later_ones_as_assigned(
    system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    produce(system, "orders", "a")
    heard = Heard()
    how: dict[str, Any] = {"max_poll_interval": 0.15, "heartbeat_interval": 0.01, "assignors": assignors}
    consumer = member(system, "a", "orders", listener=heard, **how)
    balance(system, consumer, partitions=1)
    until(lambda: system.describe_group("g").state is GroupState.EMPTY, what="it has left")

    records = poll_all([consumer], 1)["a"]

    assert heard.calls == [("assigned", [0]), ("lost", [0]), ("assigned", [0])]
    assert values(records) == ["a"]


@BOTH
def test_revoked_partitions_are_not_lost_as_well(system: ActorSystem, assignors: tuple[str, ...]) -> None:
    system.create_topic("orders", 4)
    heard = Heard()
    first = member(system, "a", "orders", listener=heard, assignors=assignors, heartbeat_interval=0.01)
    balance(system, first, partitions=4)

    def lose_the_membership(_: Sequence[TopicPartition]) -> None:
        ids = [found.member_id for found in system.describe_group("g").members if found.consumer_id == "a"]
        system.command("group/g", LeaveGroup(ids[0])).result(10)
        described = partial(system.query, "consumer/a", DescribeConsumer())
        until(lambda: not described().result(10).assignment, what="it has noticed that it is no longer a member")
        heard.on_revoked = lambda _: None

    heard.on_revoked = lose_the_membership
    second = member(system, "b", "orders", assignors=assignors)
    balance(system, second, first, partitions=4)

    held: set[int] = set()
    for kind, partitions in heard.calls:
        if kind == "assigned":
            assert held.isdisjoint(partitions)
            held |= set(partitions)
        else:
            assert held.issuperset(partitions), f"{partitions} {kind} without having been assigned: {heard.calls}"
            held -= set(partitions)
    assert held == {place.partition for place in first.assignment}


def test_lost_partitions_are_revoked_for_a_listener_without_on_partitions_lost(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    revoked: list[TopicPartition] = []

    class Simple(RebalanceListener):
        def on_partitions_revoked(self, partitions: Sequence[TopicPartition]) -> None:
            revoked.extend(partitions)

    consumer = member(system, "a", "orders", listener=Simple(), max_poll_interval=0.15, heartbeat_interval=0.01)
    balance(system, consumer, partitions=1)
    until(lambda: system.describe_group("g").state is GroupState.EMPTY, what="it has left")
    poll_all([consumer], 1)

    assert revoked == [("orders", 0)]


@pytest.mark.parametrize("leave", [ConsumerHandle.close, ConsumerHandle.unsubscribe], ids=["close", "unsubscribe"])
def test_a_leaving_member_is_notified_that_its_partitions_are_revoked(
    system: ActorSystem, leave: Callable[[ConsumerHandle], None]
) -> None:
    system.create_topic("orders", 2)
    heard = Heard()
    consumer = member(system, "a", "orders", listener=heard)
    balance(system, consumer, partitions=2)

    leave(consumer)

    assert heard.calls == [("assigned", [0, 1]), ("revoked", [0, 1])]
    assert consumer.assignment == ()


def test_a_leaving_member_without_partitions_is_not_notified(system: ActorSystem) -> None:
    heard = Heard()

    member(system, "a", "orders", listener=heard).close()

    assert heard.calls == []


def test_a_reopened_consumer_is_notified_only_of_its_new_assignment(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    consumer = member(system, "a", "orders")
    balance(system, consumer, partitions=2)
    consumer.close()
    heard = Heard()

    balance(system, member(system, "a", "orders", listener=heard), partitions=2)

    assert heard.calls == [("assigned", [0, 1])]


# -- what it does -----------------------------------------------------------------------------------------------------


@BOTH
def test_a_commit_during_revocation_counts_for_the_next_owner(system: ActorSystem, assignors: tuple[str, ...]) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    heard = Heard()
    first = member(system, "a", "orders", listener=heard, assignors=assignors)
    heard.on_revoked = lambda _: first.commit()
    poll_all([first], 6)

    second = member(system, "b", "orders", assignors=assignors)
    balance(system, first, second, partitions=2)

    given_away = {place.partition for place in second.assignment}
    assert {place: offset for place, offset in committed(system).items() if place in given_away} == dict.fromkeys(
        given_away, 3
    )
    assert second.poll(timeout=0.02) == []


@pytest.mark.parametrize("leave", [ConsumerHandle.close, ConsumerHandle.unsubscribe], ids=["close", "unsubscribe"])
def test_a_leaving_member_may_commit_in_its_listener(
    system: ActorSystem, leave: Callable[[ConsumerHandle], None]
) -> None:
    produce(system, "orders", "a", "b")
    heard = Heard()
    consumer = member(system, "a", "orders", listener=heard)
    heard.on_revoked = lambda _: consumer.commit()
    poll_all([consumer], 2)

    leave(consumer)

    assert committed(system) == {0: 2}


def test_lost_partitions_can_no_longer_be_committed(system: ActorSystem) -> None:
    produce(system, "orders", "a", "b")
    heard, refused = Heard(), list[Exception]()
    consumer = member(system, "a", "orders", listener=heard, max_poll_interval=0.15, heartbeat_interval=0.01)

    def commit(_: object) -> None:
        try:
            consumer.commit()
        except (UnknownMember, ConsumerNotAssigned) as error:
            refused.append(error)

    heard.on_lost = commit
    poll_all([consumer], 2)
    until(lambda: system.describe_group("g").state is GroupState.EMPTY, what="it has left")

    poll_all([consumer], 2)

    assert len(refused) == 1
    assert committed(system) == {}


def test_a_seek_in_on_partitions_assigned_sets_the_start(system: ActorSystem) -> None:
    produce(system, "orders", *"abcde")
    heard = Heard()
    consumer = member(system, "a", "orders", listener=heard)
    heard.on_assigned = lambda _: consumer.seek("orders", 0, 3)

    assert values(poll_all([consumer], 2)["a"]) == ["d", "e"]


@BOTH
@pytest.mark.parametrize("when", ["assigned", "revoked"])
def test_a_listeners_exception_propagates_from_poll_and_the_rebalance_continues(
    system: ActorSystem, assignors: tuple[str, ...], when: str
) -> None:
    system.create_topic("orders", 2)
    heard = Heard()
    first = member(system, "a", "orders", listener=heard, assignors=assignors)
    balance(system, first, partitions=2)

    def fail(_: object) -> None:
        raise ArithmeticError("the listener failed")

    setattr(heard, f"on_{when}", fail)
    second = member(system, "b", "orders", assignors=assignors)
    raised = list[Exception]()

    def poll() -> None:
        try:
            first.poll(timeout=0.02)
        except ArithmeticError as error:
            raised.append(error)

    until(lambda: len(second.assignment) == 1 == len(first.assignment), poll, lambda: nudge(second), what="shared")

    assert raised
    assert not {*first.assignment} & {*second.assignment}


def test_a_listeners_exception_propagates_from_close_which_still_closes(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    heard = Heard()
    consumer = member(system, "a", "orders", listener=heard)
    balance(system, consumer, partitions=2)

    def fail(_: object) -> None:
        raise ArithmeticError("the listener failed")

    heard.on_revoked = fail
    with pytest.raises(ArithmeticError):
        consumer.close()

    consumer.close()
    assert system.describe_group("g").members == ()
    balance(system, member(system, "a", "orders"), partitions=2)


# -- meanwhile --------------------------------------------------------------------------------------------------------


def test_a_cooperative_member_keeps_reading_and_committing_during_a_rebalance(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    reads, waits = (member(system, name, "orders", assignors=COOPERATIVE) for name in ("reads", "waits"))
    balance(system, reads, waits, partitions=2)
    joins = member(system, "joins", "orders", assignors=COOPERATIVE)
    nudge(joins)
    assert system.describe_group("g").state is GroupState.PREPARING_REBALANCE
    (mine,) = reads.assignment

    for count, value in enumerate("abc", 1):
        system.producer("p").send("orders", value, partition=mine.partition).result()
        assert values(poll_all([reads], 1)["reads"]) == [value]
        reads.commit()
        assert system.describe_group("g").state is GroupState.PREPARING_REBALANCE  # "waits" has not polled
        assert committed(system) == {mine.partition: count}


def test_no_commit_of_a_partition_that_stays_is_refused_however_often_the_group_rebalances(system: ActorSystem) -> None:
    system.create_topic("orders", 1)
    stays = member(system, "stays", "orders", assignors=COOPERATIVE)
    balance(system, stays, partitions=1)
    committing = []

    def read_and_commit() -> None:
        produce(system, "orders", "x")
        until(lambda: bool(stays.poll(timeout=0)), what="the message came")
        committing.append(stays.commit_async())

    for number in range(8):
        with member(system, f"guest-{number}", "orders", assignors=COOPERATIVE) as guest:
            nudge(guest)
            for _ in range(3):
                read_and_commit()
                nudge(guest)
    balance(system, stays, partitions=1)

    assert [promise.exception(10) for promise in committing] == [None] * 24
    assert committed(system) == {0: 24}
    assert system.describe_group("g").generation > 8


def test_an_eager_member_reads_nothing_while_the_group_rebalances(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    first, waits = (member(system, name, "orders", assignors=["range"]) for name in ("first", "waits"))
    balance(system, first, waits, partitions=2)
    joins = member(system, "joins", "orders", assignors=["range"])
    nudge(joins)
    fill(system, "orders", 2, 1)

    assert first.poll(timeout=0.05) == []
    assert first.assignment == ()


def test_buffered_messages_of_a_revoked_partition_go_to_its_new_owner(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 5)
    first = member(system, "a", "orders", assignors=COOPERATIVE)
    record = next(iter(first))
    first.commit()
    second = member(system, "b", "orders", assignors=COOPERATIVE)

    balance(system, first, second, partitions=2)
    records = poll_all([first, second], 9)

    assert {found.partition for found in records["b"]} == {place.partition for place in second.assignment}
    rest = [(found.partition, found.offset) for name in ("a", "b") for found in records[name]]
    assert sorted([(record.partition, record.offset), *rest]) == [
        (at, offset) for at in range(2) for offset in range(5)
    ]


@BOTH
def test_a_member_killed_while_it_revokes_does_not_block_the_rebalance(
    world: World, system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    system.create_topic("orders", 2)
    heard = Heard()
    first = member(system, "a", "orders", listener=heard, assignors=assignors)
    balance(system, first, partitions=2)
    second = member(system, "b", "orders", assignors=assignors)
    nudge(second)
    heard.on_revoked = lambda _: world.runtime.kill("consumer/a")
    until(lambda: "revoked" in dict(heard.calls), lambda: _ignoring(first), lambda: nudge(second), what="revoked")

    balance(system, second, partitions=2)

    assert [place.partition for place in second.assignment] == [0, 1]


def _ignoring(consumer: ConsumerHandle) -> None:
    with suppress(ActorStopped, ConsumerClosed):
        consumer.poll(timeout=0.02)
