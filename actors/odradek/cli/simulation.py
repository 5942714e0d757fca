"""Runs a workload on real threads: each producer and each consumer in one of its own, the system between them.

A group admits one live consumer at present, so the first consumers get a group each and the others read without one.
Threads share counters that one of them writes and all may read; what they find out is put together when all have ended.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar
from zlib import crc32

from odradek import ActorSystem, ConsumerRecord, Promise, Receipt, TopicPartition
from odradek.cli.workload import Workload, sender_of

__all__ = ["ConsumerTally", "ProducerTally", "Simulation"]

T = TypeVar("T")
_IN_FLIGHT = 4
_POLL_SECONDS = 0.2
_STALL_SECONDS = 30.0
_ANSWER_SECONDS = 60.0  # the system times a send out earlier


class ProducerTally:
    """What one producer saw: offsets it was given, in the order sent, and the checksum of what it sent."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.acknowledged = 0
        self.offsets: dict[TopicPartition, list[int]] = {}
        self.content = 0
        self.latencies: list[float] = []
        self.seconds = 0.0

    def acknowledge(self, receipts: list[Receipt], content: int) -> None:
        """Take in the receipts of a batch."""
        for receipt in receipts:
            place = TopicPartition(receipt.topic, receipt.partition)
            offsets = self.offsets.get(place)
            if offsets is None:
                offsets = self.offsets[place] = []
            offsets.append(receipt.offset)
        self.content += content
        self.acknowledged += len(receipts)


class ConsumerTally:
    """What one consumer saw. `problems` are the first few deliveries that were out of order, missing or repeated."""

    def __init__(self, number: int, group: str | None) -> None:
        self.number = number
        self.group = group
        self.received = 0
        self.content = 0
        self.latencies: list[float] = []
        self.seconds = 0.0
        self.gaps: list[str] = []
        self.disorders: list[str] = []
        self._next_offset: dict[TopicPartition, int] = {}
        self._last_number: dict[tuple[TopicPartition, int], int] = {}

    def receive(self, messages: list[ConsumerRecord]) -> None:
        """Take in a poll's messages."""
        for message in messages:
            place = TopicPartition(message.topic, message.partition)
            expected = self._next_offset.get(place, 0)
            if message.offset != expected:
                self.gaps.append(f"{place} gave offset {message.offset} where {expected} was due")
            self._next_offset[place] = message.offset + 1
            value = message.value or b""
            producer, number = sender_of(value)
            sender = place, producer
            if number <= self._last_number.get(sender, 0):
                self.disorders.append(f"{place} gave message {number} of producer {producer} out of order")
            self._last_number[sender] = number
            self.content += _checksum(message.key or b"", value)
        self.received += len(messages)


class Simulation:
    """One run of a workload on a system."""

    def __init__(self, system: ActorSystem, workload: Workload) -> None:
        self.workload = workload
        self.producers = [ProducerTally(number + 1) for number in range(workload.producers)]
        self.consumers = [
            ConsumerTally(number + 1, f"group-{number + 1}" if number < workload.groups else None)
            for number in range(workload.consumers)
        ]
        self.failure: BaseException | None = None
        self._system = system
        self._must_stop = threading.Event()
        self._producers_are_done = threading.Event()
        self._began = 0.0

    @property
    def acknowledged(self) -> int:
        """How many messages are durable by now."""
        return sum(tally.acknowledged for tally in self.producers)

    @property
    def received(self) -> int:
        """How many messages were consumed by now, by all consumers together."""
        return sum(tally.received for tally in self.consumers)

    def run(self, progress: Callable[[Simulation], None]) -> None:
        """Create the topics, run everybody to the end, and raise what a thread failed with.

        Ctrl-C stops everybody after the batch in hand, and is raised on.
        """
        for topic in self.workload.topic_names:
            self._system.create_topic(topic, self.workload.partitions)
        self._began = time.monotonic()
        producing = [self._thread(self._produce, tally) for tally in self.producers]
        consuming = [self._thread(self._consume, tally) for tally in self.consumers]
        try:
            self._join(producing, progress)
            self._producers_are_done.set()
            self._join(consuming, progress)
        except KeyboardInterrupt:
            self._must_stop.set()
            self._join(producing + consuming, progress)
            raise
        if self.failure is not None:
            raise self.failure

    def _thread(self, work: Callable[[T], None], tally: T) -> threading.Thread:
        def run() -> None:
            try:
                work(tally)
            except BaseException as error:
                self.failure = self.failure or error
                self._must_stop.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _join(self, threads: list[threading.Thread], progress: Callable[[Simulation], None]) -> None:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
                progress(self)

    def _produce(self, tally: ProducerTally) -> None:
        in_flight: deque[tuple[Promise[list[Receipt]], int]] = deque()

        def take() -> None:
            promise, content = in_flight.popleft()
            tally.acknowledge(promise.result(_ANSWER_SECONDS), content)

        with self._system.producer(f"producer-{tally.number}") as producer:
            for topic, entries in self.workload.batches(tally.number):
                if self._must_stop.is_set():
                    break
                if len(in_flight) >= _IN_FLIGHT:
                    take()
                content = sum(_checksum(key, value) for key, value in entries)
                promise = producer.send_batch(topic, entries)
                promise.add_done_callback(_stopwatch(tally.latencies))
                in_flight.append((promise, content))
            while in_flight:
                take()
        tally.seconds = time.monotonic() - self._began

    def _consume(self, tally: ConsumerTally) -> None:
        last_seen = time.monotonic()
        with self._system.consumer(f"consumer-{tally.number}", tally.group) as consumer:
            consumer.subscribe(self.workload.topic_names)
            while not self._must_stop.is_set() and not self._has_all(tally):
                asked = time.monotonic()
                messages = consumer.poll(self.workload.batch * 10, _POLL_SECONDS)
                now = time.monotonic()
                if messages:
                    tally.latencies.append(now - asked)
                    tally.receive(messages)
                    consumer.commit()
                    last_seen = now
                elif self._producers_are_done.is_set() and now - last_seen > _STALL_SECONDS:
                    break  # the verdict will say what is missing
        tally.seconds = time.monotonic() - self._began

    def _has_all(self, tally: ConsumerTally) -> bool:
        return self._producers_are_done.is_set() and tally.received >= self.acknowledged


def _stopwatch(latencies: list[float]) -> Callable[[object], None]:
    began = time.monotonic()
    return lambda _: latencies.append(time.monotonic() - began)


def _checksum(key: bytes, value: bytes) -> int:
    return crc32(value, crc32(key))
