"""What `acks` changes: whether a sender is answered. What is stored, and how, it leaves as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.actors import World, produce, read_all, stored_values, values

from odradek_actors.client.producer import Acks, Unacknowledged
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import BufferFull, RequestTimedOut, SystemClosed
from odradek_actors.messages.producers import Receipt
from odradek_domain.errors import MessageTooLarge
from odradek_events.errors import LogFull
from odradek_events.testing import FaultyLog

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def system(faulty_world: World) -> ActorSystem:
    """Give a system on the log that fails when told to, with a topic and a message in it."""
    system = faulty_world.open()
    system.create_topic("orders", partitions=2)
    produce(system, "orders", "first", partition=1)
    return system


@pytest.mark.parametrize("acks", ["all", "-1", -1, "1", 1])
def test_with_acks_all_or_one_a_receipt_comes_once_the_message_is_durable(
    system: ActorSystem, faulty: FaultyLog, acks: Acks
) -> None:
    hold = faulty.hold("topic/")
    promise = system.producer("p", acks=acks).send("orders", "second", partition=1)
    assert hold.reached.wait(10)
    assert not promise.done()

    hold.release()

    assert promise.result().offset == 1


@pytest.mark.parametrize("acks", ["0", 0])
def test_with_acks_0_a_promise_is_kept_before_anything_is_stored(
    system: ActorSystem, faulty: FaultyLog, acks: Acks
) -> None:
    producer = system.producer("p", acks=acks)
    hold = faulty.hold("topic/")

    one = producer.send("orders", "a", partition=1, timestamp=NOON)
    two = producer.send_batch("orders", ["b", ("key", "c")], timestamp=NOON)

    assert one.done()
    assert two.done()
    assert one.result() == Receipt("orders", 1, -1, -1, NOON)
    assert two.result() == [Receipt("orders", -1, -1, -1, NOON)] * 2
    assert producer.send_batch("orders", []).result() == []
    assert hold.reached.wait(10)
    assert stored_values(faulty, "orders") == ["first"]
    hold.release()
    producer.flush()
    assert sorted(stored_values(faulty, "orders")) == ["a", "b", "c", "first"]


@pytest.mark.parametrize("acks", ["ALL", "none", "", 2, -2, "00", True, False, None, 1.0, b"all"])
def test_other_acks_are_refused_at_once(acks: Any) -> None:
    with ActorSystem.open() as system, pytest.raises((TypeError, ValueError), match=r"acks .*'all'.* 0"):
        system.producer("p", acks=acks)


@pytest.mark.parametrize("written", [True, False])
def test_with_acks_0_a_message_is_stored_once_and_in_order_over_an_unknown_outcome(
    system: ActorSystem, faulty: FaultyLog, written: bool
) -> None:
    producer = system.producer("p", acks=0)
    faulty.lose_answer("topic/", times=2, written=written)

    for number in range(30):
        producer.send("orders", str(number), partition=0)
    producer.flush()

    assert stored_values(faulty, "orders") == ["first", *map(str, range(30))]


def test_with_acks_0_a_message_uses_the_buffer_until_it_is_stored(faulty_world: World, faulty: FaultyLog) -> None:
    system = faulty_world.open(buffer_bytes=100, max_block_ms=20)
    system.create_topic("orders")
    producer = system.producer("p", acks=0)
    hold = faulty.hold("topic/")
    producer.send("orders", b"x" * 80)

    with pytest.raises(BufferFull):
        producer.send("orders", b"y" * 80)

    hold.release()
    producer.send("orders", b"z" * 80)
    producer.flush()
    assert [value[0] for value in stored_values(faulty, "orders")] == ["x", "z"]


def test_with_acks_0_flush_and_close_wait_until_everything_is_stored(system: ActorSystem, faulty: FaultyLog) -> None:
    producer = system.producer("p", acks=0)
    hold = faulty.hold("topic/")
    producer.send("orders", "second")
    assert hold.reached.wait(10)

    with pytest.raises(RequestTimedOut):
        producer.flush(timeout=0.05)
    with pytest.raises(RequestTimedOut):
        producer.close(timeout=0.05)

    hold.release()
    with system.producer("p", acks=0) as other:
        other.send("orders", "third")
    assert sorted(stored_values(faulty, "orders")) == ["first", "second", "third"]


def test_with_acks_0_a_message_that_is_not_stored_is_a_dead_letter_and_not_an_error(
    faulty_world: World, system: ActorSystem, faulty: FaultyLog
) -> None:
    producer = system.producer("p", acks=0)
    faulty.reject("topic/")

    assert producer.send("orders", "lost", partition=1).result().offset == -1
    producer.flush()
    producer.send("orders", "second", partition=1)
    producer.close()

    (letter,) = faulty_world.runtime.dead_letters
    assert letter.recipient == "topic/orders"
    assert isinstance(letter.message, Unacknowledged)
    assert (letter.message.topic, letter.message.count) == ("orders", 1)
    assert isinstance(letter.message.error, LogFull)
    assert stored_values(faulty, "orders") == ["first", "second"]


def test_with_acks_all_an_error_is_the_promises_and_no_dead_letter(
    faulty_world: World, system: ActorSystem, faulty: FaultyLog
) -> None:
    faulty.reject("topic/")

    assert isinstance(system.producer("p").send("orders", "lost").exception(10), LogFull)

    assert faulty_world.runtime.dead_letters == []


def test_with_acks_0_invalid_arguments_still_raise() -> None:
    with ActorSystem.open(max_message_bytes=10) as system:
        producer = system.producer("p", acks=0)
        with pytest.raises(MessageTooLarge):
            producer.send("orders", "x" * 11)
        with pytest.raises(TypeError):
            producer.send("orders", 5)  # type: ignore[arg-type]  # the mistake under test
        producer.close()
        with pytest.raises(SystemClosed):
            producer.send("orders", "late")


def test_handles_of_one_producer_may_differ_in_their_acks_and_keep_one_order(system: ActorSystem) -> None:
    handles = system.producer("p", acks="all"), system.producer("p", acks=0)

    for number in range(20):
        handles[number % 2].send("orders", str(number), partition=0)
    handles[0].flush()
    handles[1].flush()

    consumer = system.consumer("c")
    consumer.subscribe(["orders"])
    records = [record for record in read_all(consumer, 21) if record.partition == 0]
    assert values(records) == [str(number) for number in range(20)]
