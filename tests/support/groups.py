"""Consumers in groups, driven by one thread: all members poll in turns until the group is balanced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import RequestTimedOut
from odradek_actors.messages.consumers import ConsumerRecord
from odradek_domain.group.errors import GroupNotFound
from odradek_domain.group.member import GroupState
from odradek_domain.values.positions import TopicPartition
from odradek_events import LogStore

PATIENCE = 10.0  # seconds until a test gives up
REST = 0.005  # seconds between looks, in which others have the processor; nothing depends on how long they are

COOPERATIVE = ("cooperative-sticky",)


def until(condition: Callable[[], bool], *turns: Callable[[], object], what: str = "") -> None:
    """Take turns until a condition holds; raise AssertionError if it does not hold in time."""
    deadline = time.monotonic() + PATIENCE
    rest = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"still not so: {what}"
        for turn in turns:
            turn()
        rest.wait(REST)


def member(
    system: ActorSystem, consumer_id: str, *topics: str, listener: RebalanceListener | None = None, **how: Any
) -> ConsumerHandle:
    """Return a consumer of group "g" that has subscribed to topics or a pattern, and not polled yet."""
    pattern = how.pop("pattern", None)
    consumer = system.consumer(consumer_id, how.pop("group", "g"), **how)
    consumer.subscribe(topics, pattern=pattern, listener=listener)
    return consumer


def nudge(consumer: ConsumerHandle, *expected: type[Exception]) -> None:
    """Poll briefly without taking messages, so that a rebalance can proceed. Ignores `expected` errors."""
    with suppress(RequestTimedOut, *expected):
        consumer.wait_for_assignment(0.02)


def balance(
    system: ActorSystem,
    *consumers: ConsumerHandle,
    partitions: int,
    group: str = "g",
    expected: tuple[type[Exception], ...] = (),
) -> int:
    """Poll in turns until these are the group's members and all partitions are assigned; return the generation.

    Ignores errors of the types `expected` that polls raise.
    """
    names = {consumer.consumer_id for consumer in consumers}

    def is_done() -> bool:
        try:
            snapshot = system.describe_group(group)
        except GroupNotFound:
            return False
        given = {found.consumer_id: found.partitions for found in snapshot.members}
        has = {consumer.consumer_id: consumer.assignment for consumer in consumers}
        is_whole = sum(map(len, given.values())) == partitions
        return snapshot.state is GroupState.STABLE and set(given) == names and given == has and is_whole

    turns = [partial(nudge, consumer, *expected) for consumer in consumers]
    for turn in turns:
        turn()
    until(is_done, *turns, what="balanced")
    return system.describe_group(group).generation


def poll_all(consumers: Sequence[ConsumerHandle], count: int) -> dict[str, list[ConsumerRecord]]:
    """Poll in turns until `count` messages have arrived; return them by consumer."""
    records: dict[str, list[ConsumerRecord]] = {consumer.consumer_id: [] for consumer in consumers}

    def turn() -> None:
        for consumer in consumers:
            records[consumer.consumer_id] += consumer.poll(timeout=0.02)

    until(lambda: sum(map(len, records.values())) >= count, turn, what=f"{count} messages")
    return records


def poll_on(consumer: ConsumerHandle) -> None:
    """Poll until the timeout of a test, for polls that are expected to raise."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        consumer.poll(timeout=0.1)


def places(records: Sequence[ConsumerRecord]) -> list[tuple[str, int, int]]:
    """Return the sorted topics, partitions and offsets of messages."""
    return sorted((record.topic, record.partition, record.offset) for record in records)


def fill(system: ActorSystem, topic: str, partitions: int, each: int) -> None:
    """Send messages to each partition; each value has the partition and the number."""
    producer = system.producer(f"fill-{topic}")
    sent = [
        producer.send(topic, f"{partition}-{number}", partition=partition)
        for partition in range(partitions)
        for number in range(each)
    ]
    for promise in sent:
        promise.result()


def reasons(log: LogStore, group: str = "g") -> list[str]:
    """Return why members left, in order."""
    return [recorded.event.reason for recorded in log.read(stream=f"group/{group}", types=("MemberLeft",))]


class Heard(RebalanceListener):
    """A listener that records its calls, and optionally runs an action."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.on_assigned: Callable[[Sequence[TopicPartition]], object] = lambda _: None
        self.on_revoked: Callable[[Sequence[TopicPartition]], object] = lambda _: None
        self.on_lost: Callable[[Sequence[TopicPartition]], object] = lambda _: None

    def on_partitions_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Record the call."""
        self._note("assigned", partitions, self.on_assigned)

    def on_partitions_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Record the call."""
        self._note("revoked", partitions, self.on_revoked)

    def on_partitions_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Record the call."""
        self._note("lost", partitions, self.on_lost)

    def _note(
        self, kind: str, partitions: Sequence[TopicPartition], then: Callable[[Sequence[TopicPartition]], object]
    ) -> None:
        self.calls.append((kind, [place.partition for place in partitions]))
        then(partitions)
