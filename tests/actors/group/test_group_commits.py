"""Commits of members: sync and async, with metadata, of single partitions, by themselves; and those refused."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from support.actors import World, produce, values
from support.groups import COOPERATIVE, Heard, balance, fill, member, nudge, poll_all, until

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.groups import CommitGroupOffsets
from odradek_domain.errors import CommitWouldGoBackwards, ConsumerClosed, ConsumerNotPositioned, OffsetNotFound
from odradek_domain.group.errors import ConsumerNotAssigned, GroupNotEmpty, IllegalGeneration, UnknownMember
from odradek_domain.group.member import GroupState
from odradek_domain.values.committed_offsets import OffsetToCommit
from odradek_domain.values.positions import TopicPartition
from odradek_events.errors import LogUnavailable
from odradek_events.testing import FaultyLog

pytestmark = pytest.mark.usefixtures("replayed")

ORDERS = TopicPartition("orders", 0)


def committed(system: ActorSystem, topic: str = "orders") -> dict[int, int]:
    return {item.partition: item.offset for item in system.committed_offsets("g") if item.topic == topic}


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_only_returned_messages_are_committed(system: ActorSystem) -> None:
    produce(system, "orders", *"abcde")
    consumer = member(system, "a", "orders")
    poll_all([consumer], 5)
    consumer.seek("orders", 0, 0)
    stream = consumer.messages()
    assert [next(stream).value for _ in range(2)] == [b"a", b"b"]

    consumer.commit()

    assert committed(system) == {0: 2}
    assert consumer.committed("orders", 0) == 2


def test_single_partitions_are_committed_with_metadata(system: ActorSystem) -> None:
    system.create_topic("orders", 3)
    fill(system, "orders", 3, 3)
    consumer = member(system, "a", "orders")
    poll_all([consumer], 9)

    consumer.commit({TopicPartition("orders", 2): (2, "half \u2713"), TopicPartition("orders", 0): 1})

    found = {item.partition: (item.offset, item.metadata) for item in system.committed_offsets("g")}
    assert found == {0: (1, ""), 2: (2, "half \u2713")}


def test_nothing_to_commit_is_fine(system: ActorSystem) -> None:
    consumer = member(system, "a", "orders")

    consumer.commit()
    consumer.commit({})
    assert consumer.commit_async().result(5) is None

    assert system.committed_offsets("g") == ()


def test_async_commits_take_effect_in_their_order_and_say_so(system: ActorSystem) -> None:
    produce(system, "orders", *map(str, range(30)))
    consumer = member(system, "a", "orders")
    order: list[Future[None]] = []
    promises: list[Future[None]] = []

    for _ in range(30):
        until(lambda: bool(consumer.poll(1)), what="a message")
        promise = consumer.commit_async()
        promise.add_done_callback(order.append)
        promises.append(promise)

    assert [promise.exception(10) for promise in promises] == [None] * 30
    until(lambda: len(order) == 30, what="all are told")
    assert order == promises
    assert committed(system) == {0: 30}


def test_an_async_commit_that_is_refused_says_so_in_its_promise(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = member(system, "a", "orders")
    poll_all([consumer], 3)
    consumer.commit()

    refused = consumer.commit_async({ORDERS: 1})
    beyond = consumer.commit_async({ORDERS: 4})

    assert isinstance(refused.exception(5), CommitWouldGoBackwards)
    assert isinstance(beyond.exception(5), OffsetNotFound)
    assert committed(system) == {0: 3}


def test_a_commit_goes_backwards_only_after_a_seek(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = member(system, "a", "orders")
    poll_all([consumer], 3)
    consumer.commit()
    with pytest.raises(CommitWouldGoBackwards):
        consumer.commit({ORDERS: 2})

    consumer.seek("orders", 0, 1)
    consumer.commit({ORDERS: 1})

    assert committed(system) == {0: 1}


def test_a_commit_of_several_partitions_is_all_or_none(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    consumer = member(system, "a", "orders")
    poll_all([consumer], 6)
    consumer.commit({TopicPartition("orders", 1): 3})

    with pytest.raises(CommitWouldGoBackwards):
        consumer.commit({TopicPartition("orders", 0): 2, TopicPartition("orders", 1): 1})

    assert committed(system) == {1: 3}


def test_a_partition_of_another_member_cannot_be_committed(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 2)
    first = member(system, "a", "orders")
    poll_all([first], 4)
    second = member(system, "b", "orders")
    balance(system, first, second, partitions=2)
    poll_all([first, second], 4)
    (theirs,), (mine,) = second.assignment, first.assignment

    with pytest.raises(ConsumerNotAssigned):
        first.commit({theirs: 1})
    with pytest.raises(ConsumerNotAssigned):
        first.commit({mine: 1, theirs: 1})
    with pytest.raises(ConsumerNotPositioned):
        member(system, "alone", "orders", group=None).commit({mine: 1})

    assert committed(system) == {}


def test_messages_of_a_revoked_partition_are_not_committed_later(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 4)
    first = member(system, "a", "orders", assignors=COOPERATIVE)
    poll_all([first], 8)  # and does not commit
    second = member(system, "b", "orders", assignors=COOPERATIVE)
    balance(system, first, second, partitions=2)
    (theirs,), (mine,) = second.assignment, first.assignment
    until(lambda: bool(second.poll(2, timeout=0.1)), lambda: nudge(first), what="it reads")
    second.commit()

    first.commit()

    assert committed(system) == {mine.partition: 4, theirs.partition: 2}


def test_a_commit_for_an_earlier_generation_is_refused_and_one_for_a_later_too(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = member(system, "a", "orders")
    poll_all([consumer], 3)
    consumer.close()
    consumer = member(system, "a", "orders")
    generation = balance(system, consumer, partitions=1)
    (found,) = system.describe_group("g").members
    topic_id = system.describe_topic("orders").topic_id

    for wrong in (generation - 1, generation + 1, -1, 0):
        offsets = (OffsetToCommit("orders", 0, topic_id, 3),)
        zombie = CommitGroupOffsets("a", offsets, found.member_id, wrong)
        assert isinstance(system.command("group/g", zombie).exception(10), IllegalGeneration)

    assert committed(system) == {}


def test_a_returned_partition_continues_at_the_commits_of_its_last_reader(system: ActorSystem) -> None:
    system.create_topic("orders", 1)
    fill(system, "orders", 1, 6)
    first = member(system, "b-first", "orders", assignors=["range"])
    assert len(first.poll(4)) == 4  # and does not commit
    second = member(system, "a-second", "orders", assignors=["range"])  # the range assignor prefers it
    balance(system, first, second, partitions=1)
    assert len(second.poll(2, timeout=5)) == 2
    second.commit()
    second.close()
    balance(system, first, partitions=1)

    first.commit()
    assert committed(system) == {0: 2}
    assert values(poll_all([first], 4)["b-first"]) == ["0-2", "0-3", "0-4", "0-5"]
    first.commit()
    assert committed(system) == {0: 6}


def read_and_delete(system: ActorSystem) -> tuple[ConsumerHandle, ConsumerHandle]:
    """Have two members commit one message each and read one more, and let the topic be another one then."""
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    first, second = (member(system, name, "orders", assignors=COOPERATIVE) for name in ("a", "b"))
    balance(system, first, second, partitions=2)
    for consumer in (first, second):
        until(lambda consumer=consumer: consumer.poll(1, timeout=0.1) != [], what="it has read")  # type: ignore[misc]  # a lambda's default
        consumer.commit()
        until(lambda consumer=consumer: consumer.poll(1, timeout=0.1) != [], what="it has read on")  # type: ignore[misc]  # as above
    system.delete_topic("orders")
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    return first, second


def test_a_late_commit_for_a_deleted_topic_does_not_affect_its_successor(system: ActorSystem) -> None:
    first, second = read_and_delete(system)
    until(lambda: first.poll(timeout=0.1) != [], what="the successor is read")
    first.commit()

    second.commit()

    successor = system.describe_topic("orders").topic_id
    assert [(item.topic_id, item.offset) for item in system.committed_offsets("g")] == [(successor, 3)]


def test_a_late_commit_is_refused_while_the_topics_incarnation_is_unknown(
    faulty_world: World, faulty: FaultyLog
) -> None:
    system = faulty_world.open()
    first, second = read_and_delete(system)
    until(lambda: first.poll(timeout=0.1) != [], what="the successor is read")
    first.commit()
    before = system.committed_offsets("g")
    faulty_world.runtime.kill("topic/orders")
    faulty.is_unreadable = True

    with pytest.raises(LogUnavailable):
        second.commit()
    faulty.heal()
    assert system.committed_offsets("g") == before
    until(lambda: second.poll(timeout=0.1) != [], what="the successor is read")
    second.commit()

    assert committed(system) == {0: 3, 1: 3}


def test_a_consumer_that_never_polled_or_is_closed_auto_commits_nothing(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = member(system, "a", "orders")

    with pytest.raises((UnknownMember, ConsumerNotPositioned, ConsumerNotAssigned)):
        consumer.commit({ORDERS: 1})
    consumer.close()
    with pytest.raises(ConsumerClosed):
        consumer.commit({ORDERS: 1})

    assert committed(system) == {}


def test_commits_under_way_are_answered_when_the_consumer_is_closed(system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    first, second = (member(system, name, "orders", assignors=COOPERATIVE) for name in ("a", "b"))
    balance(system, first, second, partitions=2)
    joins = member(system, "joins", "orders", assignors=COOPERATIVE)
    nudge(joins)
    until(lambda: bool(first.poll(1, timeout=0.02)), what="it reads in the middle of a rebalance")
    promises = [first.commit_async() for _ in range(5)]

    first.close()

    assert all(promise.exception(10) is None for promise in promises)


def test_a_group_with_members_cannot_be_deleted(system: ActorSystem) -> None:
    produce(system, "orders", "a")
    consumer = member(system, "a", "orders")
    poll_all([consumer], 1)
    consumer.commit()

    with pytest.raises(GroupNotEmpty):
        system.delete_group("g")
    consumer.close()
    system.delete_group("g")

    assert system.committed_offsets("g") == ()
    assert values(poll_all([member(system, "b", "orders")], 1)["b"]) == ["a"]


# -- automatic --------------------------------------------------------------------------------------------------------


def automatic(system: ActorSystem, name: str = "a", interval: float = 0.01, **how: Any) -> ConsumerHandle:
    return member(system, name, "orders", enable_auto_commit=True, auto_commit_interval=interval, **how)


def test_nothing_is_committed_without_auto_commit(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    with member(system, "a", "orders", auto_commit_interval=0.001) as consumer:
        poll_all([consumer], 3)
        for _ in range(3):
            consumer.poll(timeout=0.01)

    assert committed(system) == {}


def test_returned_messages_are_auto_committed_in_a_later_poll(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = automatic(system)
    poll_all([consumer], 3)

    until(lambda: committed(system) == {0: 3}, lambda: consumer.poll(timeout=0.01), what="committed")


def test_messages_not_yet_returned_are_not_auto_committed(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = automatic(system, interval=0.0)
    stream = consumer.messages()
    next(stream)
    nudge(consumer)

    assert committed(system) == {0: 1}


def test_a_long_interval_commits_nothing_before_it_is_over(system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = automatic(system, interval=3600)
    poll_all([consumer], 3)
    consumer.poll(timeout=0.01)

    assert committed(system) == {}


@pytest.mark.parametrize("leave", [ConsumerHandle.close, ConsumerHandle.unsubscribe], ids=["close", "unsubscribe"])
def test_a_leaving_member_auto_commits_returned_messages(system: ActorSystem, leave: Any) -> None:
    produce(system, "orders", *"abc")
    consumer = automatic(system, interval=3600)
    poll_all([consumer], 3)

    leave(consumer)

    assert committed(system) == {0: 3}


@pytest.mark.parametrize("assignors", [("range",), COOPERATIVE], ids=["eager", "cooperative"])
def test_returned_messages_are_committed_before_partitions_are_revoked(
    system: ActorSystem, assignors: tuple[str, ...]
) -> None:
    system.create_topic("orders", 2)
    fill(system, "orders", 2, 3)
    first = automatic(system, interval=3600, assignors=assignors)
    poll_all([first], 6)
    second = member(system, "b", "orders", assignors=assignors)

    balance(system, first, second, partitions=2)

    assert committed(system) == {0: 3, 1: 3}
    assert second.poll(timeout=0.02) == []


def test_an_automatic_commit_that_is_refused_does_not_stop_the_polls(system: ActorSystem) -> None:
    produce(system, "orders", *"ab")
    consumer = automatic(system, max_poll_interval=0.15, heartbeat_interval=0.01)
    poll_all([consumer], 2)
    until(lambda: system.describe_group("g").state is GroupState.EMPTY, what="it has left")

    assert values(poll_all([consumer], 2)["a"]) == ["a", "b"]
    until(lambda: committed(system) == {0: 2}, lambda: consumer.poll(timeout=0.01), what="committed")


def test_an_automatic_commit_that_cannot_be_stored_stops_neither_polls_nor_the_listener(
    faulty_world: World, faulty: FaultyLog
) -> None:
    system = faulty_world.open()
    produce(system, "orders", *"ab")
    heard = Heard()
    consumer = automatic(system, interval=0.0, listener=heard)
    assert len(poll_all([consumer], 2)["a"]) == 2
    faulty.reject(event="OffsetCommitted", times=1_000)

    assert consumer.poll(timeout=0.01) == []
    consumer.close()

    assert heard.calls == [("assigned", [0]), ("revoked", [0])]
    assert committed(system) == {}


# -- where the next one begins ----------------------------------------------------------------------------------------


def test_commits_of_a_group_outlive_a_crash(world: World, system: ActorSystem) -> None:
    produce(system, "orders", *"abc")
    consumer = member(system, "a", "orders")
    poll_all([consumer], 3)
    consumer.commit({ORDERS: 2})
    world.crash()

    system = world.open()

    assert values(poll_all([member(system, "b", "orders")], 1)["b"]) == ["c"]
    assert committed(system) == {0: 2}
