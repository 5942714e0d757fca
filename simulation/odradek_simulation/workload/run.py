"""Runs a workload on real threads: each producer and each consumer in one of its own, the system between them.

The first readers are groups, whose members share the partitions (`group_simulation`); the others read alone.
Threads share counters that one of them writes and all may read; what they find out is put together when all have ended.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.producers import Receipt
from odradek_actors.runtime.promise import Promise
from odradek_domain.values.positions import TopicPartition
from odradek_simulation.workload.group_run import GroupRun, GroupTally
from odradek_simulation.workload.mix import Workload
from odradek_simulation.workload.tally import ConsumerTally, checksum

__all__ = ["ProducerTally", "Simulation"]

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


class Simulation:
    """One run of a workload on a system."""

    def __init__(self, system: ActorSystem, workload: Workload) -> None:
        self.workload = workload
        self.producers = [ProducerTally(number + 1) for number in range(workload.producers)]
        self.groups = [GroupTally(n + 1, may_repeat=workload.churn > 0) for n in range(workload.groups)]
        self.lone_consumers = [ConsumerTally(n + 1) for n in range(workload.groups, workload.consumers)]
        self.failure: BaseException | None = None
        self._system = system
        self._must_stop = threading.Event()
        self._producers_are_done = threading.Event()
        self._began = 0.0
        self._progress: dict[int, tuple[int, float]] = {}  # of each group: received, and since when no more

    @property
    def readers(self) -> list[GroupTally | ConsumerTally]:
        """All that read everything."""
        return [*self.groups, *self.lone_consumers]

    @property
    def acknowledged(self) -> int:
        """How many messages are durable by now."""
        return sum(tally.acknowledged for tally in self.producers)

    @property
    def received(self) -> int:
        """How many messages were consumed by now, by all readers together."""
        return sum(tally.received for tally in self.readers)

    def run(self, progress: Callable[[Simulation], None]) -> None:
        """Create the topics, run everybody to the end, and raise what a thread failed with.

        Ctrl-C stops everybody after the batch in hand, and is raised on.
        """
        for topic in self.workload.topic_names:
            self._system.create_topic(topic, self.workload.partitions)
        self._began = time.monotonic()
        producing = [self._thread(self._produce, tally) for tally in self.producers]
        consuming = [self._thread(self._consume, tally) for tally in self.lone_consumers]
        for group in self.groups:
            run = GroupRun(self._system, self.workload, group, partial(self._is_over, group))
            members = range(1, self.workload.members + 1)
            consuming += [self._thread(partial(self._be_member, run, group), number) for number in members]
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
                content = sum(checksum(key, value) for key, value in entries)
                promise = producer.send_batch(topic, entries)
                promise.add_done_callback(_stopwatch(tally.latencies))
                in_flight.append((promise, content))
            while in_flight:
                take()
        tally.seconds = time.monotonic() - self._began

    def _be_member(self, run: GroupRun, tally: GroupTally, number: int) -> None:
        run.be_member(number)
        tally.seconds = time.monotonic() - self._began

    def _is_over(self, tally: GroupTally) -> bool:
        """Whether a group has all messages, has got none for too long (the verdict will say so), or has to stop."""
        now = time.monotonic()
        count, since = self._progress.get(tally.number, (-1, now))
        if count != tally.received or not self._producers_are_done.is_set():
            self._progress[tally.number] = tally.received, now
            since = now
        return self._must_stop.is_set() or self._has_all(tally) or now - since > _STALL_SECONDS

    def _consume(self, tally: ConsumerTally) -> None:
        last_seen = time.monotonic()
        with self._system.consumer(tally.name) as consumer:
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

    def _has_all(self, tally: ConsumerTally | GroupTally) -> bool:
        return self._producers_are_done.is_set() and tally.received >= self.acknowledged


def _stopwatch(latencies: list[float]) -> Callable[[object], None]:
    began = time.monotonic()
    return lambda _: latencies.append(time.monotonic() - began)
