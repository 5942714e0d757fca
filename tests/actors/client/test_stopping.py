"""Closing: what was accepted is finished or answered, nobody waits for ever, and nothing works afterwards."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from pykka import ActorRef
from support.actors import RawConsumer, World, event_types, in_threads, produce, stored_values

from odradek_actors.client.producer import ProducerHandle
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import ActorError, ForkedProcess, RequestTimedOut, SystemClosed
from odradek_actors.messages.core import Query, Running
from odradek_actors.messages.producers import Receipt
from odradek_actors.messages.topics import DescribeTopic
from odradek_actors.runtime.promise import Promise
from odradek_domain.errors import ConsumerClosed
from odradek_events import MemoryLog
from odradek_events.errors import LogError, LogLocked, LogUnavailable
from odradek_events.testing import FaultyLog


def test_what_was_sent_before_closing_is_stored(world: World) -> None:
    system = world.open()
    producers = [system.producer(name) for name in ("p", "q", "r")]
    promises = [producer.send("orders", str(number)) for number in range(50) for producer in producers]

    system.close()

    assert sorted(promise.result().offset for promise in promises) == list(range(150))


def test_what_lingers_at_closing_is_stored(world: World) -> None:
    system = world.open()
    producer = system.producer("p", linger_ms=600_000)
    producer.send("orders", "a").result()
    promise = producer.send("orders", "b")

    system.close()

    assert promise.result().offset == 1


def test_closing_records_every_producers_progress(world: World) -> None:
    system = world.open()
    produce(system, "orders", "a", "b")

    system.close()

    assert event_types(world.log, "producer/p")[-1] == "ProducerProgressed"


def test_closing_waits_for_an_append_under_way(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open()
    produce(system, "orders", "first")
    hold = faulty.hold("topic/")
    promises = [system.producer("p").send("orders", str(number)) for number in range(30)]
    assert hold.reached.wait(10)

    in_threads(system.close, hold.release)

    assert [promise.result(1).offset for promise in promises] == list(range(1, 31))
    assert stored_values(faulty, "orders") == ["first", *map(str, range(30))]


def test_closing_answers_polls_that_wait_with_nothing(world: World) -> None:
    system = world.open()
    system.create_topic("orders")
    polls = [RawConsumer(system, name, ["orders", "other"]).poll(timeout=600.0) for name in ("c1", "c2")]

    system.close()

    assert [poll.result(10).messages for poll in polls] == [(), ()]


def test_a_closed_system_refuses_calls_and_can_be_closed_again(world: World) -> None:
    system = world.open()
    producer, consumer = system.producer("p"), system.consumer("c")
    actor = system.actor("topic/orders")
    system.close()
    system.close()

    for attempt in (
        lambda: system.create_topic("orders"),
        lambda: system.describe_topic("orders"),
        lambda: system.list_topics(),
        lambda: system.producer("q"),
        lambda: system.consumer("d"),
        lambda: system.actor("topic/other"),
        lambda: producer.send("orders", "v"),
        lambda: producer.flush(),
        lambda: producer.message_count,
        lambda: consumer.poll(),
        lambda: consumer.subscribe(["orders"]),
        lambda: actor.query(DescribeTopic()),
    ):
        with pytest.raises(SystemClosed):
            attempt()


def test_handles_can_be_closed_after_their_system(world: World) -> None:
    system = world.open()
    producer, consumer = system.producer("p"), system.consumer("c")
    system.close()

    producer.close()
    consumer.close()

    with pytest.raises(ConsumerClosed):
        consumer.poll()


def test_a_system_closes_only_a_log_that_it_opened() -> None:
    with ActorSystem.open(":memory:") as owner:
        owner.create_topic("orders")
    with pytest.raises(LogUnavailable):
        owner.log.append([], owner.runtime.now())

    log = MemoryLog()
    with ActorSystem.open(log) as guest:
        guest.create_topic("orders")
    assert log.append([], guest.runtime.now()) == []


def test_closing_with_the_log_away_ends_and_answers_everybody(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(retry_backoff=0.001, delivery_timeout=0.05)
    produce(system, "orders", "first")
    faulty.is_away = True
    promises = [system.producer(name).send("orders", "v") for name in ("p", "q")]

    system.close(timeout=10)

    for promise in promises:
        assert isinstance(promise.exception(5), LogError | ActorError)


def test_closing_while_actors_cannot_recover_ends_and_answers_everybody(faulty: FaultyLog, faulty_world: World) -> None:
    produce(faulty_world.open(), "orders", "first")
    faulty_world.crash()
    system = faulty_world.open(retry_backoff=0.01)
    faulty.is_unreadable = True
    promises = [system.producer("p").send("orders", "v"), system.query("topic/orders", DescribeTopic())]

    system.close(timeout=10)

    for promise in promises:
        assert isinstance(promise.exception(5), LogError | ActorError)


def test_closing_that_takes_too_long_says_so_and_still_answers_everybody(
    faulty: FaultyLog, faulty_world: World
) -> None:
    system = faulty_world.open()
    produce(system, "orders", "first")
    hold = faulty.hold("topic/")
    promise = system.producer("p").send("orders", "v")
    assert hold.reached.wait(10)

    with pytest.raises(RequestTimedOut, match=r"0\.1"):
        system.close(timeout=0.1)
    hold.release()

    assert isinstance(promise.exception(10), LogError | ActorError)


def test_sends_that_race_with_closing_are_all_answered() -> None:
    for _ in range(10):
        system = ActorSystem.open()
        producer = system.producer("p")
        producer.send("orders", "first").result()
        promises: list[Promise[Receipt]] = []

        def send(producer: ProducerHandle = producer, promises: list[Promise[Receipt]] = promises) -> None:
            while True:
                try:
                    promises.append(producer.send("orders", "v"))
                except (SystemClosed, ActorError):
                    return

        in_threads(send, send, system.close)
        outcomes = [promise.exception(10) for promise in promises]
        acknowledged = sum(error is None for error in outcomes)
        assert all(error is None or isinstance(error, ActorError) for error in outcomes)
        assert len(stored_values(system.log, "orders")) == 1 + acknowledged


def test_requests_that_race_with_the_death_of_their_actor_are_all_answered(faulty_world: World) -> None:
    system = faulty_world.open()
    runtime = faulty_world.runtime
    for _ in range(100):
        system.query("topic/orders", DescribeTopic()).exception(10)
        ref = runtime.actors["topic/orders"]
        promises: list[Promise[Any]] = [runtime.promise() for _ in range(40)]

        def ask(ref: ActorRef[Any] = ref, promises: list[Promise[Any]] = promises) -> None:
            for promise in promises:
                runtime.send(ref, Query(DescribeTopic(), promise))

        def kill(ref: ActorRef[Any] = ref) -> None:
            ref.stop(block=False)

        in_threads(ask, kill)
        for promise in promises:
            promise.exception(10)


def test_settling_waits_for_everything_that_was_sent(system: ActorSystem) -> None:
    promises = [system.producer(name).send("orders", "v") for name in ("p", "q") for _ in range(20)]

    system.settle()

    assert all(promise.done() for promise in promises)


def test_settling_times_out_while_work_is_in_progress(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open()
    hold = faulty.hold("producer/")
    promise = system.producer("p").send("orders", "v")
    assert hold.reached.wait(10)

    with pytest.raises(RequestTimedOut):
        system.settle(timeout=0.05)
    hold.release()
    assert promise.result().offset == 0
    system.settle()


@pytest.mark.parametrize("timeout", ["5", -1, float("nan"), float("inf"), True, [], 10**400])
def test_a_wrong_time_limit_is_refused_before_anything_is_closed(timeout: Any) -> None:
    with ActorSystem.open() as system:
        producer = system.producer("p")
        for call in (system.close, system.settle, producer.flush, producer.close):
            with pytest.raises((TypeError, ValueError), match=r"^timeout "):
                call(timeout)
        assert producer.send("orders", "still open").result(10)


def test_no_time_limit_means_the_default() -> None:
    system = ActorSystem.open()
    producer = system.producer("p")
    producer.send("orders", "v")
    producer.flush(None)
    producer.close(None)
    system.close(None)
    assert system.is_closed


def test_a_second_close_waits_for_the_first(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open()
    produce(system, "orders", "first")
    hold = faulty.hold("topic/")
    promise = system.producer("p").send("orders", "second")
    assert hold.reached.wait(10)
    first = system.runtime.spawn(system.close)
    while not system.is_closed:
        pass
    second = system.runtime.spawn(system.close)

    assert not second.wait(0.1)
    hold.release()
    first.result(10)
    second.result(10)
    assert promise.result(1).offset == 1


def test_the_time_limit_holds_also_while_the_directory_is_busy(faulty_world: World) -> None:
    """Whatever keeps the directory from answering, closing does not wait for it for 30 seconds."""
    system = faulty_world.open()
    busy: Promise[None] = system.runtime.promise()
    release = threading.Event()

    class Blocks:
        def tell(self, _: object) -> None:
            busy.tell(None)
            release.wait(20)

    system.runtime.send(system._directory, Query(Running(()), Blocks()))
    assert busy.wait(10)
    closing = system.runtime.spawn(system.close, 0.1)
    assert isinstance(closing.exception(10), RequestTimedOut)
    release.set()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_in_a_forked_child_every_call_fails_at_once_and_the_parent_continues(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    system = ActorSystem.open(path)
    producer, consumer = system.producer("p"), system.consumer("c")
    consumer.subscribe(["orders"])
    pending: Promise[None] = system.runtime.promise()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        failures = []
        try:
            for call in (
                lambda: producer.send("orders", "from the child"),
                producer.flush,
                consumer.poll,
                consumer.commit,
                system.list_topics,
                system.settle,
                lambda: pending.result(20),
            ):
                try:
                    call()
                except ForkedProcess:
                    continue
                except BaseException as error:
                    failures.append(repr(error))
                else:
                    failures.append(f"{call} did not fail")
            system.close()
        except BaseException as error:
            failures.append(repr(error))
        finally:
            os.write(writing, "\n".join(failures).encode() or b"none")
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert told.read() == "none"
    os.waitpid(child, 0)
    assert producer.send("orders", "from the parent").result(10).offset == 0
    assert [record.value for record in consumer.poll(timeout=10)] == [b"from the parent"]
    with pytest.raises(LogLocked):  # the child has not released the parent's lock
        ActorSystem.open(path)
    system.close()
    ActorSystem.open(path).close()
