"""Build a large log, as eight topics, two thousand producers and two thousand consumers would write it.

Aggregates decide and apply every event, so that the log can be replayed. Events are appended directly, without syncs,
in commits of about a hundred. Six of ten commits are messages; four are deliveries with their committed offsets. Then
an ActorSystem recovers every stream and is closed, so that the log has the snapshots of such a run.
"""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from odradek import ActorSystem, Append, Appended, SqliteLog, TopicPartition
from odradek_actors.messages.core import GetSnapshot
from odradek_domain.consumer.consumer import Consumer
from odradek_domain.errors import DomainError
from odradek_domain.producer.producer import Producer
from odradek_domain.replay.system_state import SystemState
from odradek_domain.topic.partition import TailLimit
from odradek_domain.topic.topic import AppendMessages, Topic
from odradek_domain.values.message import Message
from odradek_events.types import MessageProduced

__all__ = ["extend", "snapshot"]

TOPICS = 8
PARTITIONS = 3
CLIENTS = 2000  # producers, and as many consumers
COMMIT = 100
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
VALUE = b"v" * 100
KEYS = [b"key-%02d" % number for number in range(100)]
AT_ONCE = 200  # appends of one transaction; and actors alive at a time


class Writer:
    """Appends the decisions of aggregates, many commits at a time."""

    def __init__(self, log: SqliteLog) -> None:
        self.log = log
        self.requests: list[Append] = []
        self.now = BEGIN + timedelta(milliseconds=log.head().position + 1)

    def write(self, stream: str, aggregate: Any, events: list[Any]) -> None:
        """Apply events, and append them with the next flush."""
        if not events:
            return
        aggregate.apply_all(events)
        self.requests.append(Append(stream=stream, events=events, actor="large", is_checked=True))
        self.now += timedelta(milliseconds=len(events))
        if len(self.requests) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Append pending events."""
        verdicts = self.log.append(self.requests, self.now)
        refused = [verdict for verdict in verdicts if not isinstance(verdict, Appended)]
        assert not refused, refused[0]
        self.requests = []


class Clients:
    """The aggregates, recovered from the log or new."""

    def __init__(self, log: SqliteLog, writer: Writer) -> None:
        state = SystemState.replay(log) if log.head().position >= 0 else SystemState()
        self.writer = writer
        self.topics = [state.topics.get(f"topic-{n}") or self._topic(f"topic-{n}") for n in range(TOPICS)]
        self.producers = [state.producers.get(f"producer-{n}") or self._producer(n) for n in range(CLIENTS)]
        self.consumers = [state.consumers.get(f"consumer-{n}") or self._consumer(n) for n in range(CLIENTS)]

    def _topic(self, name: str) -> Topic:
        topic = Topic(name, TailLimit(0, 0))
        self.writer.write(f"topic/{name}", topic, [topic.create(PARTITIONS, topic_id=f"id-of-{name}", at=BEGIN)])
        return topic

    def _producer(self, number: int) -> Producer:
        producer = Producer(f"producer-{number}")
        self.writer.write(f"producer/{producer.client_id}", producer, list(producer.register(BEGIN)))
        return producer

    def _consumer(self, number: int) -> Consumer:
        consumer = Consumer(f"consumer-{number}")
        stream = f"consumer/{consumer.id}"
        self.writer.write(stream, consumer, list(consumer.register(None, BEGIN)))
        topic = self.topics[number % TOPICS]
        self.writer.write(stream, consumer, list(consumer.subscribe([str(topic.name)], BEGIN)))
        places = [TopicPartition(str(topic.name), partition) for partition in range(PARTITIONS)]
        starts = [consumer.reset(place, str(topic.topic_id), 0, "earliest", BEGIN) for place in places]
        self.writer.write(stream, consumer, list(starts))
        return consumer

    def produce(self, number: int) -> list[MessageProduced]:
        """Send a batch from the next producer to the next topic; sometimes record the producer's progress."""
        producer = self.producers[number % CLIENTS]
        topic = self.topics[(number + number // CLIENTS) % TOPICS]
        partitions = tuple(index % PARTITIONS for index in range(COMMIT))
        known = [partition.sequences.get(producer.client_id) for partition in topic.partitions]
        sequences = tuple((number, 0 if item is None else item.next_sequence) for number, item in enumerate(known))
        at = self.writer.now
        messages = tuple(
            Message.new(KEYS[index], VALUE, id=f"{number:012x}-{index:04x}", timestamp=at) for index in range(COMMIT)
        )
        command = AppendMessages(messages, partitions, producer.client_id, 0, sequences)
        (decided,) = topic.decide_appends([command])
        assert not isinstance(decided, DomainError), decided
        self.writer.write(f"topic/{topic.name}", topic, decided.events)
        if (number // CLIENTS) % 4 == 3:
            through = self.writer.log.head().position
            total = COMMIT * (number // CLIENTS + 1)
            self.writer.write(
                f"producer/{producer.client_id}", producer, list(producer.record_progress(total, through, at))
            )
        return decided.events

    def consume(self, number: int, messages: list[MessageProduced]) -> None:
        """Consume messages with a consumer of their topic, and commit."""
        topic = self.topics[int(messages[0].topic.rpartition("-")[2])]
        consumer = self.consumers[(number * TOPICS + self.topics.index(topic)) % CLIENTS]
        at = self.writer.now
        events: list[Any] = list(consumer.consume(messages, at))
        stream = f"consumer/{consumer.id}"
        self.writer.write(stream, consumer, events)
        committed = []
        for partition in range(PARTITIONS):
            place = TopicPartition(str(topic.name), partition)
            offset = consumer.get_current_offset(place)
            assert offset is not None
            committed += consumer.commit_offset(consumer.to_commit(place, int(offset)), at)
        self.writer.write(stream, consumer, committed)


def extend(path: Path, more: int) -> None:
    """Append about `more` events."""
    with SqliteLog(path, durability="off") as log:
        events = log.head().position + 1 + more
        writer = Writer(log)
        clients = Clients(log, writer)
        first = sum(topic.version for topic in clients.topics) // COMMIT
        console = Console(stderr=True)
        steps = track(itertools.count(first), f"{more:,} events", total=more // 167 + 1, console=console)
        for number in steps:
            messages = clients.produce(number)
            if number % 3 < 2:
                clients.consume(number, messages)
            if writer.now - BEGIN >= timedelta(milliseconds=events):
                break
        writer.flush()


def snapshot(path: Path) -> None:
    """Let every stream's actor recover and stop, some at a time."""
    with SqliteLog(path, durability="off") as log:
        streams = list(log.streams())
        for first in track(range(0, len(streams), AT_ONCE), "snapshots", console=Console(stderr=True)):
            with ActorSystem.open(log) as system:
                answers = [system.query(stream, GetSnapshot()) for stream in streams[first : first + AT_ONCE]]
                for answer in answers:
                    answer.result(600)


def main() -> None:
    """Append events to a log, or take its snapshots."""
    if sys.argv[1] == "extend":
        extend(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        snapshot(Path(sys.argv[2]))


if __name__ == "__main__":
    main()
