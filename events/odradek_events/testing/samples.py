"""Events, requests and moments of the suites, and short ways to append and to ask."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from odradek_events.errors import AppendError
from odradek_events.log.port import EventLog, ReadableLog
from odradek_events.record import ANY, Append, Appended, Condition, Query, QueryItem, Rejected
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import CATALOGUE, Catalogue, OffsetTag, event
from odradek_events.types import MessageProduced, TopicCreated

__all__ = [
    "PATIENCE",
    "START",
    "Chosen",
    "Listed",
    "Measured",
    "Unregistered",
    "answer",
    "append",
    "at",
    "codec_that_knows",
    "created",
    "none_with",
    "positions",
    "produced",
    "refusal",
]

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
PATIENCE = 20.0
"""Seconds to wait for what is sure to come."""


@event("odradek.testing.Measured", tags=(OffsetTag("series:{series}", "offset"), "kind:{kind}"))
class Measured(msgspec.Struct, frozen=True):
    """An event like those of people's own, with fields that can be filled wrongly."""

    series: str
    offset: int
    amount: float = 0.0
    kind: Any = None


@event("odradek.testing.Listed")
class Listed(msgspec.Struct, frozen=True):
    """An event with a value that can be changed, as none should have."""

    items: list[str]


@event("odradek.testing.Chosen")
class Chosen(msgspec.Struct, frozen=True):
    """An event with a value that JSON has no order for."""

    numbers: frozenset[int]


class Unregistered(msgspec.Struct, frozen=True):
    """An event that nobody declared."""

    name: str


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after the start of every test."""
    return START + timedelta(seconds=seconds)


def created(topic: str = "orders", topic_id: str = "t-1") -> TopicCreated:
    """Return the birth of a topic."""
    return TopicCreated(topic=topic, topic_id=topic_id, partition_count=2, timestamp=START)


def produced(
    offset: int, topic: str = "orders", partition: int = 0, producer: str = "p1", value: bytes | None = b"v"
) -> MessageProduced:
    """Return a message at `offset`."""
    return MessageProduced(
        topic=topic,
        partition=partition,
        offset=offset,
        message_id=f"m{offset}",
        producer_id=producer,
        producer_epoch=0,
        sequence=offset,
        timestamp=START,
        value=value,
    )


def append(
    log: EventLog, stream: str, *events: Any, expected: int = ANY, when: float = 0, commit_id: str = ""
) -> Appended:
    """Append events that the log is sure to take."""
    request = Append(stream=stream, events=events, expected_version=expected, commit_id=commit_id)
    (verdict,) = log.append([request], at(when))
    assert isinstance(verdict, Appended), verdict
    return verdict


def answer(log: EventLog, request: Append) -> Appended | AppendError:
    """Append, and return the verdict or why it was rejected."""
    (verdict,) = log.append([request], START)
    assert isinstance(verdict, Appended | Rejected), verdict
    return verdict.error if isinstance(verdict, Rejected) else verdict


def refusal(log: EventLog, stream: str, events: Sequence[Any], expected: int = ANY) -> AppendError:
    """Append events that the log must reject, and return why."""
    error = answer(log, Append(stream=stream, events=events, expected_version=expected))
    assert isinstance(error, AppendError), error
    return error


def none_with(*tags: str, types: tuple[str, ...] = (), after: int = -1) -> Condition:
    """Return the condition that no event after `after` has one of these types and all these tags."""
    return Condition(Query((QueryItem(types, tags),)), after)


def positions(log: ReadableLog, **bounds: Any) -> list[int]:
    """Return the positions of what a read gives."""
    return [recorded.position for recorded in log.read(**bounds)]


def codec_that_knows(*classes: type[Any]) -> Codec:
    """Return the codec of a program that knows these events and no others."""
    few = Catalogue()
    for cls in classes:
        entry = CATALOGUE.by_class(cls)
        assert entry is not None, cls
        few.register(entry)
    return Codec(few)
