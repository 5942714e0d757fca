"""The messages of the ProducerActor."""

from __future__ import annotations

from datetime import datetime

import msgspec

from odradek_domain.values.message import Message

__all__ = [
    "CloseProducer",
    "DescribeProducer",
    "FlushProducer",
    "OpenProducer",
    "Receipt",
    "Send",
]


class Send(msgspec.Struct, frozen=True, gc=False):
    """Store messages, all in one commit; answered by a Receipt for each. `size` is their bytes together.

    `handle` keeps the actor running as OpenProducer does, also where an actor has failed and another took its place.
    """

    topic: str
    messages: tuple[Message, ...]
    size: int
    partition: int | None
    linger_ms: int = 0
    handle: int = 0


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """Where a message is: durable, and visible to consumers.

    `offset` is its place in the partition, `position` in the whole log; `timestamp` is the message's own, in UTC unless
    the sender gave one. With `acks=0` nothing of that is known: the places are -1.
    """

    topic: str
    partition: int
    offset: int
    position: int
    timestamp: datetime


class FlushProducer(msgspec.Struct, frozen=True):
    """Answer once every earlier send is acknowledged or has failed."""


class OpenProducer(msgspec.Struct, frozen=True, gc=False):
    """Keep the producer's actor running for a handle; answered at once, before the handle sends anything."""

    handle: int


class CloseProducer(msgspec.Struct, frozen=True, gc=False):
    """Flush, and record the progress; the producer's actor passivates once its last handle is closed."""

    handle: int = 0


class DescribeProducer(msgspec.Struct, frozen=True):
    """Ask for the total number of acknowledged messages."""
