"""Events, requests and moments for tests of the log."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from odradek_events import ANY, Append, Appended, EventLog, Rejected
from odradek_events.errors import AppendError
from odradek_events.types import MessageProduced, TopicCreated

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


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


def refusal(log: EventLog, stream: str, events: Sequence[Any], expected: int = ANY) -> AppendError:
    """Append events that the log must reject, and return why."""
    (verdict,) = log.append([Append(stream=stream, events=events, expected_version=expected)], at(0))
    assert isinstance(verdict, Rejected), verdict
    return verdict.error


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Go on without a superuser's power to ignore file permissions, where the tests have it."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
