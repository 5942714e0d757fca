"""Sample events, requests and times for the suites, and short functions to append and read."""

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
"""Timeout in seconds for events that always happen in a correct store."""


@event("odradek.testing.Measured", tags=(OffsetTag("series:{series}", "offset"), "kind:{kind}"))
class Measured(msgspec.Struct, frozen=True):
    """An event like those of users' models, with fields that can have wrong values."""

    series: str
    offset: int
    amount: float = 0.0
    kind: Any = None


@event("odradek.testing.Listed")
class Listed(msgspec.Struct, frozen=True):
    """An event with a mutable field, which real events should not have."""

    items: list[str]


@event("odradek.testing.Chosen")
class Chosen(msgspec.Struct, frozen=True):
    """An event with a set, which has no fixed order in JSON."""

    numbers: frozenset[int]


class Unregistered(msgspec.Struct, frozen=True):
    """A struct that is not registered as an event."""

    name: str


def at(seconds: float) -> datetime:
    """Return the time `seconds` after START."""
    return START + timedelta(seconds=seconds)


def created(topic: str = "orders", topic_id: str = "t-1") -> TopicCreated:
    """Return the creation of a topic."""
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
    """Append events that the log must accept."""
    request = Append(stream=stream, events=events, expected_version=expected, commit_id=commit_id)
    (verdict,) = log.append([request], at(when))
    assert isinstance(verdict, Appended), verdict
    return verdict


def answer(log: EventLog, request: Append) -> Appended | AppendError:
    """Append, and return the verdict, or the error of a rejection."""
    (verdict,) = log.append([request], START)
    assert isinstance(verdict, Appended | Rejected), verdict
    return verdict.error if isinstance(verdict, Rejected) else verdict


def refusal(log: EventLog, stream: str, events: Sequence[Any], expected: int = ANY) -> AppendError:
    """Append events that the log must reject, and return the error."""
    error = answer(log, Append(stream=stream, events=events, expected_version=expected))
    assert isinstance(error, AppendError), error
    return error


def none_with(*tags: str, types: tuple[str, ...] = (), after: int = -1) -> Condition:
    """Return the condition that no event after `after` has one of these types and all these tags."""
    return Condition(Query((QueryItem(types, tags),)), after)


def positions(log: ReadableLog, **bounds: Any) -> list[int]:
    """Return the positions of the events that a read returns."""
    return [recorded.position for recorded in log.read(**bounds)]


def codec_that_knows(*classes: type[Any]) -> Codec:
    """Return a codec that knows only these event types."""
    few = Catalogue()
    for cls in classes:
        entry = CATALOGUE.by_class(cls)
        assert entry is not None, cls
        few.register(entry)
    return Codec(few)
