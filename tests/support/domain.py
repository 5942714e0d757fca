"""Given-when-then helpers for the domain: aggregates with a history, messages, commands, and their outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from odradek_domain.aggregate import Aggregate
from odradek_domain.errors import DomainError
from odradek_domain.topic.partition import TailLimit
from odradek_domain.topic.topic import AppendDecision, AppendMessages, Topic
from odradek_domain.values.message import Headers, Message
from odradek_events import Append, Appended, EventLog
from odradek_events.types import MessageProduced, TopicCreated

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)

A = TypeVar("A", bound=Aggregate)
T = TypeVar("T")


def after(seconds: float) -> datetime:
    """Return the time `seconds` after noon."""
    return NOON + timedelta(seconds=seconds)


def given(aggregate: A, *events: object) -> A:
    """Return the aggregate after applying these events."""
    aggregate.apply_all(events)
    return aggregate


def given_topic(name: str = "orders", partitions: int = 1, tail: TailLimit | None = None) -> Topic:
    """Return a topic that was created."""
    return given(Topic(name, tail), TopicCreated(name, "t-1", partitions, NOON))


def recreate(topic: Topic, topic_id: str = "t-2") -> None:
    """Delete a topic and create it again with one partition."""
    topic.apply(topic.delete(NOON))
    topic.apply(topic.create(topic_id=topic_id, at=NOON))


def message(value: bytes | None = b"v", key: bytes | None = None, *, id: str = "m", headers: Headers = ()) -> Message:
    """Return a message that is not stored yet."""
    return Message.new(key, value, id=id, timestamp=NOON).with_headers(headers)


def produced(
    offset: int, *, partition: int = 0, topic: str = "orders", value: bytes | None = b"v", key: bytes | None = None
) -> MessageProduced:
    """Return the event of a stored message without a sequence."""
    return MessageProduced(topic, partition, offset, f"m{offset}", "p", 0, -1, NOON, key, value)


def batch(
    count: int = 1,
    *,
    sequence: int = -1,
    partition: int = 0,
    producer: str = "p",
    epoch: int = 0,
    topic_id: str | None = None,
    value: bytes = b"v",
) -> AppendMessages:
    """Return a command to store `count` messages in one partition, with sequences from `sequence` on (-1: none)."""
    return AppendMessages(
        messages=tuple(message(value, id=f"{producer}-{epoch}-{sequence}-{index}") for index in range(count)),
        partitions=(partition,) * count,
        producer_id=producer,
        producer_epoch=epoch,
        base_sequences=() if sequence < 0 else ((partition, sequence),),
        topic_id=topic_id,
    )


def store(topic: Topic, command: AppendMessages) -> AppendDecision:
    """Decide a single command and apply it; raise its error."""
    (decided,) = topic.decide_appends([command])
    if isinstance(decided, DomainError):
        raise decided
    topic.apply_all(decided.events)
    return decided


def store_one_by_one(topic: Topic, commands: Iterable[AppendMessages]) -> list[AppendDecision | DomainError]:
    """Decide and apply commands one after the other."""
    outcomes: list[AppendDecision | DomainError] = []
    for command in commands:
        try:
            outcomes.append(store(topic, command))
        except DomainError as error:
            outcomes.append(error)
    return outcomes


def outcome(decided: AppendDecision | DomainError) -> object:
    """Return a comparable form: a decision itself, or an error's type, message and attributes."""
    return decided if isinstance(decided, AppendDecision) else (type(decided), str(decided), vars(decided))


def record(log: EventLog, stream: str, *events: Any, when: datetime = NOON) -> Appended:
    """Append events to a log as one commit."""
    (verdict,) = log.append([Append(stream=stream, events=events)], when)
    assert isinstance(verdict, Appended), verdict
    return verdict


def in_batches(items: Sequence[T], sizes: Iterable[int]) -> Iterable[Sequence[T]]:
    """Split items into batches of these sizes; the rest is the last batch."""
    start = 0
    for size in sizes:
        yield items[start : start + size]
        start += size
    yield items[start:]
