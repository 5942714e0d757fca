"""Random histories of the whole domain: every aggregate gets every command, and its decisions are appended to a log.

An attempt is a function of an aggregate and two small numbers. It depends on nothing else, so the same attempt on an
equal aggregate must have the same outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET

from odradek_domain.aggregate import Aggregate
from odradek_domain.consumer.consumer import Consumer
from odradek_domain.errors import DomainError
from odradek_domain.group.group import ConsumerGroup
from odradek_domain.producer.producer import Producer
from odradek_domain.topic.topic import AppendMessages, Topic
from odradek_domain.values.committed_offsets import CommittedOffset, OffsetToCommit
from odradek_domain.values.positions import TopicPartition
from odradek_events import Append, Appended, MemoryLog
from support.domain import after, batch, message, outcome, produced

Attempt = Callable[[Any, int, int], Sequence[Any]]
Step = tuple[str, int, int, int]

TOPICS = ("orders", "payments")


def next_batch(topic: Topic, a: int, b: int) -> AppendMessages:
    """Return a batch with sequences: usually the next, sometimes a repeat, a gap, or one of another epoch."""
    partition, producer = a % 3, f"p{b % 2}"
    found = topic.get_partition(partition)
    known = None if found is None else found.sequences.get(producer)
    epoch, due = (0, 0) if known is None else (known.epoch, known.next_sequence)
    slip = (0, 0, -1, -2, 1, 0, 0, -4)[b % 8]
    if a == 6:
        epoch, due, slip = epoch + 1, 0, 0
    if a == 7:
        epoch -= 1
    return batch(1 + b % 3, sequence=max(0, due + slip), partition=partition, producer=producer, epoch=max(0, epoch))


def _append(topic: Topic, command: AppendMessages) -> Sequence[Any]:
    (decided,) = topic.decide_appends([command])
    if isinstance(decided, DomainError):
        raise decided
    return decided.events


def _append_anywhere(topic: Topic, a: int, b: int) -> Sequence[Any]:
    messages = tuple(message(b"%d" % number, b"k" * b, headers=(("h", b"x" * a),)) for number in range(a + 1))
    return _append(topic, AppendMessages(messages, tuple((number + b) % 4 for number in range(a + 1)), "anybody"))


def _consume(consumer: Consumer, a: int, b: int) -> Sequence[Any]:
    topic, partition = TOPICS[b % 2], a % 2
    position = consumer.get_current_offset(TopicPartition(topic, partition)) or 0
    first = max(0, position + (0, 0, 0, 1, -1)[b % 5])
    return consumer.consume([produced(first + n, partition=partition, topic=topic) for n in range(1 + a % 3)], after(b))


def _wanted(a: int, b: int) -> OffsetToCommit:
    return OffsetToCommit(TOPICS[a % 2], a % 3, f"t-{b % 2}", b, "x" * (a % 2), is_reset=a == 5)


ATTEMPTS: dict[type[Aggregate], tuple[Attempt, ...]] = {
    Topic: (
        lambda topic, a, b: [topic.create(1 + a % 3, topic_id=f"t-{topic.version}", at=after(b))],
        lambda topic, a, b: _append(topic, next_batch(topic, a, b)),
        lambda topic, a, b: _append(topic, next_batch(topic, b, a)),
        _append_anywhere,
        lambda topic, a, b: topic.delete_records(a % 3, b, after(a)),
        # so far in the past that no timer of an actor removes anything
        lambda topic, a, b: topic.set_retention((10**15, None)[a % 2], (UNSET, None, b << 40)[b % 3], after(a)),
        lambda topic, a, b: [topic.add_partitions(a, after(b))],
        lambda topic, a, b: [topic.delete(after(a))] if b == 0 else [],
    ),
    Producer: (
        lambda producer, a, b: producer.register(after(a), "tx" if b % 2 else None),
        lambda producer, a, b: [producer.bump_epoch(after(a))],
        lambda producer, a, b: producer.record_progress(a * b, a + b, after(a)),
    ),
    Consumer: (
        lambda consumer, a, b: consumer.register((None, "g", "h")[a % 3], after(b)),
        lambda consumer, a, b: consumer.subscribe(TOPICS[a % 2 : 1 + b % 3], after(a)),
        _consume,
        _consume,
        lambda consumer, a, b: [
            consumer.reset(TopicPartition(TOPICS[a % 2], a % 3), f"t-{b % 2}", b, "seek", after(a))
        ],
        lambda consumer, a, b: consumer.commit_offset(
            consumer.to_commit(TopicPartition(TOPICS[a % 2], a % 2), b, is_reset=a == 5), after(a)
        ),
        lambda consumer, a, b: [consumer.resume(consumer.committed.all()[:a], after(b))],
        lambda consumer, a, b: [consumer.resume([CommittedOffset("orders", a, "t-1", b)], after(b))],
    ),
    ConsumerGroup: (
        lambda group, a, b: group.commit_offsets([_wanted(a, b), _wanted(b, a)], after(a), "c0"),
        lambda group, a, b: group.reset_offsets([_wanted(a, b)], after(a), "operator"),
    ),
}

STREAMS: dict[str, Callable[[], Aggregate]] = {
    "topic/orders": lambda: Topic("orders"),
    "topic/payments": lambda: Topic("payments"),
    "producer/p0": lambda: Producer("p0"),
    "consumer/c0": lambda: Consumer("c0"),
    "consumer/c1": lambda: Consumer("c1"),
    "group/g": lambda: ConsumerGroup("g"),
}

_DRAWN_FROM = (*STREAMS, "topic/orders", "topic/payments")


def _step(number: int) -> Step:
    """Read a stream and three numbers below 8 from the octal digits of one; drawing four costs four times as much."""
    return _DRAWN_FROM[number >> 9], number >> 6 & 7, number >> 3 & 7, number & 7


steps = st.lists(st.integers(0, 8**4 - 1).map(_step), min_size=20, max_size=80)


class World:
    """Live aggregates and the log of their decisions; each decision is one commit, each step one second."""

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self.log = MemoryLog()
        self.aggregates = {stream: make() for stream, make in STREAMS.items()}
        for topic in TOPICS:
            self.step((f"topic/{topic}", 0, 1, 0))
        for consumer in ("c0", "c1"):
            self.step((f"consumer/{consumer}", 1, 0, 2))
        for number, step in enumerate(steps):
            self.step(step, number)

    def step(self, step: Step, second: int = 0) -> None:
        """Make one attempt, and append and apply its decision."""
        stream, which, a, b = step
        aggregate = self.aggregates[stream]
        attempts = ATTEMPTS[type(aggregate)]
        try:
            events = attempts[which % len(attempts)](aggregate, a, b)
        except DomainError:
            return
        request = Append(stream=stream, events=events, expected_version=aggregate.version)
        (verdict,) = self.log.append([request], after(second))
        assert isinstance(verdict, Appended), verdict
        aggregate.apply_all(events)

    def events(self, stream: str) -> list[Any]:
        """Return a stream's events as the log has them."""
        return [item for commit in self.log.commits(stream=stream) for item in commit.events]

    def snapshots(self) -> dict[str, Any]:
        """Return the live aggregates' snapshots."""
        return {stream: snapshot_of(aggregate) for stream, aggregate in self.aggregates.items()}


worlds = st.builds(World, steps)


def snapshot_of(aggregate: Any) -> msgspec.Struct:
    """Return the snapshot of an aggregate of any kind."""
    snapshot: msgspec.Struct = aggregate.snapshot()
    return snapshot


def restored(aggregate: Any) -> Aggregate:
    """Return an aggregate restored from its snapshot, after a round trip through JSON."""
    snapshot = aggregate.snapshot()
    read = msgspec.json.decode(msgspec.json.encode(snapshot), type=type(snapshot))
    made: Aggregate = type(aggregate).restore(read)
    return made


def everything_it_decides(aggregate: Aggregate) -> list[object]:
    """Return an aggregate's outcome of every attempt with every pair of small numbers."""
    answers: list[object] = []
    for attempt in ATTEMPTS[type(aggregate)]:
        for a in range(8):
            for b in range(8):
                try:
                    answers.append(attempt(aggregate, a, b))
                except DomainError as error:
                    answers.append(outcome(error))
    return answers
