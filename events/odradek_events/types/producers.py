"""Events of producers: registration, epochs, and how many messages they have sent."""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_events.schema.registry import event

__all__ = ["ProducerEpochBumped", "ProducerProgressed", "ProducerRegistered"]

_PRODUCER = "producer:{producer_id}"


@event("ProducerRegistered", version=1, tags=(_PRODUCER,))
class ProducerRegistered(msgspec.Struct, frozen=True):
    """A producer was opened for the first time."""

    producer_id: str
    client_id: str
    epoch: int
    timestamp: datetime
    transaction_id: str | None = None


@event("ProducerEpochBumped", version=1, tags=(_PRODUCER,))
class ProducerEpochBumped(msgspec.Struct, frozen=True):
    """A producer was opened again: its sequences restart at 0, and its older epochs are fenced."""

    producer_id: str
    epoch: int
    timestamp: datetime


@event("ProducerProgressed", version=1, tags=(_PRODUCER,))
class ProducerProgressed(msgspec.Struct, frozen=True):
    """A producer has sent `message_count` messages in all, counted up to log position `counted_through`."""

    producer_id: str
    message_count: int
    counted_through: int
    timestamp: datetime
