"""Callers that are interrupted anywhere: no message is lost or committed unread, and nothing stays blocked."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from functools import partial
from types import FrameType

import pytest
from support.actors import stored_values
from support.interruption import Interrupted, interruptions

from odradek import ActorSystem, ConsumerHandle, MemoryLog, ProducerHandle, Promise
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_events.errors import LogUnavailable

pytestmark = pytest.mark.slow


@pytest.fixture
def system() -> Iterator[ActorSystem]:
    with ActorSystem.open(MemoryLog(), max_block_ms=1000, progress_interval=3600.0) as system:
        system.create_topic("orders")
        yield system


def assert_works(system: ActorSystem, producer: ProducerHandle) -> None:
    """The producer's buffer is free and its topic answers."""
    producer.flush(10)
    assert producer._buffer.holders() == []
    assert producer.send("orders", "last").result(10)
    assert stored_values(system.log, "orders")[-1] == "last"


def test_a_send_interrupted_anywhere_is_stored_once_or_not_at_all(system: ActorSystem) -> None:
    producer = system.producer("p")
    promises: list[tuple[str, Promise[object]]] = []
    sent = 0
    for run in interruptions():
        sent += 1
        value = str(sent)
        try:
            promises.append((value, run(partial(producer.send, "orders", value, key="k"))))
        except Interrupted:
            continue
    assert sent > 200

    assert_works(system, producer)
    stored = [int(value) for value in stored_values(system.log, "orders")[:-1]]
    assert stored == sorted(set(stored))
    assert {int(value) for value, promise in promises if promise.result(10)} <= set(stored)


def test_a_batch_interrupted_anywhere_is_stored_whole_and_once_or_not_at_all(system: ActorSystem) -> None:
    producer = system.producer("p")
    sent = 0
    for run in interruptions():
        sent += 1
        batch = [f"{sent}a", f"{sent}b", f"{sent}c"]
        try:
            run(partial(producer.send_batch, "orders", batch))
        except Interrupted:
            continue
    assert sent > 200

    assert_works(system, producer)
    stored = stored_values(system.log, "orders")[:-1]
    assert [value[-1] for value in stored] == ["a", "b", "c"] * (len(stored) // 3)
    assert len({*stored}) == len(stored)


def test_flush_and_close_of_a_producer_can_be_interrupted_and_repeated(system: ActorSystem) -> None:
    for number, run in enumerate(interruptions()):
        producer = system.producer(f"p{number}")
        promise = producer.send("orders", str(number))
        try:
            run(producer.flush)
            run(producer.close)
        except Interrupted:
            producer.close()
        assert promise.result(10)
    assert number > 100
    assert_works(system, system.producer("q"))


class Reader:
    """A member of a group that checks, after every call, that what is committed was returned before."""

    def __init__(self, system: ActorSystem) -> None:
        self.consumer: ConsumerHandle = system.consumer("c", "g")
        self.consumer.subscribe(["orders"])
        self.consumer.wait_for_assignment()
        self.returned: list[int] = []
        self._producer = system.producer("p")

    def prepare(self) -> None:
        self._producer.send_batch("orders", ["a", "b", "c"]).result(10)

    def take(self, records: object) -> None:
        assert isinstance(records, list)
        self.returned += [record.offset for record in records]

    def check(self) -> None:
        assert self.returned == list(range(len(self.returned)))
        self.consumer.commit()
        assert (self.consumer.committed("orders", 0) or 0) <= len(self.returned)


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_what_an_interrupted_poll_did_not_return_comes_with_the_next_and_is_not_committed(
    system: ActorSystem, limit: int
) -> None:
    reader = Reader(system)
    for run in interruptions():
        reader.prepare()
        try:
            reader.take(run(lambda: reader.consumer.poll(limit)))
        except Interrupted:
            reader.check()
            continue
    while records := reader.consumer.poll(timeout=0):
        reader.take(records)
    reader.check()
    assert reader.consumer.committed("orders", 0) == len(reader.returned) == 3 * len(reader.returned) // 3
    assert len(reader.returned) > 300


def test_an_interrupted_iteration_loses_no_message(system: ActorSystem) -> None:
    reader = Reader(system)
    for run in interruptions():
        reader.prepare()
        messages = reader.consumer.messages(idle_timeout=0)
        try:
            reader.take([run(partial(next, messages))])
        except (Interrupted, StopIteration):
            reader.check()
    while records := reader.consumer.poll(timeout=0):
        reader.take(records)
    reader.check()
    assert len(reader.returned) > 300


def test_an_interrupted_commit_can_be_repeated(system: ActorSystem) -> None:
    reader = Reader(system)
    for run in interruptions():
        reader.prepare()
        reader.take(reader.consumer.poll())
        try:
            run(reader.consumer.commit)
        except Interrupted:
            reader.consumer.commit()
        assert reader.consumer.committed("orders", 0) == len(reader.returned)


def test_an_interrupted_close_of_a_consumer_can_be_repeated_and_the_id_is_free(system: ActorSystem) -> None:
    for run in interruptions():
        consumer = system.consumer("c", "g")
        consumer.subscribe(["orders"])
        consumer.wait_for_assignment()
        try:
            run(consumer.close)
        except Interrupted:
            consumer.close()
    system.consumer("c", "g").close()


def test_an_interrupted_close_of_a_system_leaves_it_closed_once_it_is_repeated() -> None:
    for number, run in enumerate(interruptions("actors")):
        system = ActorSystem.open(progress_interval=3600.0)
        promise = system.producer().send("orders", str(number))
        try:
            run(system.close)
        except Interrupted:
            system.close()
        promise.exception(10)
        with pytest.raises(LogUnavailable):
            system.log.append([], system.runtime.now())
    assert number > 50


class Signals:
    """Raises in the main thread at random moments."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self.raised = 0
        self._is_armed = False

    def arm(self) -> None:
        self._is_armed = True
        signal.setitimer(signal.ITIMER_REAL, self._dice.uniform(1e-5, 2e-3))

    def disarm(self) -> None:
        self._is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)

    def __call__(self, _: int, __: FrameType | None) -> None:
        if self._is_armed:
            self.raised += 1
            raise Interrupted


def test_signals_at_random_moments_lose_no_messages_and_block_no_caller(system: ActorSystem) -> None:
    signals = Signals(seed=1)
    before = signal.signal(signal.SIGALRM, signals)
    returned: list[int] = []
    sent = 0
    try:
        producer = system.producer("p")
        consumer = system.consumer("c", "g", max_poll_records=7)
        consumer.subscribe(["orders"])
        consumer.wait_for_assignment()
        while signals.raised < 300:
            got: list[int] = []
            try:
                signals.arm()
                for _ in range(5):
                    producer.send("orders", str(sent))
                    sent += 1
                    got = [record.offset for record in consumer.poll(timeout=0.001)]
                    returned += got
                    got = []
                    consumer.commit()
            except Interrupted:
                pass
            finally:
                signals.disarm()
            if got and returned[-1:] != got[-1:]:  # interrupted after poll had returned, before the list was extended
                returned += got
            consumer.commit()
            committed = consumer.committed("orders", 0) or 0
            while len(returned) < committed:  # interrupted between poll's return and the assignment: the caller's loss
                returned.append(len(returned))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert_works(system, producer)
    while records := consumer.poll(timeout=0):
        returned += [record.offset for record in records]
    assert returned == list(range(len(stored_values(system.log, "orders"))))


class ClosesInside(RebalanceListener):
    """Closes its consumer whenever partitions are revoked."""

    calls = 0
    consumer: ConsumerHandle

    def on_partitions_revoked(self, partitions: object) -> None:
        self.calls += 1
        self.consumer.close()


@pytest.mark.parametrize("how", ["close", "unsubscribe"])
def test_a_listener_that_closes_its_consumer_is_called_once(system: ActorSystem, how: str) -> None:
    listener = ClosesInside()
    listener.consumer = consumer = system.consumer("c", "g")
    consumer.subscribe(["orders"], listener=listener)
    consumer.wait_for_assignment()
    if how == "close":
        consumer.close()
    else:
        with pytest.raises(Exception, match="closed"):
            consumer.unsubscribe()
    assert listener.calls == 1
    system.consumer("c", "g").close()
