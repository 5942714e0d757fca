"""Callbacks of promises run on actors' threads: calls that wait fail there at once, the others work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.actors import World, stored_values

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.producer import ProducerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import WaitOnActorThread
from odradek_actors.runtime.promise import Promise
from odradek_events.testing import FaultyLog


def outcome_in_callback(log: FaultyLog, producer: ProducerHandle, call: Callable[[], object]) -> Any:
    """Return what `call` returns or raises in a callback of a send, on the thread of the topic's actor."""
    caller, is_done = threading.current_thread(), threading.Event()
    outcome: list[object] = []

    def callback(_: object) -> None:
        assert threading.current_thread() is not caller
        try:
            outcome.append(call())
        except BaseException as error:
            outcome.append(error)
        is_done.set()

    hold = log.hold("topic/orders")  # otherwise the promise could be settled before it has its callback
    producer.send("orders", "first").add_done_callback(callback)
    hold.release()
    assert is_done.wait(10)
    return outcome[0]


WAITING: dict[str, Callable[[ActorSystem, ProducerHandle, ConsumerHandle], object]] = {
    "close of the system": lambda system, _, __: system.close(),
    "settle": lambda system, _, __: system.settle(),
    "create_topic": lambda system, _, __: system.create_topic("other"),
    "delete_topic": lambda system, _, __: system.delete_topic("orders"),
    "delete_group": lambda system, _, __: system.delete_group("idle"),
    "close of a producer": lambda _, producer, __: producer.close(),
    "flush": lambda _, producer, __: producer.flush(),
    "result of a send": lambda _, producer, __: producer.send("orders", "waits").result(),
    "close of a consumer": lambda _, __, consumer: consumer.close(),
    "unsubscribe": lambda _, __, consumer: consumer.unsubscribe(),
    "commit": lambda _, __, consumer: consumer.commit(),
    "poll": lambda _, __, consumer: consumer.poll(),
}


@pytest.mark.parametrize("call", WAITING.values(), ids=WAITING)
def test_a_call_that_waits_fails_at_once_in_a_callback_and_everything_goes_on(
    faulty: FaultyLog,
    faulty_world: World,
    call: Callable[[ActorSystem, ProducerHandle, ConsumerHandle], object],
) -> None:
    """It could wait for its own thread: closing the system in a callback took 30 seconds and was not orderly."""
    system = faulty_world.open()
    system.create_topic("orders")
    with system.consumer("d", group="idle") as idle:
        idle.subscribe(["orders"])
        idle.wait_for_assignment()
    producer, consumer = system.producer(), system.consumer("c", group="g")
    consumer.subscribe(["orders"])
    consumer.wait_for_assignment()

    error = outcome_in_callback(faulty, producer, lambda: call(system, producer, consumer))

    assert isinstance(error, WaitOnActorThread)
    assert consumer.poll(timeout=10)[0].value == b"first"
    consumer.commit()
    assert system.committed_offsets("g")[0].offset >= 1
    assert (system.list_topics(), system.list_groups()) == (["orders"], ["g", "idle"])
    consumer.close()
    producer.close()
    system.close()


def test_a_callback_can_send_also_by_a_new_producer_and_to_a_new_topic(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open()
    producer = system.producer("first")

    same = outcome_in_callback(faulty, producer, lambda: producer.send("orders", "second"))
    assert isinstance(same, Promise)
    assert same.result(10).offset == 1
    other = outcome_in_callback(faulty, producer, lambda: system.producer("new").send("audit", "third"))
    assert isinstance(other, Promise)
    assert other.result(10).offset == 0
    assert stored_values(system.log, "audit") == ["third"]
