"""Producers and consumers that nobody uses end their actors, and begin again on demand without losing anything."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pykka
import pytest
from support.actors import KitRuntime, World, in_threads, produce, read_all, stored_values, values
from support.groups import balance, member, until

from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.core import Command, Query
from odradek_actors.messages.producers import DescribeProducer, FlushProducer
from odradek_actors.runtime.promise import Promise

pytestmark = pytest.mark.usefixtures("replayed")


def has_ended(world: World, stream: str) -> bool:
    return not world.runtime.actors[stream].is_alive()


def wait_until_ended(world: World, *streams: str) -> None:
    for stream in streams:
        until(partial(has_ended, world, stream), what=f"the actor of {stream} has ended")


def test_closed_producers_and_consumers_give_their_threads_back(world: World, system: ActorSystem) -> None:
    produce(system, "orders", "a")
    system.settle()
    before = threading.active_count()
    for number in range(5):
        with system.producer(f"p{number}") as producer, system.consumer(f"c{number}", "g") as consumer:
            producer.send("orders", "b").result()
            consumer.subscribe(["orders"])
            read_all(consumer, 1)

    wait_until_ended(
        world, *(f"{kind}/{name}{n}" for kind, name in (("producer", "p"), ("consumer", "c")) for n in range(5))
    )
    until(lambda: threading.active_count() <= before + 1, what="only the group's thread is new")


def test_an_actor_stays_until_its_last_handle_is_closed(world: World, system: ActorSystem) -> None:
    first, second = system.producer("p"), system.producer("p")
    first.send("orders", "a").result()
    second.send("orders", "b").result()

    first.close()
    system.settle()
    assert not has_ended(world, "producer/p")
    second.send("orders", "c").result()
    second.close()

    wait_until_ended(world, "producer/p")
    assert stored_values(world.log, "orders") == ["a", "b", "c"]


def test_a_producer_is_used_again_after_its_actor_has_ended(world: World, system: ActorSystem) -> None:
    for number in range(3):
        with system.producer("p") as producer:
            producer.send("orders", str(number)).result()
            assert producer.message_count == number + 1
        wait_until_ended(world, "producer/p")
        assert producer.message_count == number + 1
        wait_until_ended(world, "producer/p")

    assert stored_values(world.log, "orders") == ["0", "1", "2"]


def test_a_consumer_is_opened_again_after_its_actor_has_ended(world: World, system: ActorSystem) -> None:
    produce(system, "orders", "a", "b", "c")
    for expected in "abc":
        with system.consumer("c") as consumer:
            consumer.subscribe(["orders"])
            assert values(consumer.poll(1, timeout=10)) == [expected]
            consumer.commit()
        wait_until_ended(world, "consumer/c")


def test_a_static_member_stays_a_member_while_its_actor_is_stopped(world: World, system: ActorSystem) -> None:
    system.create_topic("orders", 2)
    first = member(system, "a", "orders", group_instance_id="i-a")
    second = member(system, "b", "orders", group_instance_id="i-b")
    generation = balance(system, first, second, partitions=2)
    mine = second.assignment
    second.close()
    wait_until_ended(world, "consumer/b")

    second = member(system, "b", "orders", group_instance_id="i-b")

    assert second.wait_for_assignment(10) == mine
    assert balance(system, first, second, partitions=2) == generation


def test_a_closed_consumer_that_had_polled_an_empty_topic_ends_too(world: World, system: ActorSystem) -> None:
    system.create_topic("orders")
    with system.consumer("c") as consumer:
        consumer.subscribe(["orders"])
        assert consumer.poll(timeout=0.01) == []

    wait_until_ended(world, "consumer/c")
    produce(system, "orders", "a")  # which answers the fetch that the topic still holds


def test_a_request_that_reaches_an_ended_actor_goes_to_the_next_one(world: World, system: ActorSystem) -> None:
    with system.producer("p") as producer:
        producer.send("orders", "a").result()
    wait_until_ended(world, "producer/p")
    late: pykka.ActorRef[Any] = world.runtime.actors["producer/p"]
    letters = world.runtime.dead_letter_count

    counting: Promise[int] = Promise()
    flushing: Promise[None] = Promise()
    world.runtime.send(late, Query(DescribeProducer(), counting))
    world.runtime.send(late, Command(FlushProducer(), flushing))

    assert counting.result(10) == 1
    assert flushing.result(10) is None
    assert world.runtime.dead_letter_count == letters


def test_sends_and_closes_of_many_threads_lose_nothing_and_keep_their_order(world: World, system: ActorSystem) -> None:
    system.create_topic("orders")

    def use(name: str) -> None:
        for number in range(30):
            with system.producer("shared") as producer:
                sent = [producer.send("orders", f"{name}-{number}-{part}") for part in range(3)]
            assert [promise.exception(10) for promise in sent] == [None] * 3

    in_threads(*(partial(use, name) for name in "abc"))

    stored = stored_values(world.log, "orders")
    for name in "abc":
        mine = [value for value in stored if value.startswith(f"{name}-")]
        assert mine == [f"{name}-{number}-{part}" for number in range(30) for part in range(3)]
    assert system.producer("shared").message_count == 270


def test_a_system_closes_while_its_actors_end(world: World) -> None:
    for number in range(10):
        system = world.open()
        assert isinstance(system.runtime, KitRuntime)
        with system.producer("p") as producer, system.consumer("c") as consumer:
            producer.send("orders", str(number)).result()
            consumer.subscribe(["orders"])
        system.close()

    assert stored_values(world.log, "orders") == [str(number) for number in range(10)]
